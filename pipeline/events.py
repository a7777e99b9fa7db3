"""Who waits for what happens to a task, and how they are woken."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

import structlog

from pipeline.core.lifecycle import Settled
from pipeline.core.task import Lane, Status

log = structlog.get_logger()


class Onlooker:
    """Someone who waits for one task, and is only told when to look; what there is to see is in the store."""

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
        self._onlookers: dict[str, set[Onlooker]] = {}
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
            for onlooker in self._onlookers.get(task_id, ()):
                onlooker.wake()

    @contextmanager
    def watch(self, task_id: str) -> Iterator[Onlooker]:
        """Follow a task from now on. Read the store only inside, or a change in between is missed."""
        onlooker = Onlooker()
        if self._closed:
            onlooker.wake()
        self._onlookers.setdefault(task_id, set()).add(onlooker)
        try:
            yield onlooker
        finally:
            self._forget(task_id, onlooker)

    def _forget(self, task_id: str, onlooker: Onlooker) -> None:
        onlookers = self._onlookers[task_id]
        onlookers.discard(onlooker)
        if not onlookers:
            del self._onlookers[task_id]

    def close(self) -> None:
        """End every wait, those of the future too."""
        self._closed = True
        for onlookers in self._onlookers.values():
            for onlooker in onlookers:
                onlooker.wake()
