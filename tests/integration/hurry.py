"""A clock that runs faster than the machine's, so that minutes of delivery are seconds of a test."""

from __future__ import annotations

import asyncio
import itertools
import time

from pipeline.clock import Clock

EPOCH = 1_800_000_000.0
DAY_S = 86_400.0


def hurried(speed: float, *, wall_off_by_s: float = 0.0, restless: bool = False, machine: str = "this start") -> Clock:
    """Make a clock on which so many seconds pass in one; it is the same one for every process of this machine.

    Args:
        speed: how much faster.
        wall_off_by_s: how far the wall clock was set from what it should be; the uptime knows nothing of it.
        restless: whether the wall clock is set a day forward or back whenever somebody has read it.
        machine: the start of the machine that the uptime counts from.
    """

    def uptime() -> float:
        return time.monotonic() * speed

    async def sleep(seconds: float) -> None:
        await asyncio.sleep(seconds / speed)

    days = itertools.cycle((0.0, DAY_S, 0.0, -DAY_S) if restless else (0.0,))
    return Clock(lambda: EPOCH + wall_off_by_s + next(days) + uptime(), uptime, sleep, machine)
