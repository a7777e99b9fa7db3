"""What a change does that cannot be stored at the moment: wait for another program, and for the disk, or say so."""

from __future__ import annotations

import asyncio
import time
from typing import TypeVar

import structlog

from pipeline.errors import Interrupted
from pipeline.failures import DiskFull
from pipeline.refusals import DbBusy
from pipeline.store._ballast import Ballast
from pipeline.store._unit import UnitsOfWork, Work

T = TypeVar("T")

BUSY_S = 5.0
"""So long a request waits for another program that holds the database."""
BUSY_PAUSE_S = 0.05
FULL_PAUSE_S = 1.0

log = structlog.get_logger()


class Changes:
    """Brings units of work into the store, each with the patience that whoever asks for it has.

    The waiting is done here and not by SQLite, whose thread stays free for those who only read.
    """

    def __init__(self, units: UnitsOfWork, ballast: Ballast) -> None:
        """Begin with nothing that waits."""
        self._units = units
        self._ballast = ballast
        self._ending = asyncio.Event()
        self._waiting = {"db_busy": 0, "disk_full": 0}
        """How many changes wait, by what for."""

    @property
    def wait_for_disk(self) -> bool:
        """Whether anything waits for room on the disk."""
        return self._waiting["disk_full"] > 0

    async def begin(self, work: Work[T]) -> T:
        """Store new work, or say within seconds why not; what is under way needs the last of the disk more.

        Raises:
            DbBusy: another program holds the database.
            DiskFull: there is no room for new work.
        """
        if self._ballast.is_needed():
            raise DiskFull("what is left is for what is under way")
        return await self._store_soon(work)

    async def end(self, work: Work[T]) -> T:
        """Store that something comes to an end, if need be in the room of the ballast, or say within seconds why not.

        Raises:
            DbBusy: another program holds the database.
            DiskFull: there is no room for anything.
        """
        try:
            return await self._store_soon(work)
        except DiskFull:
            if not await self._give_ballast_up():
                raise
            return await self._store_soon(work)

    async def carry_on(self, work: Work[T]) -> T:
        """Store what became of work that is under way, however long that takes.

        Raises:
            Interrupted: the daemon is about to end.
        """
        hindrance: str | None = None
        try:
            while True:
                try:
                    return await self._store_soon(work)
                except DbBusy as error:
                    hindrance = self._note(hindrance, error)
                except DiskFull as error:
                    if await self._give_ballast_up():
                        continue
                    hindrance = self._note(hindrance, error)
                    await self._pause(FULL_PAUSE_S)
        finally:
            self._note(hindrance, None)

    def wait_no_longer(self) -> None:
        """Have whatever waits end with ``Interrupted``, now and from now on: the daemon is about to end."""
        self._ending.set()

    async def _store_soon(self, work: Work[T]) -> T:
        """Wait for other programs, but not long."""
        began = time.monotonic()
        while True:
            try:
                return await self._units.write(work)
            except DbBusy:
                if time.monotonic() - began >= BUSY_S:
                    raise
                await self._pause(BUSY_PAUSE_S)

    async def _pause(self, pause_s: float) -> None:
        try:
            await asyncio.wait_for(self._ending.wait(), pause_s)
        except TimeoutError:
            return
        raise Interrupted("the store cannot take it now")

    async def _give_ballast_up(self) -> bool:
        given_up = await asyncio.to_thread(self._ballast.give_up)
        if given_up:
            log.error("the disk is full; the ballast is given up for what is under way")
        return given_up

    def _note(self, before: str | None, error: DbBusy | DiskFull | None) -> str | None:
        """Count what one change waits for; the first and the last of a kind are worth a line in the log."""
        now = error.type if error else None
        if now == before:
            return now
        if before:
            self._waiting[before] -= 1
            if not self._waiting[before]:
                log.warning("changes can be stored again", after=before)
        if error:
            if not self._waiting[error.type]:
                log.error("changes wait until they can be stored", type=error.type, why=error.detail)
            self._waiting[error.type] += 1
        return now
