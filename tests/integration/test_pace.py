"""The pace of a robot's lane: never too many writes in a window, whatever happens to the daemon and to the clock."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import pytest

from pipeline.clock import Clock
from pipeline.core.moment import Moment
from pipeline.pace import WINDOW_S, Pace, age_s
from pipeline.store.sqlite import SqliteStore
from tests.contract.examples import compose, run
from tests.integration.delivery import outbox
from tests.integration.hurry import DAY_S, hurried
from tests.integration.scripted_channel import ScriptedChannel

SPEED = 240.0
REAL_WINDOW_S = WINDOW_S / SPEED
CLOCK_S = 0.01
"""How far apart the daemon's clock and ours may lie."""


def opened(store: SqliteStore, clock: Clock) -> Pace:
    """The pace as a new start of the daemon finds it."""
    return Pace("r", store, clock)


@dataclass(frozen=True)
class Write:
    """One write: it is counted at some moment between these two."""

    not_before: float
    not_after: float


async def write(pace: Pace, most: int) -> Write:
    """Write once, as soon as it is allowed."""
    await pace.made_room(most)
    allowed_at = time.monotonic()
    await pace.note()
    return Write(allowed_at, time.monotonic())


def smallest_gap_s(writes: Sequence[Write], apart: int) -> float:
    """The smallest gap between writes that are so many apart, each taken as long as it may have been.

    A busy machine can make it look longer, never shorter: what is too short here was too short.
    """
    return min(later.not_after - earlier.not_before for earlier, later in zip(writes, writes[apart:], strict=False))


async def test_no_window_holds_more_writes_than_allowed(store: SqliteStore) -> None:
    """Of twelve writes, each comes a whole window after the fourth one before it, and the first four at once.

    So it is while somebody sets the machine's clock all the time.
    """
    clock, slept = hurried(SPEED, restless=True), list[float]()

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        await clock.sleep(seconds)

    pace = opened(store, replace(clock, sleep=sleep))
    writes = [await write(pace, 4) for _ in range(4)]
    assert [] == slept
    writes += [await write(pace, 4) for _ in range(8)]
    assert smallest_gap_s(writes, 4) > REAL_WINDOW_S - CLOCK_S


@pytest.mark.parametrize("wall_off_by_s", [0.0, DAY_S, -DAY_S])
async def test_a_restart_empties_no_window(store: SqliteStore, wall_off_by_s: float) -> None:
    """With a restart after each write, wherever the wall clock is set to meanwhile, the window is as full as it was."""
    writes = []
    for number in range(9):
        clock = hurried(SPEED, wall_off_by_s=wall_off_by_s if number % 2 else 0.0)
        writes.append(await write(opened(store, clock), 3))
    assert smallest_gap_s(writes, 3) > REAL_WINDOW_S - CLOCK_S


async def test_a_smaller_limit_counts_at_once(store: SqliteStore) -> None:
    """A limit that was lowered waits until so many have left the window that there is room."""
    pace = opened(store, hurried(SPEED))
    writes = [await write(pace, 4) for _ in range(4)]
    writes.append(await write(pace, 2))
    assert smallest_gap_s(writes[2:], 2) > REAL_WINDOW_S - CLOCK_S


async def test_writes_that_are_too_old_are_forgotten(store: SqliteStore) -> None:
    """What has left the window is removed from the journal with the next write."""
    pace = opened(store, hurried(SPEED))
    for _ in range(3):
        await write(pace, 3)
    await asyncio.sleep(REAL_WINDOW_S + CLOCK_S)
    await write(pace, 3)
    await write(pace, 3)
    assert 2 == len(await store.recent_writes("r"))


@pytest.mark.parametrize(
    ("at", "uptime_s", "machine", "age"),
    [
        (1000.0, 70.0, "a", 20.0),
        (1000.0 + DAY_S, 70.0, "a", 20.0),
        (1000.0 - DAY_S, 70.0, "a", 20.0),
        (1030.0, 5.0, "b", 30.0),
        (1030.0, 70.0, "", 30.0),
        (1000.0 - DAY_S, 5.0, "b", 0.0),
    ],
)
def test_age_is_by_the_uptime_where_it_can_be(at: float, uptime_s: float, machine: str, age: float) -> None:
    """Within one start of the machine the wall clock does not matter; after another it counts, but never backwards."""
    assert age == age_s(Moment(1000.0, 50.0, "a" if machine else ""), Moment(at, uptime_s, machine))


def test_this_machine_has_an_uptime_that_every_process_shares() -> None:
    """Two clocks of this machine name the same start, and the later one is not earlier."""
    first, second = Clock().moment(), Clock().moment()
    assert first.machine == second.machine
    assert [True] == [earlier <= later for earlier, later in pairwise([first.uptime_s, second.uptime_s])]


async def test_two_names_of_one_robot_share_its_pace(store: SqliteStore) -> None:
    """Where one webhook has two names, both together write to it as often as one may, and another one is not slowed."""
    for name, robot in (("a", "one"), ("b", "two"), ("c", "other")):
        await compose(store, name, run(*(f"{name}{number}" for number in range(4)), robot=robot))
    clock = hurried(SPEED)
    one, two, other = ScriptedChannel(address="x"), ScriptedChannel(address="x"), ScriptedChannel(address="y")
    async with outbox(store, clock, per_minute=4, one=one, two=two, other=other) as (_, finished):
        await finished.until(lambda tasks: len(tasks) == 3)
    first, *_, fifth = sorted([*one.times, *two.times])[:5]
    assert fifth - first > REAL_WINDOW_S - CLOCK_S
    assert 8 == len(one.seen) + len(two.seen)
    assert max(other.times) < fifth
