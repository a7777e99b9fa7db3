"""The latest reading of every running task, written to the store once a second."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress

from pipeline.core.lifecycle import Step
from pipeline.core.progress import Progress, Reading, measure
from pipeline.failures import DiskFull
from pipeline.refusals import DbBusy
from pipeline.service import Watch
from pipeline.task_store import TaskStore

WRITE_EVERY_S = 1.0


class ProgressBoard:
    """Takes readings as they come and keeps only the newest of each task until the next write."""

    def __init__(self, store: TaskStore, route: Sequence[Step], watch: Watch) -> None:
        """Begin empty."""
        self._store = store
        self._route = route
        self._watch = watch
        self._latest: dict[str, Progress] = {}
        self._news = asyncio.Event()

    def note(self, task_id: str, reading: Reading) -> None:
        """Take a reading; call it on the loop."""
        self._latest[task_id] = measure(reading, self._route)
        self._news.set()

    async def start(self) -> None:
        """Begin writing."""
        self._watch.start("progress", self._write_on())

    async def stop(self) -> None:
        """Write what is left and end."""
        await self._watch.stop("progress")
        await self._write()

    async def _write_on(self) -> None:
        while True:
            await self._news.wait()
            self._news.clear()
            await self._write()
            await asyncio.sleep(WRITE_EVERY_S)

    async def _write(self) -> None:
        latest, self._latest = self._latest, {}
        if latest:
            with suppress(DbBusy, DiskFull):  # the next reading is worth more than an old one
                await self._store.note_progress(latest, time.time())
