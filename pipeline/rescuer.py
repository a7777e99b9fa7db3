"""What a dead daemon left behind goes back into its lane, before its first missing product."""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import Sequence
from pathlib import Path

import structlog

from pipeline.core.lifecycle import Step, rescue
from pipeline.core.task import Status
from pipeline.executor import House

log = structlog.get_logger()


class Rescuer:
    """Runs once at start, before anything is handed out."""

    def __init__(self, house: House, route: Sequence[Step]) -> None:
        """Take the store and the place where work folders lie."""
        self._house = house
        self._route = tuple(route)

    async def start(self) -> None:
        """Give every task that an earlier boot had in hand back to its lane, and sweep what nobody needs."""
        await self._sweep()
        for task in await self._house.store.orphans():
            if task.status.final:
                await self._house.store.release(task.id)
                continue
            gone = self._house.products_gone(task)
            if gone:
                await self._house.store.drop(task.id, gone)
            current = await self._house.store.get(task.id)
            if current is None:
                continue
            settled = rescue(current, self._route, time.time())
            await self._house.store.save(settled, expected=Status.PROCESSING)
            log.warning("rescued", task=task.id, stage=settled.task.stage, gone=gone)

    async def stop(self) -> None:
        """Nothing runs on."""

    async def _sweep(self) -> None:
        """Remove the work folders of tasks that have ended or have their transcript, and those that have no task."""
        keep_media = self._house.settings.storage.keep_media
        folders = await asyncio.to_thread(_folders, self._house.work_folder("x").parent)
        for folder in folders:
            task = await self._house.store.get(folder.name)
            done = task is not None and (task.status.final or task.artifacts.transcript is not None)
            if task is None or (done and not keep_media):
                await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)


def _folders(parent: Path) -> list[Path]:
    return [entry for entry in parent.iterdir() if entry.is_dir()] if parent.is_dir() else []
