"""From hint to worker and from outcome to the next lane: claim, place, submit; settle, save, pass on.

Two loops. One consumes the ``asyncio.Queue`` of hints and hands waiting tasks to workers without ever waiting
for one. The other takes the outcomes that the workers' done-callbacks bring back, each carrying its task's id.
"""

from __future__ import annotations

import asyncio
import random
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import structlog

from pipeline.core.lifecycle import Cause, Failed, Outcome, Settled, Step, finish, settle
from pipeline.core.notices import failure_runs, step_runs
from pipeline.core.placement import Placement
from pipeline.core.products import Artifacts
from pipeline.core.retry import RetryPolicy
from pipeline.core.task import Failure, Lane, Stage, Task, Waiting
from pipeline.engine.fleet import Fleet
from pipeline.engine.local import LocalEngine
from pipeline.engine.models import ModelShelf, Stock
from pipeline.events import EventBus
from pipeline.failures import SourceRateLimited, StageFailed
from pipeline.house import House
from pipeline.service import Watch
from pipeline.task_store import TaskStore, Waiter

NEXT = {Lane.FETCH: Lane.ASR, Lane.ASR: Lane.TEXT}
"""The lane that follows; after TEXT the run itself is the news."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Wakers:
    """What the dispatcher nudges when it has put something into the store for them."""

    text_lane: Callable[[], None]
    outbox: Callable[[], None]


class Dispatcher:
    """Owns every task between its acceptance and its last message."""

    def __init__(
        self,
        house: House,
        engine: LocalEngine,
        shelf: ModelShelf,
        fleet: Fleet,
        route: Sequence[Step],
        bus: EventBus,
        watch: Watch,
    ) -> None:
        """Take the workers and the places where outcomes go."""
        self._house = house
        self._store: TaskStore = house.store
        self._engine = engine
        self._shelf = shelf
        self._fleet = fleet
        self._route = tuple(route)
        self._bus = bus
        self._watch = watch
        concurrent, scheduler = house.settings.concurrent, house.settings.scheduler
        self._fetch_slots = concurrent.max_workers
        self._hints: asyncio.Queue[str] = asyncio.Queue(concurrent.max_workers + concurrent.queue_size)
        self._outcomes: asyncio.Queue[tuple[Outcome, Callable[[], None]]] = asyncio.Queue()
        """What became of a task, and what gives back the room it had."""
        self._settling: asyncio.Task[None] | None = None
        """The settling of the latest outcome."""
        self._fetching = 0
        self._left_alone: dict[str, float] = {}
        """Hosts that asked for it, and until when, by the monotonic clock."""
        self._retry = RetryPolicy(scheduler.max_retries, scheduler.retry_delay_s)
        self.wake: Wakers | None = None

    async def start(self) -> None:
        """Begin handing out work, and see to it that the usual model is here."""
        self._shelf.want(self._house.settings.transcribe.model)
        self._watch.start("dispatch", self._dispatch_on())
        self._watch.start("settle", self._settle_on())

    async def stop(self) -> None:
        """Hand out nothing more; outcomes of what runs are still settled until ``settle_rest``."""
        await self._watch.stop("dispatch")

    async def settle_rest(self) -> None:
        """Settle every outcome that has come, once no worker runs any more."""
        await self._watch.stop("settle")
        if self._settling is not None:
            await asyncio.wait({self._settling})
        while not self._outcomes.empty():
            await self._settle(*self._outcomes.get_nowait())

    # -- from hint to worker ------------------------------------------------------------------

    def hint(self, task_id: str = "") -> None:
        """Say that something may be waiting. A full queue holds hints enough: the row waits in the store."""
        if not self._hints.full():
            self._hints.put_nowait(task_id)

    def wake_all(self) -> None:
        """Have everybody who may have something to do look for it."""
        self.hint()
        if self.wake is not None:
            self.wake.text_lane()
            self.wake.outbox()

    def allow_fetch(self, slots: int) -> None:
        """Fetch so many videos side by side from now on; what runs is not interrupted."""
        self._fetch_slots = slots
        self.hint()

    async def _dispatch_on(self) -> None:
        while True:
            await self._fill_fetch()
            await self._fill_devices()
            await self._next_hint()

    async def _next_hint(self) -> None:
        """Wait for a hint, for the next retry's time, or for the schedule interval, whichever is first."""
        due, now = await self._store.next_due(), time.time()
        timeout = self._house.settings.scheduler.batch_schedule_interval_s
        for until in self._left_alone.values():
            timeout = min(timeout, max(0.0, until - time.monotonic()))
        if due is not None and due > now:  # one that is due already waits for a slot, and an outcome brings that
            timeout = min(timeout, due - now)
        if self._fleet.decide_again_s is not None and self._fleet.is_undecided:
            timeout = min(timeout, self._fleet.decide_again_s)
        try:
            async with asyncio.timeout(timeout):  # not wait_for, which forgets a stop that comes with a hint
                await self._hints.get()
        except TimeoutError:
            return
        while not self._hints.empty():
            self._hints.get_nowait()

    async def _fill_fetch(self) -> None:
        self._end_leaving_alone()
        if not self._disk_has_room():
            await self._wait_for_disk()
            return
        while self._fetching < self._fetch_slots:
            settled = await self._store.claim(Lane.FETCH, time.time(), hosts_left_alone=list(self._left_alone))
            if settled is None:
                return
            self._bus.record(settled, Lane.FETCH)
            if settled.cause is Cause.CLAIMED:
                await self._announce(settled.task, Lane.FETCH)
            self._fetching += 1
            self._engine.fetch(settled.task, self._came_back(self._end_fetch))

    def _end_fetch(self) -> None:
        self._fetching -= 1

    def _end_leaving_alone(self) -> None:
        """Forget hosts whose time is over, also while nobody can start: one of them would end every wait at once."""
        now = time.monotonic()
        self._left_alone = {host: until for host, until in self._left_alone.items() if until > now}

    def _disk_has_room(self) -> bool:
        storage = self._house.settings.storage
        return shutil.disk_usage(storage.dir).free >= storage.min_free_gb * 1024**3

    async def _wait_for_disk(self) -> None:
        """Start no download below the floor: what runs needs the rest, and so does the store."""
        for task in await self._store.waiting(Lane.FETCH):
            if task.waiting_for is not Waiting.DISK:
                log.error("not started: less than storage.min_free_gb is free", task=task.id)
                await self._store.wait_for(task.id, Waiting.DISK, time.time())

    async def _fill_devices(self) -> None:
        if not self._fleet.is_undecided:
            return
        waiting = await self._store.waiting_for_devices(self._fleet.most_wanted)
        ready = [waiter for waiter in waiting if await self._has_model(waiter)]
        for place in await self._fleet.decide(ready):
            await self._place(place)

    async def _place(self, place: Placement) -> None:
        settled = await self._store.claim(Lane.ASR, time.time(), place.task_id, device=place.device)
        if settled is None:
            return
        self._bus.record(settled, Lane.ASR)
        self._fleet.reserve(settled.task, place)
        self._engine.recognize(settled.task, place, self._came_back(partial(self._fleet.release, place)))

    async def _has_model(self, waiter: Waiter) -> bool:
        """Whether the task's model is here; if it cannot be had the task fails, if it is on its way it waits."""
        stock = self._shelf.want(waiter.model)
        lacks = Waiting.MODEL if stock is Stock.FETCHING else Waiting.DEVICE
        if stock is Stock.MISSING:
            await self._fail_unplaced(waiter, self._shelf.failure(waiter.model))
        elif waiter.waiting_for is not lacks:
            await self._store.wait_for(waiter.task_id, lacks, time.time())
        return stock is Stock.HERE

    async def _fail_unplaced(self, waiter: Waiter, error: StageFailed) -> None:
        settled = await self._store.claim(Lane.ASR, time.time(), waiter.task_id)
        if settled is None:
            return
        failure = Failure.of(error, Stage.TRANSCRIBE, waiter.model)
        outcome = Failed(waiter.task_id, Lane.ASR, failure, error.retries, error.times_out)
        self._outcomes.put_nowait((outcome, _nothing))

    def _came_back(self, give_back: Callable[[], None]) -> Callable[[Outcome], None]:
        """The done-callback of one submission: it knows what room to give back; the outcome itself knows the task."""
        return lambda outcome: self._outcomes.put_nowait((outcome, give_back))

    def text_came_back(self, outcome: Outcome) -> None:
        """Take an outcome of the TEXT lane."""
        self._outcomes.put_nowait((outcome, _nothing))

    # -- from outcome to the next lane ----------------------------------------------------------

    async def _settle_on(self) -> None:
        while True:
            self._settling = asyncio.create_task(self._settle(*await self._outcomes.get()))
            await asyncio.shield(self._settling)  # a stop must not lose what a worker has brought

    async def _settle(self, outcome: Outcome, give_back: Callable[[], None]) -> None:
        give_back()
        task = await self._store.get(outcome.task_id)
        if task is None or task.status.final:  # cancelled while a worker had it, and maybe deleted
            await self._let_go(outcome.task_id, task.artifacts if task else Artifacts())
            return
        settled = settle(task, outcome, self._route, self._retry, time.time(), random.random())  # noqa: S311 - jitter
        self._leave_host_alone(outcome, settled)
        if settled.task.status.final:  # before anybody hears of it, who may want it again and its folder with it
            await asyncio.to_thread(self._house.clear_work, task.id, task.artifacts)
        runs = failure_runs(settled.task, self._house.settings.wechat.language)
        if not await self._store.save(settled, expected=task.status, runs=runs):  # cancelled at this very moment
            await self._let_go(task.id, task.artifacts)
            return
        self._bus.record(settled, outcome.lane)
        if settled.cause is Cause.ADVANCED and outcome.lane in NEXT:
            await self._announce(settled.task, NEXT[outcome.lane])
        await self._pass_on(settled.task)

    def _leave_host_alone(self, outcome: Outcome, settled: Settled) -> None:
        """Start no other task of a host that says it is asked too often, until this one may try again."""
        if not isinstance(outcome, Failed) or outcome.failure.type != SourceRateLimited.type:
            return
        next_at = settled.task.not_before
        wait_s = next_at - settled.task.updated_at if next_at is not None else outcome.wish_s or 0.0
        if wait_s <= 0:
            return
        self._left_alone[settled.task.source.host] = time.monotonic() + wait_s
        log.warning("a host is left alone for a while", host=settled.task.source.host, wait_s=round(wait_s, 1))

    async def _let_go(self, task_id: str, known: Artifacts) -> None:
        """Clean up behind a worker whose task came to its end meanwhile."""
        await asyncio.to_thread(self._house.clear_work, task_id, known)
        await self._store.release(task_id)
        self.hint()

    async def _announce(self, task: Task, lane: Lane) -> None:
        """Tell the task's robots which lane it has come to, where all steps are wanted."""
        runs = step_runs(task, lane, self._house.settings.wechat.language)
        if runs and self.wake is not None:
            await self._store.announce(task.id, runs, time.time())
            self.wake.outbox()

    async def _pass_on(self, task: Task) -> None:
        """Nudge whoever has the task next, and clean up behind it."""
        if task.artifacts.transcript is not None:
            await asyncio.to_thread(self._house.clear_work, task.id, task.artifacts)
        self.wake_all()

    async def finish_delivered(self, paused: Sequence[str]) -> None:
        """Complete every task whose messages have all come to rest (``paused``: robots that hold theirs)."""
        for task, delivery in await self._store.delivered(paused):
            settled = finish(task, time.time(), delivery)
            if await self._store.save(settled, expected=task.status):
                self._bus.record(settled)


def _nothing() -> None:
    """Give nothing back: the TEXT lane has one thread, and what was never placed has no room."""
