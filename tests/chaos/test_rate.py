"""WeCom's law, at most twenty messages a robot in any sixty seconds, holds across deaths and restarts."""

from __future__ import annotations

import asyncio
import random
import time
from pathlib import Path

import pytest

from tests.chaos.conftest import Note
from tests.chaos.ledger import close_books
from tests.chaos.world import key_of, world
from tests.daemon import Client
from tests.fakes.wecom_rules import TOO_OFTEN

pytestmark = pytest.mark.timeout(3600)

WINDOW_S = 60.0
LAW = 20
PER_MINUTE = 18
TASKS = 24
LIFE_S = 20.0


@pytest.mark.whole_only
async def test_the_rate_law_holds_across_restarts(tmp_path: Path, seed: int, chance: random.Random, note: Note) -> None:
    """At the default pace, killed every twenty seconds, no robot is ever sent more than twenty messages a minute."""
    with world(tmp_path, robots=("red", "blue"), per_minute=PER_MINUTE, with_llm=False) as made:
        made.daemon.start()
        async with Client(made.daemon) as client:
            for _ in range(TASKS):
                tape = made.tape(4)
                await made.submit(client, made.serve(tape), tape)
        until = time.monotonic() + 3 * WINDOW_S
        while time.monotonic() < until:
            await asyncio.sleep(chance.uniform(0.1, 2 * LIFE_S))
            made.kill()
            made.daemon.start()
        balance = await close_books(made)
    times = {robot: [arrival.at for arrival in made.wecom.robot(key_of(robot)).arrivals] for robot in made.robots}
    most = max(_most_in_a_window(at) for at in times.values())
    refused = sum(arrival.errcode == TOO_OFTEN for arrival in made.wecom.arrivals)
    what = f"messages in any 60 s, {len(made.kills)} kills (seed {seed})"
    note("F7", what, f"<= {LAW}", f"{most}; {refused} refused; {balance}")
    balance.check()
    assert most <= LAW


def _most_in_a_window(times: list[float]) -> int:
    """The most arrivals in any sixty seconds; every such window can be moved to begin with an arrival."""
    return max(sum(begin <= at < begin + WINDOW_S for at in times) for begin in times)
