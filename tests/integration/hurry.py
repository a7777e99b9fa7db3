"""A clock that runs faster than the machine's, so that minutes of delivery are seconds of a test."""

from __future__ import annotations

import asyncio
import time

from pipeline.pace import Clock

EPOCH = 1_800_000_000.0


def hurried(speed: float, *, wall_off_by_s: float = 0.0, machine: str = "this start") -> Clock:
    """Make a clock on which so many seconds pass in one; it is the same one for every process of this machine.

    Args:
        speed: how much faster.
        wall_off_by_s: how far the wall clock was set from what it should be; the uptime knows nothing of it.
        machine: the start of the machine that the uptime counts from.
    """

    def uptime() -> float:
        return time.monotonic() * speed

    async def sleep(seconds: float) -> None:
        await asyncio.sleep(seconds / speed)

    return Clock(lambda: EPOCH + wall_off_by_s + uptime(), uptime, sleep, machine)
