"""The pace of a robot's lane, in windows short enough to wait for."""

from __future__ import annotations

import time

from pipeline.outbox import Pace

WINDOW_S = 0.25
CLOCK_S = 0.01
"""How far apart a send and our look at the clock may lie."""


async def test_no_window_holds_more_sends_than_allowed() -> None:
    """Of twelve sends, each comes a whole window after the fourth one before it, and the first four at once."""
    pace = Pace(4, (), WINDOW_S)
    sends = [time.monotonic()]
    for _ in range(12):
        await pace.wait()
        sends.append(time.monotonic())
    began, *sends = sends
    assert sends[3] - began < WINDOW_S
    assert min(later - earlier for earlier, later in zip(sends, sends[4:], strict=False)) > WINDOW_S - CLOCK_S


async def test_sends_that_are_too_old_to_count_cost_nothing() -> None:
    """Sends of more than a window ago leave all of the window free."""
    pace = Pace(2, (9.0, 8.0, WINDOW_S), WINDOW_S)
    began = time.monotonic()
    await pace.wait()
    await pace.wait()
    assert time.monotonic() - began < WINDOW_S
