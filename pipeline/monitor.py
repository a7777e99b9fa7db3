"""Watches the load: adapts the number of FETCH slots to it, and writes it into the log from time to time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import structlog

from pipeline.config import Live
from pipeline.core.fetch_slots import Load, Strain, adjust, strain_of
from pipeline.host import HostReading, read_host
from pipeline.service import Watch
from pipeline.task_store import TaskStore

LOOK_EVERY_S = 5.0
"""Between two looks at the load; what a slot more or less changes shows no sooner."""

log = structlog.get_logger()


class Monitor:
    """Knows how many FETCH slots there are now, and why; begins with all of them."""

    def __init__(
        self,
        store: TaskStore,
        live: Live,
        device_slots: int,
        watch: Watch,
        on_change: Callable[[int], None],
        look_every_s: float = LOOK_EVERY_S,
    ) -> None:
        """Take what is looked at; ``on_change`` is told the number of FETCH slots when it changes."""
        self._store = store
        self._live = live
        self._watch = watch
        self._on_change = on_change
        self._look_every_s = look_every_s
        self.device_slots = device_slots
        """Transcriptions that all devices together run side by side."""
        self.most_fetch_slots = live.settings.concurrent.max_workers
        self.fetch_slots = self.most_fetch_slots
        """Videos that may be fetched side by side now."""
        self.strain: Strain | None = None
        """What the machine is short of."""
        self.started_at = time.time()

    async def start(self) -> None:
        """Begin to look and to record."""
        self._watch.start("load", self._look_on())
        self._watch.start("performance", self._record_on())

    async def stop(self) -> None:
        """End both."""
        await self._watch.stop("load", "performance")

    async def host(self) -> HostReading:
        """Look at the machine. A disk may be slow to answer, so not on the loop."""
        return await asyncio.to_thread(read_host, self._live.settings.storage.dir)

    async def _look_on(self) -> None:
        while True:
            await self._look()
            await asyncio.sleep(self._look_every_s)

    async def _look(self) -> None:
        host, prepared = await self.host(), await self._store.prepared()
        floor_gb = self._live.settings.storage.min_free_gb
        strain = strain_of(Load(host.disk_free_gb, floor_gb, host.memory_free_mb, prepared, self.device_slots))
        before, self.fetch_slots = self.fetch_slots, adjust(self.fetch_slots, self.most_fetch_slots, strain)
        if strain != self.strain or before != self.fetch_slots:
            log.info("fetch slots", now=self.fetch_slots, at_most=self.most_fetch_slots, strain=strain)
        self.strain = strain
        if self.fetch_slots != before:
            self._on_change(self.fetch_slots)

    async def _record_on(self) -> None:
        while True:
            await asyncio.sleep(self._live.settings.scheduler.performance_monitor_interval_s)
            await self._record()

    async def _record(self) -> None:
        host, figures = await self.host(), await self._store.figures()
        log.info(
            "performance",
            waiting={lane: counts.waiting for lane, counts in figures.lanes.items()},
            running={lane: counts.running for lane, counts in figures.lanes.items()},
            oldest_s=None if figures.oldest_at is None else round(time.time() - figures.oldest_at),
            fetch_slots=self.fetch_slots,
            strain=self.strain,
            load_1m=round(host.load_1m, 2),
            memory_free_mb=host.memory_free_mb,
            disk_free_gb=round(host.disk_free_gb, 1),
            rss_mb=host.rss_mb and round(host.rss_mb),
        )
