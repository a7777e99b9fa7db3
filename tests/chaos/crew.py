"""A whole daemon in one process but for what does the work: its parts are real, its workers and robots are played.

Store, intake, control, dispatcher, outbox and rescuer are those of ``daemon.py``. What a stage makes and what a robot
answers is decided by whoever plays; until then the work is in hand, or the message in flight.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline.bridge import Bridge
from pipeline.child import Zygote
from pipeline.config import Live, Settings
from pipeline.control import Control
from pipeline.core.admission import Accepted
from pipeline.core.device import Device
from pipeline.core.lifecycle import Failed, Interrupted, Outcome, Succeeded, next_step
from pipeline.core.messages import Kind, Message, Run
from pipeline.core.placement import Placement
from pipeline.core.submission import Submission
from pipeline.core.task import Failure, Lane, Task
from pipeline.dispatcher import Dispatcher, Wakers
from pipeline.engine.fleet import Fleet
from pipeline.engine.models import Stock
from pipeline.events import EventBus
from pipeline.executor import Executor
from pipeline.house import House
from pipeline.intake import Intake
from pipeline.outbox import Outbox
from pipeline.ports import Made, Receipt
from pipeline.rescuer import Rescuer
from pipeline.roster import Roster
from pipeline.service import Watch
from pipeline.store.sqlite import SqliteStore
from tests.contract.examples import MADE, OWNER, ROUTE
from tests.fakes.devices import ScriptedProbe, ScriptedProcesses

ROBOTS = ("red", "blue")
PARTS = 3
TURNS = 25
"""Round trips to the store within which every part has done what it can do without the world."""
DEVICE = Device("cpu", "CPU", 2)


@dataclass
class Hand:
    """A task that a worker has in hand."""

    task: Task
    lane: Lane
    bring_back: Callable[[Outcome], None]


class Hands:
    """In place of the engine: takes work and does nothing with it."""

    def __init__(self) -> None:
        self.full: dict[str, Hand] = {}

    def fetch(self, task: Task, on_outcome: Callable[[Outcome], None]) -> None:
        self.take(Hand(task, Lane.FETCH, on_outcome))

    def recognize(self, task: Task, place: Placement, on_outcome: Callable[[Outcome], None]) -> None:
        assert place.device == DEVICE.id
        self.take(Hand(task, Lane.ASR, on_outcome))

    def take(self, hand: Hand) -> None:
        assert hand.task.id not in self.full, "two workers have the same task in hand"
        self.full[hand.task.id] = hand


class Shelf:
    """Has every model, and of none a file that says how it is built."""

    def folder(self, name: str) -> Path | None:
        return Path("/models") / name

    def want(self, name: str) -> Stock:
        del name
        return Stock.HERE


class Robot:
    """A group robot whose answers are given by whoever plays; what it has taken outlives the daemon."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.taken: list[str] = []
        self.in_flight: tuple[Message, asyncio.Future[Receipt]] | None = None

    async def send(self, message: Message) -> Receipt:
        assert self.in_flight is None, "two messages are in flight at one robot"
        answer: asyncio.Future[Receipt] = asyncio.get_running_loop().create_future()
        self.in_flight = (message, answer)
        try:
            return await answer
        finally:
            self.in_flight = None

    def answer(self, receipt: Receipt, *, taken: bool) -> None:
        """Let the message in flight reach the group or not, and answer its sender."""
        assert self.in_flight is not None
        message, answer = self.in_flight
        if taken:
            self.taken.append(message.text)
        answer.set_result(receipt)

    async def close(self) -> None:
        """Hold nothing."""


