"""An outbox on a real store, and what takes the place of the dispatcher beside it."""

from __future__ import annotations

import asyncio
from bisect import bisect_left
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from itertools import groupby

from pipeline.clock import Clock
from pipeline.config import Live, Settings
from pipeline.core.messages import MessageState
from pipeline.outbox import Outbox
from pipeline.pace import WINDOW_S
from pipeline.ports import Channel
from pipeline.service import Watch
from pipeline.store.sqlite import SqliteStore
from tests.fakes.wecom import Robot
from tests.integration.scripted_channel import WITHIN_S


class Finished:
    """Takes the place of the dispatcher: remembers which tasks have come to rest."""

    def __init__(self, store: SqliteStore) -> None:
        self._store = store
        self.tasks: dict[str, bool] = {}
        self.changed = asyncio.Condition()

    async def __call__(self, paused: Sequence[str]) -> None:
        async with self.changed:
            self.tasks.update({task.id: rest.held for task, rest in await self._store.delivered(paused)})
            self.changed.notify_all()

    async def until(self, enough: Callable[[dict[str, bool]], bool], within_s: float = WITHIN_S) -> dict[str, bool]:
        async with asyncio.timeout(within_s), self.changed:
            await self.changed.wait_for(lambda: enough(self.tasks))
        return self.tasks


@asynccontextmanager
async def outbox(
    store: SqliteStore, clock: Clock | None = None, per_minute: int = 1000, **channels: Channel
) -> AsyncIterator[tuple[Outbox, Finished]]:
    finished = Finished(store)
    live = Live(Settings.model_validate({"wechat": {"per_minute": per_minute, "language": "en"}}))
    made = Outbox(store, dict(channels), live, Watch(), finished, clock)
    await made.start()
    try:
        yield made, finished
    finally:
        await made.stop()


async def states(store: SqliteStore, task_id: str) -> list[MessageState]:
    return [row.state for row in await store.messages(task_id)]


# ---------------------------------------------------------------------------------------------
# What arrived, judged from the outside
# ---------------------------------------------------------------------------------------------


def without_repeats(texts: Sequence[str]) -> list[str]:
    """Texts with each that comes several times in a row taken once."""
    return [text for text, _ in groupby(texts)]


def most_in_a_window(robot: Robot) -> int:
    """The most requests that came to a robot within any sixty seconds, answered or not, taken or not."""
    times = [arrival.at for arrival in robot.arrivals]
    return max(bisect_left(times, first + WINDOW_S) - place for place, first in enumerate(times))
