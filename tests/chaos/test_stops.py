"""The daemon is asked to stop at every stage: it ends in time, loses nothing and repeats nothing."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from tests.acceptance.logbook import said
from tests.chaos import instants
from tests.chaos.conftest import Note
from tests.chaos.instants import Instant
from tests.chaos.ledger import close_books
from tests.chaos.world import World, world
from tests.daemon import Client

pytestmark = pytest.mark.timeout(3600)

STOP_S = 25.0
LOOK_S = 0.01


async def test_a_stop_at_any_stage_ends_in_time_and_repeats_nothing(tmp_path: Path, note: Note, *, whole: bool) -> None:
    """Asked to stop with a task at any stage, the daemon ends with 0 within 25 s; nothing is lost or repeated."""
    rounds = 5 if whole else 1
    known = [*instants.ALL, *instants.HANGING] if whole else [*instants.ALL[::2], *instants.HANGING]
    chosen = [instant for instant in known if not instant.frozen and (whole or not instant.slow)]
    with world(tmp_path) as made:
        took_s = [await _stop_at(instant, made) for instant in chosen * rounds]
        took_s += [await stop(made) for stop in (_stop_before_a_decoder_is_done, _stop_in_an_upload) * rounds]
        made.daemon.start()
        balance = await close_books(made)
    note("F4", f"SIGTERM at {len(chosen) + 2} instants x {rounds}", "exit 0 in 25 s, 0 lost, 0 repeats", balance)
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
        await said(made.daemon, "stopping")
        return await _stopped(made, instant.name)


async def _stop_before_a_decoder_is_done(made: World) -> float:
    """Have the daemon asked to stop when a download is done, and so its decoding begins."""
    made.daemon.start()
    tape = made.tape()
    async with Client(made.daemon) as client:
        await made.submit(client, made.serve(tape), tape)
        await said(made.daemon, "stage done", "stage=download")
        made.doing("stop")()
        return await _stopped(made, "a recording is decoded")


async def _stop_in_an_upload(made: World) -> float:
    """Have the daemon asked to stop while half of a file has come; it is no task, and nothing of it is left."""
    made.daemon.start()
    async with Client(made.daemon) as client:
        sending = asyncio.create_task(_send_half(client))
        async with asyncio.timeout(60):
            while not _files_of_nobody(made):  # noqa: ASYNC110 - only looking tells
                await asyncio.sleep(LOOK_S)
        made.doing("stop")()
        took_s = await _stopped(made, "half of a file has come")
        with contextlib.suppress(aiohttp.ClientError):
            assert 503 == await sending
    assert [] == _files_of_nobody(made)
    return took_s


def _files_of_nobody(made: World) -> list[Path]:
    """What lies in work folders of no task."""
    files = (path for path in made.daemon.data.glob("work/*/*") if path.is_file())
    return [file for file in files if file.parent.name not in made.accepted]


async def _send_half(client: Client) -> int:
    async def pieces() -> AsyncIterator[bytes]:
        yield bytes(2**21)
        await asyncio.Event().wait()

    form = aiohttp.FormData()
    form.add_field("file", pieces(), filename="half.wav")
    async with client.session.post("/api/transcribe", data=form) as answer:
        return answer.status


async def _stopped(made: World, where: str) -> float:
    """Wait until the daemon has ended in order; returns how long that took, in seconds."""
    asked_at = time.monotonic()
    assert 0 == await asyncio.to_thread(made.daemon.wait), where
    assert set() == made.daemon.processes(), where
    return time.monotonic() - asked_at
