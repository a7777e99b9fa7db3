"""The daemon is asked to stop at every stage: it ends in time, loses nothing and repeats nothing."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from tests.chaos import instants
from tests.chaos.conftest import Note
from tests.chaos.instants import Instant
from tests.chaos.ledger import close_books
from tests.chaos.world import World, world
from tests.daemon import Client

pytestmark = pytest.mark.timeout(3600)

STOP_S = 25.0


async def test_a_stop_at_any_stage_ends_in_time_and_repeats_nothing(tmp_path: Path, note: Note, *, whole: bool) -> None:
    """Asked to stop with a task at any stage, the daemon ends with 0 within 25 s; nothing is lost or repeated."""
    rounds = 5 if whole else 1
    chosen = [instant for instant in instants.ALL if not instant.frozen]
    with world(tmp_path) as made:
        took_s = [await _stop_at(instant, made) for instant in chosen * rounds]
        made.daemon.start()
        balance = await close_books(made)
    note("F4", f"SIGTERM at {len(chosen)} instants x {rounds}", "exit 0 in 25 s, 0 lost, 0 repeats", balance)
    note("F4", "longest stop", "25 s", f"{max(took_s):.1f} s")
    balance.check()
    assert 0 == balance.repeats
    assert max(took_s) <= STOP_S


async def _stop_at(instant: Instant, made: World) -> float:
    """Have the daemon asked to stop at this instant; returns how long it took, in seconds."""
    made.daemon.start()
    url, tape = instant.set_trap(made, "stop")
    async with Client(made.daemon) as client:
        await made.submit(client, url, tape)
        if instant.struck_by_client:
            made.doing("stop")()
        await made.daemon.console.until(lambda lines: any("stopping" in line for line in lines), 60.0)
        asked_at = time.monotonic()
    assert 0 == await asyncio.to_thread(made.daemon.wait), instant.name
    assert set() == made.daemon.processes(), instant.name
    return time.monotonic() - asked_at
