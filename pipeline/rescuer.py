"""What a dead daemon left behind goes back into its lane, before its first missing product."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path

from pipeline.core.lifecycle import Step, rescue
from pipeline.core.notices import failure_runs
from pipeline.core.products import Artifacts
from pipeline.core.task import Status, Task
from pipeline.events import EventBus
from pipeline.house import House


class Rescuer:
    """Runs once at start, before anything is handed out."""

    def __init__(self, house: House, route: Sequence[Step], bus: EventBus) -> None:
        """Take the store and the place where work folders lie."""
        self._house = house
        self._route = tuple(route)
        self._bus = bus

    async def start(self) -> None:
        """Give every task that an earlier boot had in hand back to its lane, and sweep what nobody needs."""
        await self._sweep()
        for task in await self._house.store.orphans():
            if task.status.final:
                await self._house.store.release(task.id)
            else:
                await self._rescue(task)

    async def stop(self) -> None:
        """Nothing runs on."""

    async def _rescue(self, task: Task) -> None:
        settled = rescue(task, self._route, time.time())
        runs = failure_runs(settled.task, self._house.settings.wechat.language)
        await self._house.store.save(settled, expected=Status.PROCESSING, runs=runs)
        if settled.task.status.final:
            await asyncio.to_thread(self._house.clear_work, task.id, task.artifacts)
        self._bus.record(settled)

    async def _sweep(self) -> None:
        """Clear the work folders of tasks that have ended or have their transcript, and of those that are no tasks."""
        for folder in await asyncio.to_thread(_folders, self._house.work_folder("x").parent):
            task = await self._house.store.get(folder.name)
            if task is None or task.status.final or task.artifacts.transcript is not None:
                known = task.artifacts if task else Artifacts()
                await asyncio.to_thread(self._house.clear_work, folder.name, known)


def _folders(parent: Path) -> list[Path]:
    return [entry for entry in parent.iterdir() if entry.is_dir()] if parent.is_dir() else []
