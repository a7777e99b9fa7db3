"""Every device: how it stands with it, what is promised of it, and whether it serves.

The scheduler's memory. What is decided is decided by ``core.placement``; this gathers what it decides by, and keeps
what was promised until the task ends, whatever a reading says. All methods run on the loop.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Protocol

import structlog

from pipeline.core.device import Device, Reading
from pipeline.core.memory import ModelOnDevice
from pipeline.core.placement import Candidate, Need, Placement, Plan, Promise, Rules, Site, Why
from pipeline.core.planner import passed_over_since, plan
from pipeline.core.service_record import ServiceRecord
from pipeline.core.task import Task
from pipeline.engine.device_host import Shelf
from pipeline.engine.memory_book import MemoryBook
from pipeline.engine.news import Died, News, Process, RanOut, Served
from pipeline.failures import DiskFull
from pipeline.house import House
from pipeline.ports import DeviceProbe
from pipeline.refusals import DbBusy
from pipeline.service import Watch
from pipeline.task_store import Waiter

SILENT_AFTER_S = 30.0
"""A driver that has not answered for so long is hung."""
REASONS_LAST_S = 2.0
"""While no slot is free, nobody can start: then it is only decided to say why."""
MIB_PER_GB = 1024

log = structlog.get_logger()


class Engine(Protocol):
    """What holds the devices' processes."""

    def process(self, device: str) -> Process | None: ...
    def unload_if_idle(self, device: str, model: str, on_done: Callable[[], None]) -> None: ...


@dataclass(frozen=True, slots=True)
class Outage:
    """Why a device is out of service."""

    why: str
    why_zh: str


@dataclass(slots=True)
class _Post:
    """One device, and what goes on there."""

    device: Device
    reading: Reading
    record: ServiceRecord = field(default_factory=ServiceRecord)
    running: dict[str, tuple[Placement, str]] = field(default_factory=dict)
    """By task: what is reserved for it until it ends, and whose it is."""
    promised: dict[str, Promise] = field(default_factory=dict)
    """To every model that is loaded or about to be."""
    batch: int | None = None
    others_mb: int = 0
    outage: Outage | None = None
    """As it was last looked at."""
    unload: dict[str, asyncio.TimerHandle] = field(default_factory=dict)
    """When a model that has nothing to do leaves memory."""

    @property
    def taken(self) -> int:
        return sum(place.slots for place, _ in self.running.values())

    @property
    def at_work(self) -> frozenset[str]:
        return frozenset(place.model for place, _ in self.running.values())


@dataclass(frozen=True, slots=True)
class DeviceView:
    """How it stands with a device, to be shown."""

    device: Device
    reading: Reading
    reserved_mb: int
    """Promised to models that are loaded or about to be."""
    models: Mapping[str, int]
    """Those models, with the MiB promised to each."""
    batch: int | None
    running: int
    tasks: tuple[str, ...]
    """Those of one owner."""
    outage: Outage | None


