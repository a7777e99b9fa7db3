"""Who waits for what happens to a task, and how they are woken."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

import structlog

from pipeline.core.lifecycle import Settled
from pipeline.core.task import Lane, Status

log = structlog.get_logger()


class Watch:
    """One waiter's view of one task. It only says when to look; what there is to see is in the store."""

    def __init__(self) -> None:
        """Begin with nothing seen."""
        self._woken = asyncio.Event()

    async def final(self, timeout_s: float) -> bool:
        """Wait until the task has come to its end.

        Returns:
            False if the time is over first. True also when the bus was closed: look once more and leave.
        """
        try:
            async with asyncio.timeout(timeout_s):
                await self._woken.wait()
        except TimeoutError:
            return False
        return True

    def wake(self) -> None:
        """End the wait."""
        self._woken.set()


class EventBus:
    """Passes on what the store has recorded, on the loop."""

    def __init__(self) -> None:
        """Begin without waiters."""
        self._watches: dict[str, set[Watch]] = {}
        self._closed = False

    def record(self, settled: Settled, lane: Lane | None = None) -> None:
        """Tell of a change that the store has: one log line, always the same fields, and a word to who waits."""
        task = settled.task
        log.info(
            "task",
            task=task.id,
            status=task.status,
            cause=settled.cause,
            stage=task.stage,
            lane=lane,
            attempt=task.attempt,
            took_s=round(task.updated_at - task.created_at, 3),
            **({"error": task.failure.type, "why": task.failure.message} if task.failure else {}),
        )
        self.publish(task.id, task.status)

    def publish(self, task_id: str, status: Status) -> None:
        """Tell who waits for this task that the store now has it in this status."""
        if status.final:
            for watch in self._watches.get(task_id, ()):
                watch.wake()

    @contextmanager
    def watch(self, task_id: str) -> Iterator[Watch]:
        """Follow a task from now on. Read the store only inside, or a change in between is missed."""
        watch = Watch()
        if self._closed:
            watch.wake()
        self._watches.setdefault(task_id, set()).add(watch)
        try:
            yield watch
        finally:
            self._forget(task_id, watch)

    def _forget(self, task_id: str, watch: Watch) -> None:
        watches = self._watches[task_id]
        watches.discard(watch)
        if not watches:
            del self._watches[task_id]

    def close(self) -> None:
        """End every wait, those of the future too."""
        self._closed = True
        for watches in self._watches.values():
            for watch in watches:
                watch.wake()
