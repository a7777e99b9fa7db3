"""What models take on the devices of this machine: as they are built, until it is known better."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import replace

import structlog

from pipeline.config import TranscribeSettings
from pipeline.core.device import Device
from pipeline.core.memory import MOST_PEAKS, Build, ModelOnDevice, Peak, compute_types
from pipeline.core.placement import Need
from pipeline.engine.build import read_build
from pipeline.engine.device_host import Shelf
from pipeline.host import cores
from pipeline.task_store import TaskStore

BATCH_ON_CPU, BATCH_ON_GPU = 4, 16
"""Chunks decoded together. On a CPU four already give all that batching gives; more only cost memory."""
_UNKNOWN = Build(0, 0, 0, 0)
"""Of a model whose file cannot be read: it needs nothing, and the engine finds out what is wrong with it."""

log = structlog.get_logger()


class MemoryBook:
    """Keeps what was measured, and which models a device was too small for."""

    def __init__(self, shelf: Shelf, store: TaskStore, wanted: TranscribeSettings) -> None:
        """Begin with what files say; ``wanted`` are batch size and compute type."""
        self._shelf = shelf
        self._store = store
        self._wanted = wanted
        self._builds: dict[str, Build] = {}
        self._peaks: dict[ModelOnDevice, tuple[Peak, ...]] = {}
        self._unkept: list[tuple[ModelOnDevice, Peak]] = []
        self._lowered: defaultdict[tuple[str, str], int] = defaultdict(int)
        """How many compute types a model can no more be run with on a device."""

    async def open(self) -> None:
        """Read what was measured before."""
        self._peaks = dict(await self._store.peaks())

    async def look_up(self, models: Collection[str]) -> None:
        """See how models are built whose weights are here."""
        for model in models - self._builds.keys():
            folder = self._shelf.folder(model)
            if folder is not None:
                build = await asyncio.to_thread(read_build, folder)
                self._builds[model] = _UNKNOWN if build is None else build

    def needs(self, device: Device, model: str) -> Sequence[Need]:
        """The ways for a model to run on a device, best first; on a CPU smaller numbers are no way out."""
        types = self._compute_types(device)[self._lowered[device.id, model] :]
        return [self._need(device, model, types[way:]) for way in range(1 if device.is_cpu else len(types))]

    def _need(self, device: Device, model: str, types: tuple[str, ...]) -> Need:
        usual, workers = (BATCH_ON_CPU, cores()) if device.is_cpu else (BATCH_ON_GPU, 1)
        batch = usual if self._wanted.batch_size == "auto" else self._wanted.batch_size
        start = self._builds[model].footprint(types[0])
        start = replace(start, item_mb=workers * start.item_mb)  # every worker has a batch of its own
        peaks = self._peaks.get(ModelOnDevice(device.name, model, types[0]), ())
        return Need(types, start.learned(peaks), batch)

    def _compute_types(self, device: Device) -> tuple[str, ...]:
        return compute_types(self._wanted.compute_type, device.id)

    def learn(self, where: ModelOnDevice, peaks: Sequence[Peak]) -> None:
        """Take what was measured; it counts from now on, and is to be kept."""
        self._peaks[where] = (*self._peaks.get(where, ()), *peaks)[-MOST_PEAKS:]
        self._unkept += [(where, peak) for peak in peaks]

    async def keep(self) -> None:
        """Store what was learned.

        Raises:
            DiskFull: there is no room for it, now.
            DbBusy: another program holds the database.
        """
        while self._unkept:
            await self._store.note_peak(*self._unkept[0], time.time())
            del self._unkept[0]

    def lower(self, device: Device, model: str, tried: Sequence[str]) -> None:
        """Run a model with smaller numbers from now on, because the device was too small for what was ``tried``."""
        ladder = self._compute_types(device)
        following = ladder.index(tried[0]) + 1
        if not device.is_cpu and following < len(ladder):
            self._lowered[device.id, model] = following
        then = ladder[self._lowered[device.id, model]]
        log.error("a device ran out of memory", device=device.id, model=model, tried=tried[0], then=then)
