"""The TEXT lane: one thread, one video at a time, in the order in which transcripts became ready."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from pipeline.bridge import Bridge, Lane as ThreadLane
from pipeline.core.lifecycle import Outcome
from pipeline.core.task import Lane
from pipeline.executor import Executor, WorkUnit
from pipeline.service import Watch
from pipeline.task_store import TaskStore

LOOK_EVERY_S = 2.0
"""Upper bound: every finished transcript also wakes the lane."""


class TextLane:
    """Keeps the lane's bounded queue filled from the store; what does not fit waits there."""

    def __init__(
        self,
        bridge: Bridge,
        store: TaskStore,
        executor: Executor,
        watch: Watch,
        size: int,
        on_outcome: Callable[[Outcome], None],
    ) -> None:
        """Make the lane of at most ``size`` waiting videos; ``on_outcome`` is called on the loop."""
        self._bridge = bridge
        self._store = store
        self._executor = executor
        self._watch = watch
        self._size = size
        self._on_outcome = on_outcome
        self._news = asyncio.Event()
        self._lane: ThreadLane[WorkUnit, Outcome] | None = None

    def wake(self) -> None:
        """Say that a transcript may be ready."""
        self._news.set()

    async def start(self) -> None:
        """Start the thread and the loop that feeds it."""
        self._lane = self._bridge.lane("text", self._size, self._executor.run, self._done)
        self._watch.start("text-lane", self._feed_on(self._lane))

    async def stop(self) -> None:
        """Feed nothing more; the video in hand ends by the stop signal."""
        await self._watch.stop("text-lane")
        if self._lane is not None:
            self._lane.stop()

    def _done(self, outcome: Outcome) -> None:
        self._on_outcome(outcome)
        self._news.set()

    async def _feed_on(self, lane: ThreadLane[WorkUnit, Outcome]) -> None:
        while True:
            while lane.has_room:
                settled = await self._store.claim(Lane.TEXT, time.time())
                if settled is None:
                    break
                lane.offer(WorkUnit(settled.task, Lane.TEXT))
            await self._next_news()

    async def _next_news(self) -> None:
        try:
            async with asyncio.timeout(LOOK_EVERY_S):
                await self._news.wait()
        except TimeoutError:
            return
        self._news.clear()
