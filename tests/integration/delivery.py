"""An outbox on a real store, and what takes the place of the dispatcher beside it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

from pipeline.config import Live, Settings
from pipeline.core.messages import MessageState
from pipeline.outbox import Outbox
from pipeline.pace import Clock
from pipeline.ports import Channel
from pipeline.service import Watch
from pipeline.store.sqlite import SqliteStore
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

    async def until(self, enough: Callable[[dict[str, bool]], bool]) -> dict[str, bool]:
        async with asyncio.timeout(WITHIN_S), self.changed:
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
