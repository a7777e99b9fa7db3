"""Delivery under faults, restarts and dead robots, by the figures: the real outbox, store and channel on a fast clock.

What the robots' server recorded is the truth: nothing lost, nothing out of order, no run broken, no robot written to
more often than it takes.
"""

from __future__ import annotations

import asyncio
import json
import random
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import aiohttp

from pipeline.core.messages import MessageState, Run
from pipeline.ports import Channel
from pipeline.store.sqlite import SqliteStore
from stages.channels.wecom import WecomRobot
from tests.contract.examples import ROUTE, compose, run
from tests.fakes.wecom import Fault, WeCom
from tests.fakes.wecom_rules import BUSY, TOO_OFTEN
from tests.integration import delivers_until_killed
from tests.integration.delivery import most_in_a_window, outbox, states, without_repeats
from tests.integration.hurry import hurried

PER_MINUTE, WECOM_TAKES = 18, 20
Planned = dict[str, list[str]]


async def planned(store: SqliteStore, robots: list[str], tasks: int, length: int) -> Planned:
    """Compose runs of so many messages, every text another one; returns what each robot is to get, in order."""
    texts: Planned = {robot: [] for robot in robots}
    for task in range(tasks):
        runs: list[Run] = []
        for robot in robots:
            mine = [f"({number}/{length})\n{task} for {robot}" for number in range(1, length + 1)]
            texts[robot] += mine
            runs.append(run(*mine, robot=robot))
        await compose(store, str(task), *runs)
    return texts


def channels(session: aiohttp.ClientSession, wecom: WeCom, robots: list[str]) -> Mapping[str, Channel]:
    return {robot: WecomRobot(session, wecom.webhook(robot), timeout_s=5) for robot in robots}


def check_arrivals(wecom: WeCom, texts: Planned) -> int:
    """Check what each group has seen and how often its robot was written to; returns how many messages came twice."""
    repeats = 0
    for name, expected in texts.items():
        robot = wecom.robot(name)
        assert expected == without_repeats(robot.contents)
        assert 0 == robot.overlaps
        assert most_in_a_window(robot) <= WECOM_TAKES
        repeats += len(robot.contents) - len(expected)
    return repeats


# -- F6: a storm --------------------------------------------------------------------------------

STORM_SPEED = 1500.0
STORM: dict[Fault | None, float] = {
    Fault(errcode=TOO_OFTEN): 0.20,
    Fault(status=502): 0.05,
    Fault(drop_before_answer=True): 0.05,
    Fault(errcode=BUSY): 0.02,
    None: 0.68,
}


async def test_a_storm_costs_time_and_nothing_else(store: SqliteStore) -> None:
    """1,000 messages at three robots in a storm: none lost, all in order, and repeated only where no answer came."""
    robots, clock = ["a", "b", "c"], hurried(STORM_SPEED)
    texts = await planned(store, robots, tasks=42, length=8)
    async with WeCom(*robots, per_minute=WECOM_TAKES, clock=clock.uptime) as wecom:
        for seed, robot in enumerate(robots):
            chosen = random.Random(seed).choices([*STORM], [*STORM.values()], k=1000)  # noqa: S311 - repeatable
            wecom.robot(robot).script(*chosen)
        async with (
            aiohttp.ClientSession() as session,
            outbox(store, clock, PER_MINUTE, **channels(session, wecom, robots)) as (_, finished),
        ):
            await finished.until(lambda tasks: len(tasks) == 42, within_s=120)
        repeats = check_arrivals(wecom, texts)
        unanswered = sum(not arrival.answered for arrival in wecom.arrivals)
    assert 0 < repeats <= unanswered
    assert 1008 == sum(map(len, texts.values()))
    assert {MessageState.SENT} == {state for task in range(42) for state in await states(store, str(task))}


# -- F7: the rate across restarts ---------------------------------------------------------------

RESTART_SPEED = 12.0
"""Sixty seconds are five, long enough for several restarts."""
KILLS = 8


async def test_the_rate_holds_across_kills(tmp_path: Path) -> None:
    """However often the daemon is killed within a minute, no robot is written to more than 20 times in any minute."""
    path, rng = tmp_path / "tasks.db", random.Random(7)  # noqa: S311 - repeatable
    store = SqliteStore(path, ROUTE, "boot 0")
    await store.open()
    texts = await planned(store, ["a", "b"], tasks=9, length=6)
    await store.close()
    async with WeCom("a", "b", per_minute=WECOM_TAKES, clock=hurried(RESTART_SPEED).uptime) as wecom:
        webhooks = {robot: wecom.webhook(robot) for robot in texts}
        arguments = json.dumps([webhooks, PER_MINUTE, RESTART_SPEED, 9])
        for _ in range(KILLS):
            process = await started(path, arguments)
            after = len(wecom.arrivals) + rng.randrange(1, 9)
            await wecom.until(lambda arrivals, after=after: len(arrivals) >= after, 30)
            process.kill()
            await process.wait()
        process = await started(path, arguments)
        assert 0 == await asyncio.wait_for(process.wait(), 60)
        repeats = check_arrivals(wecom, texts)
    assert repeats <= KILLS * len(texts)


async def started(path: Path, arguments: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", delivers_until_killed.__name__, str(path), arguments, stdout=subprocess.DEVNULL
    )


# -- F8: a dead robot ---------------------------------------------------------------------------

BESIDE_SPEED = 30.0
SLOWER_AT_MOST = 1.02
"""How much of a difference two runs on this machine make by themselves."""


async def test_a_dead_robot_delays_no_other_and_loses_nothing(tmp_path: Path) -> None:
    """Live robots are as quick beside a dead one as without it; repaired, it gets all that was kept, in order."""
    alone, beside = await asyncio.gather(
        deliver_beside(tmp_path / "alone.db", dead=[]), deliver_beside(tmp_path / "beside.db", dead=["dead"])
    )
    assert beside <= alone * SLOWER_AT_MOST


async def deliver_beside(path: Path, *, dead: list[str]) -> float:
    """Deliver to two live robots and to dead ones, which are then repaired; returns how long the live ones took."""
    store, clock, live = SqliteStore(path, ROUTE, "boot"), hurried(BESIDE_SPEED), ["x", "y"]
    await store.open()
    texts = await planned(store, [*dead, *live], tasks=8, length=5)
    async with (
        WeCom(*live, per_minute=WECOM_TAKES, clock=clock.uptime) as wecom,
        aiohttp.ClientSession() as session,
        outbox(store, clock, PER_MINUTE, **channels(session, wecom, [*dead, *live])) as (made, finished),
    ):
        began = clock.uptime()
        tasks = await finished.until(lambda tasks: len(tasks) == 8, within_s=30)
        took_s = max(arrival.at for robot in live for arrival in wecom.robot(robot).arrivals) - began
        assert {bool(dead)} == set(tasks.values())
        for robot in dead:
            assert 1 == len(wecom.robot(robot).arrivals)
            wecom.keys.add(robot)
            made.resume(robot)
            await wecom.until(lambda _, robot=robot: len(wecom.robot(robot).accepted) == len(texts[robot]), 30)
        assert 0 == check_arrivals(wecom, texts)
    await store.close()
    return took_s