class Fleet:
    """Knows every device; asks the scheduler's pure part who goes where."""

    def __init__(
        self,
        devices: Sequence[Device],
        engine: Engine,
        shelf: Shelf,
        probe: DeviceProbe,
        house: House,
        watch: Watch,
        on_change: Callable[[], None],
    ) -> None:
        """Begin with idle devices that nobody has looked at; ``on_change`` is called when there may be room again."""
        self._posts = {device.id: _Post(device, Reading(device.id)) for device in devices}
        self._engine = engine
        self._probe = probe
        self._store = house.store
        self._bridge = house.bridge
        self._watch = watch
        self._on_change = on_change
        self._thread = house.bridge.pool("devices", 1)
        scheduler, transcribe = house.settings.scheduler, house.settings.transcribe
        self._book = MemoryBook(shelf, house.store, transcribe)
        self._idle_unload_s = transcribe.idle_unload_s
        self._interval_s = scheduler.gpu_monitor_interval_s
        self._rules = Rules(
            scheduler.min_batch_size,
            scheduler.max_batch_size,
            scheduler.batch_timeout_s,
            scheduler.memory_safety_margin,
            round(MIB_PER_GB * scheduler.min_free_gb),
        )
        self._waits_since: dict[str, float] = {}
        self._asked_at: float | None = None
        self._decided_at = 0.0
        self._stopped = False
        self.slots = sum(device.slots for device in devices)
        """Transcriptions that all devices together run side by side."""
        self.waiting: Mapping[str, Why] = {}
        """Why the first task of each model that waits does not start, as it was last decided."""
        self.passed_over_since: dict[str, float] = {}
        """The models that wait for want of memory, and since when."""
        self.decide_again_s: float | None = None
        """When a task has waited for company long enough."""

    async def start(self) -> None:
        """Look at every device once, then again and again."""
        await self._store.note_devices([post.device for post in self._posts.values()], time.time())
        await self._book.open()
        await self._look()
        self._watch.start("devices", self._look_on())

    async def stop(self) -> None:
        """Look no more, and end no process for want of work."""
        self._stopped = True
        for post in self._posts.values():
            for unload in post.unload.values():
                unload.cancel()
        await self._watch.stop("devices")

    # -- deciding -----------------------------------------------------------------------------

    @property
    def is_undecided(self) -> bool:
        """Whether it is worth deciding: a slot is free, or the reasons why tasks wait are old."""
        is_free = any(post.taken < post.device.slots for post in self._posts.values())
        return is_free or time.monotonic() - self._decided_at >= REASONS_LAST_S

    @property
    def most_wanted(self) -> int:
        """How many waiting tasks of a model it may take to decide."""
        return max(sum(post.device.slots - post.taken for post in self._posts.values()), self._rules.min_batch)

    async def decide(self, waiting: Sequence[Waiter]) -> tuple[Placement, ...]:
        """Say who starts where; whoever does start is then to be reserved for.

        Args:
            waiting: of every model whose weights are here, the first ``most_wanted`` tasks that wait for a device.
        """
        await self._book.look_up({waiter.model for waiter in waiting})
        self._decided_at = now = time.monotonic()
        self._waits_since = {waiter.task_id: self._waits_since.get(waiter.task_id, now) for waiter in waiting}
        candidates = [
            Candidate(
                waiter.task_id,
                waiter.model,
                waiter.priority,
                now - self._waits_since[waiter.task_id],
                now - self.passed_over_since.get(waiter.model, now),
                waiter.is_suspect,
            )
            for waiter in waiting
        ]
        self._review()
        decided = plan(candidates, [self._site(post) for post in self._serving()], self._needs, self._rules)
        self._note_waiting(decided, candidates, now)
        return decided.placements

    def _note_waiting(self, decided: Plan, candidates: Sequence[Candidate], now: float) -> None:
        waiting = decided.waiting
        for model, why in waiting.items():
            is_news = why != self.waiting.get(model) and model not in self.passed_over_since
            if is_news and why not in (Why.SLOTS, Why.BATCH):
                log.warning("tasks wait for a device", model=model, why=why)
        self.waiting = waiting
        self.passed_over_since = passed_over_since(self.passed_over_since, decided, now)
        company = [each.waited_s for each in candidates if waiting.get(each.model) in (Why.BATCH, Why.SLOTS)]
        left = [self._rules.batch_timeout_s - waited_s for waited_s in company]
        self.decide_again_s = min((left_s for left_s in left if left_s > 0), default=None)

    def _serving(self) -> list[_Post]:
        return [post for post in self._posts.values() if post.outage is None]

    def _site(self, post: _Post) -> Site:
        process = self._engine.process(post.device.id)
        here = post.at_work | (process.models if process else frozenset())
        post.promised = {model: promise for model, promise in post.promised.items() if model in here}
        post.batch = post.batch if post.promised else None
        is_ending = process is not None and process.is_worn
        return Site(
            post.device,
            post.reading.memory_mb,
            post.others_mb,
            post.device.slots if is_ending else post.taken,
            post.promised,
            post.at_work,
            post.batch,
        )

    def _needs(self, device: str, model: str) -> Sequence[Need]:
        return self._book.needs(self._posts[device].device, model)

    # -- promising ----------------------------------------------------------------------------

    def reserve(self, task: Task, place: Placement) -> None:
        """Promise a task that starts now what it was placed with."""
        post = self._posts[place.device]
        if place.model in post.unload:
            post.unload.pop(place.model).cancel()
        self._waits_since.pop(task.id, None)
        post.promised = {model: promise for model, promise in post.promised.items() if model in place.beside}
        post.running[task.id] = place, task.owner
        post.promised[place.model] = Promise(place.memory_mb, place.compute_types)
        post.batch = place.batch

    def release(self, place: Placement) -> None:
        """Take back what was promised to a task that has ended; its model stays loaded for a while."""
        post = self._posts[place.device]
        del post.running[place.task_id]
        if place.model not in post.at_work and self._idle_unload_s and not self._stopped:
            unload = partial(self._engine.unload_if_idle, place.device, place.model, self._on_change)
            post.unload[place.model] = asyncio.get_running_loop().call_later(self._idle_unload_s, unload)

    # -- what comes from the devices ----------------------------------------------------------

    def take(self, news: News) -> None:
        """Take the news of a device's process."""
        post = self._posts[news.device]
        match news:
            case Died():
                post.record = post.record.died(time.monotonic())
                self._review()
            case Served():
                post.record = post.record.succeeded()
                self._book.learn(ModelOnDevice(post.device.name, news.model, news.compute_type), news.peaks)
            case RanOut():
                self._book.lower(post.device, news.model, news.compute_types)

    async def _look_on(self) -> None:
        while True:
            await asyncio.sleep(self._interval_s)
            await self._look()

    async def _look(self) -> None:
        pids = self._pids()
        self._asked_at = time.monotonic()
        answer: asyncio.Future[list[Reading]] = asyncio.get_running_loop().create_future()
        self._bridge.submit(self._thread, lambda: self._probe.read(pids), partial(_answer, answer))
        readings = await answer
        self._asked_at = None
        now = self._pids()
        for reading in readings:
            post, pid = self._posts[reading.device], pids.get(reading.device)
            post.reading = reading
            is_told_apart = pid is None or reading.own_mb is not None
            # Of a process that began or ended meanwhile nobody knows whether its memory was counted.
            if reading.used_mb is not None and is_told_apart and now.get(reading.device) == pid:
                post.others_mb = max(0, reading.used_mb - (reading.own_mb or 0))
        self._review()
        shown = [replace(reading, fault=self._fault(reading)) for reading in readings]
        with suppress(DbBusy, DiskFull):  # the next reading is worth more than an old one
            await self._store.note_readings(shown, time.time())
            await self._book.keep()

    def _pids(self) -> dict[str, int]:
        """The processes on the devices as they are now."""
        found = {device: self._engine.process(device) for device in self._posts}
        return {device: process.pid for device, process in found.items() if process is not None}

    def _fault(self, reading: Reading) -> str | None:
        outage = self._posts[reading.device].outage
        return None if outage is None else outage.why

    def _review(self) -> None:
        """See which devices are out of service, and say so when that changes."""
        for post in self._posts.values():
            outage = self._outage_of(post)
            if outage is not None and post.outage is None:
                log.error("a device is out of service", device=post.device.id, name=post.device.name, why=outage.why)
            if outage is None and post.outage is not None:
                log.info("a device is in service again", device=post.device.id, name=post.device.name)
                self._on_change()
            post.outage = outage

    def _outage_of(self, post: _Post) -> Outage | None:
        now = time.monotonic()
        if post.record.rests_at(now):
            return Outage(
                "Its process died three times in a row; it is tried again after a rest.",
                "其进程连续崩溃三次，休息一段时间后会再次尝试。",
            )
        if not post.device.is_cpu and self._asked_at is not None and now - self._asked_at > SILENT_AFTER_S:
            return Outage("NVIDIA's driver does not answer.", "NVIDIA 驱动没有应答。")
        fault = post.reading.fault
        return Outage(f"It cannot be read: {fault}", f"无法读取该设备：{fault}") if fault else None

    # -- showing ------------------------------------------------------------------------------

    @property
    def outages(self) -> dict[str, Outage]:
        """The devices that are out of service, and why."""
        self._review()
        return {device: post.outage for device, post in self._posts.items() if post.outage is not None}

    def view(self, owner: str) -> list[DeviceView]:
        """Show every device; tasks are named to their owner only."""
        self._review()
        return [self._view(post, owner) for post in self._posts.values()]

    def _view(self, post: _Post, owner: str) -> DeviceView:
        site = self._site(post)
        return DeviceView(
            post.device,
            post.reading,
            sum(promise.memory_mb for promise in site.promised.values()),
            {model: promise.memory_mb for model, promise in site.promised.items()},
            site.batch,
            len(post.running),
            tuple(task for task, (_, whose) in post.running.items() if whose == owner),
            post.outage,
        )


def _answer(answer: asyncio.Future[list[Reading]], readings: list[Reading]) -> None:
    if not answer.done():  # nobody waits any more when the daemon stops
        answer.set_result(readings)