@dataclass
class Life:
    """One boot of the daemon on a folder."""

    folder: Path
    robots: dict[str, Robot]
    boot: int
    hands: Hands = field(default_factory=Hands)
    text: Hand | None = None

    def __post_init__(self) -> None:
        """Make every part as ``daemon.py`` does."""
        live = Live(_settings(self.folder))
        bus, watch = EventBus(), Watch()
        self.store = SqliteStore(self.folder / "transcribed.db", ROUTE, f"boot {self.boot}")
        house = House(
            Bridge(asyncio.get_running_loop(), watch.give_up),
            self.store,
            Zygote((), Roster(self.folder / "children")),
            live,
            lambda _task_id, _reading: None,
        )
        shelf, probe = Shelf(), ScriptedProbe([DEVICE])
        self.fleet = Fleet([DEVICE], ScriptedProcesses(), shelf, probe, house, watch, self._hint)
        self.dispatcher = Dispatcher(house, self.hands, shelf, self.fleet, ROUTE, bus, watch)  # type: ignore[arg-type] # played
        self.outbox = Outbox(self.store, dict(self.robots), live, watch, finish=self.dispatcher.finish_delivered)
        self.dispatcher.wake = Wakers(lambda: None, self.outbox.wake)
        self.intake = Intake(self.store, live, self.dispatcher.hint, house.work_folder)
        self.control = Control(house, Executor(house, ()), ROUTE, bus, self._wake)
        self._house = house
        self._bus = bus

    def _hint(self) -> None:
        self.dispatcher.hint()

    def _wake(self) -> None:
        self.dispatcher.hint()
        self.outbox.wake()

    async def begin(self) -> None:
        await self.store.open()
        for service in (Rescuer(self._house, ROUTE, self._bus), self.fleet, self.dispatcher, self.outbox):
            await service.start()

    async def end(self) -> None:
        """Die: nothing that was begun is brought to its end."""
        running = asyncio.all_tasks() - {asyncio.current_task()}
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        await self.store.close()

    async def calm(self) -> None:
        """Wait until every part has done what it can without workers and robots."""
        for _ in range(TURNS):
            await self.store.get("nobody")
            await asyncio.to_thread(_nothing)

    async def submit(self, url: str) -> Accepted:
        return await self.intake.accept(Submission(url), OWNER)

    async def take_text(self) -> None:
        """Be the TEXT lane: take the next video, if none is in hand."""
        if self.text is None and (settled := await self.store.claim(Lane.TEXT, time.time())) is not None:
            self.text = Hand(settled.task, Lane.TEXT, self.dispatcher.text_came_back)

    async def work(self, hand: Hand, composing: str) -> None:
        """Make the next product of the task in hand, or bring it back if its lane has none left.

        Args:
            hand: what is worked on.
            composing: distinguishes the messages if they are what is made.
        """
        task = await self.store.get(hand.task.id)
        step = next_step(task.artifacts, ROUTE) if task is not None else None
        if task is None or step is None or step.lane is not hand.lane:
            self.bring_back(hand, Succeeded(hand.task.id, hand.lane))
            return
        made = Made(_runs(composing)) if step.makes == "messages" else MADE[step.makes]
        if step.makes in {"file", "audio"}:
            self._touch(task.id, made.product.name)
        kept = await self.store.enter(task.id, step.name, time.time()) and await self.store.keep(
            task.id, step.makes, made, time.time()
        )
        if not kept:
            self.bring_back(hand, Interrupted(task.id, hand.lane))

    def fail(self, hand: Hand, *, retries: int, times_out: bool) -> None:
        failure = Failure("source_unreachable", hand.task.stage, "Failed.", "失败。", "", retryable=retries > 0)
        self.bring_back(hand, Failed(hand.task.id, hand.lane, failure, retries, times_out))

    def bring_back(self, hand: Hand, outcome: Outcome) -> None:
        if hand is self.text:
            self.text = None
        else:
            del self.hands.full[hand.task.id]
        hand.bring_back(outcome)

    @property
    def in_hand(self) -> list[Hand]:
        return [*self.hands.full.values(), *([self.text] if self.text else [])]

    def _touch(self, task_id: str, name: str) -> None:
        folder = self._house.work_folder(task_id)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def _nothing() -> None:
    """Take a turn in the loop's pool, which has one thread: whatever was given to it before is done then."""


def _settings(folder: Path) -> Settings:
    webhook = [{"name": name, "url": f"https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key={name}"} for name in ROBOTS]
    sections: dict[str, Any] = {
        "storage": {"dir": str(folder), "min_free_gb": 0},
        "transcribe": {"model": "demo"},
        "concurrent": {"max_workers": 2, "queue_size": 1000},
        "scheduler": {"retry_delay_s": 0, "batch_schedule_interval_s": 60, "gpu_monitor_interval_s": 3600},
        "wechat": {"webhook": webhook, "per_minute": 1200},
    }
    return Settings.model_validate(sections)


def _runs(composing: str) -> Sequence[Run]:
    texts = [f"({number}/{PARTS}) {composing}" for number in range(1, PARTS + 1)]
    return tuple(
        Run(robot, tuple(Message(at, PARTS, Kind.TEXT, "text", text) for at, text in enumerate(texts, start=1)))
        for robot in ROBOTS
    )
