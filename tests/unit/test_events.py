"""Waiting for a task to come to its end."""

from __future__ import annotations

import asyncio

from pipeline.core.task import FINAL, Status
from pipeline.events import EventBus

LONG_S = 10.0


async def test_end_of_the_task_ends_the_wait() -> None:
    """A wait ends when the task reaches any final status."""
    for status in FINAL:
        bus = EventBus()
        with bus.watch("a") as watch:
            waiting = asyncio.create_task(watch.final(LONG_S))
            bus.publish("a", status)
            assert await waiting is True


async def test_other_news_end_no_wait() -> None:
    """A wait goes on through changes that are not final, and through the end of other tasks."""
    bus = EventBus()
    with bus.watch("a") as watch:
        bus.publish("a", Status.PROCESSING)
        bus.publish("a", Status.RETRYING)
        bus.publish("b", Status.COMPLETED)
        assert await watch.final(0.01) is False


async def test_end_before_the_wait_is_not_missed() -> None:
    """A task that ends between the watch and the wait ends the wait at once."""
    bus = EventBus()
    with bus.watch("a") as watch:
        bus.publish("a", Status.FAILED)
        assert await watch.final(LONG_S) is True


async def test_every_waiter_is_woken() -> None:
    """All who wait for one task are woken; one who leaves early takes nobody along."""
    bus = EventBus()
    with bus.watch("a") as first, bus.watch("a") as second:
        with bus.watch("a"):
            pass
        bus.publish("a", Status.COMPLETED)
        assert [True, True] == await asyncio.gather(first.final(LONG_S), second.final(LONG_S))


async def test_closing_ends_all_waits() -> None:
    """Closing the bus ends the waits that are there and those that come."""
    bus = EventBus()
    with bus.watch("a") as watch:
        waiting = asyncio.create_task(watch.final(LONG_S))
        bus.close()
        assert await waiting is True
    with bus.watch("b") as later:
        assert await later.final(LONG_S) is True
