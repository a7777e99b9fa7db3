"""The daemon is killed, at random and at the worst instants, and what was promised still comes."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from tests.chaos import instants
from tests.chaos.conftest import Note
from tests.chaos.instants import Instant
from tests.chaos.ledger import arrived, close_books
from tests.chaos.recordings import Recording
from tests.chaos.world import World, world
from tests.daemon import Client

pytestmark = pytest.mark.timeout(3600)

IN_FLIGHT = 20
MOST_EVENTS = 40
"""A life ends after so many requests at the fakes at most, or after so many seconds."""
LONGEST_LIFE_S = 12.0
EARLY = 0.2
"""Share of lives that end while the daemon still starts or has just begun."""
LOOK_EVERY_S = 0.005
BAD = 0.05
"""Share of sources that do not exist."""


async def test_random_kills_lose_nothing(
    tmp_path: Path, seed: int, chance: random.Random, note: Note, *, whole: bool
) -> None:
    """Killed at random instants with 20 tasks in flight, the daemon loses, reorders, interleaves and leaves nothing.

    What it repeats is the one message a robot that was in doubt, at once.
    """
    kills = 200 if whole else 38
    with world(tmp_path, robots=("red", "blue")) as made:
        tapes = _tapes(made, chance)
        for _ in range(kills):
            await _live(made, chance, tapes)
        made.daemon.start()
        balance = await close_books(made)
    what = f"{kills} random kills, {IN_FLIGHT} in flight (seed {seed})"
    note("F1", what, "0 lost, 0 out of order, 0 interleaved", balance)
    note("F1", "most repeats of one robot after one kill", "1, adjacent", balance.most_repeats_per_kill)
    balance.check()
    assert balance.most_repeats_per_kill <= 1


async def test_kills_at_the_worst_instants_repeat_only_what_must_be_in_doubt(
    tmp_path: Path, note: Note, *, whole: bool
) -> None:
    """Killed at any of twelve named instants, the daemon goes on from there.

    A message is repeated where the group had it and the daemon could not know, and nowhere else. No finished
    download is fetched again, and no answered question asked again.
    """
    rounds = 10 if whole else 1
    with world(tmp_path) as made:
        made.daemon.start()
        for instant in [*instants.ALL] * rounds:
            await _die_at(instant, made)
        balance = await close_books(made)
    repeats = {instant.name: instant.repeats * rounds for instant in instants.ALL if instant.repeats}
    note("F2", f"12 named instants x {rounds}", f"a repeat only in doubt: {repeats}", balance)
    balance.check()
    assert sum(repeats.values()) == balance.repeats


async def _die_at(instant: Instant, made: World) -> None:
    """Have the daemon killed at this instant, start it again, and see what it does once more."""
    visits, questions, shown = len(made.site.requests), len(made.llm.asked), len(arrived(made, "red"))
    url, tape = instant.set_trap(made, "kill")
    async with Client(made.daemon) as client:
        task_id = await made.submit(client, url, tape)
        if instant.struck_by_client:
            made.doing("kill")()
        await made.died()
    made.daemon.start()
    async with Client(made.daemon) as client:
        state = await client.finished(task_id)
    asked = Counter((asked.is_summary, asked.text) for asked in made.llm.asked[questions:])
    again = [one == two for one, two in pairwise(arrived(made, "red")[shown:])]
    assert ("completed", instant.repeats) == (state["status"], sum(again)), instant.name
    assert len(made.site.requests) - visits <= instant.visits, instant.name
    twice = {question: times for question, times in asked.items() if times > 1}
    assert sum(twice.values()) - len(twice) <= instant.questions, (instant.name, twice)


def _tapes(made: World, chance: random.Random) -> Iterator[tuple[str, Recording | None]]:
    while True:
        if chance.random() < BAD:
            yield made.serve(), None
        else:
            tape = made.tape(pace_s=chance.choice((0.0, 0.02, 0.1)))
            yield made.serve(tape), tape


async def _live(made: World, chance: random.Random, tapes: Iterator[tuple[str, Recording | None]]) -> None:
    """One life of the daemon: from its start to a kill at an instant that only chance knows."""
    made.daemon.launch()
    feeding = asyncio.create_task(_feed(made, tapes))
    if chance.random() < EARLY:
        await asyncio.sleep(chance.uniform(0.0, 2.0))
    else:
        await _happen(made, chance.randrange(1, MOST_EVENTS))
        await asyncio.sleep(chance.uniform(0.0, 0.05))
    made.kill()
    feeding.cancel()
    await asyncio.gather(feeding, return_exceptions=True)


async def _feed(made: World, tapes: Iterator[tuple[str, Recording | None]]) -> None:
    try:
        await asyncio.to_thread(made.daemon.wait_ready)
    except AssertionError:
        return  # killed before it was ready
    await made.keep_busy(IN_FLIGHT, tapes)


async def _happen(made: World, events: int) -> None:
    """Wait until so many requests have come to the fakes."""
    before = made.events
    try:
        async with asyncio.timeout(LONGEST_LIFE_S):
            while made.events < before + events:  # noqa: ASYNC110 - what is waited for is counted by three servers
                await asyncio.sleep(LOOK_EVERY_S)
    except TimeoutError:
        return  # it had less to do
