"""The API as its clients meet it: a real server, a real store, and the life of a task played by hand."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import aiohttp

from pipeline.bridge import Bridge
from pipeline.child import Zygote
from pipeline.config import Live, Settings
from pipeline.control import Control
from pipeline.core import lifecycle
from pipeline.core.device import Device
from pipeline.core.lifecycle import Delivery, Failed, Settled, Succeeded
from pipeline.core.messages import Kind, Message, MessageState, Run
from pipeline.core.products import Audio, CleanText, MediaFile, MediaInfo, Paragraph, Summary, TranscriptInfo
from pipeline.core.progress import Progress, Reading
from pipeline.core.retry import RetryPolicy
from pipeline.core.task import Failure, Lane, LayerState, Stage, Status, TaskWarning
from pipeline.core.transcript import Segment, Word
from pipeline.engine.fleet import Fleet
from pipeline.engine.model_record import ModelRecord
from pipeline.engine.models import ModelShelf
from pipeline.events import EventBus, Onlooker
from pipeline.executor import Executor
from pipeline.house import House
from pipeline.http.deps import Deps, Missing
from pipeline.http.server import HttpServer
from pipeline.intake import Intake
from pipeline.keyring import Keyring
from pipeline.monitor import Monitor
from pipeline.outbox import Outbox
from pipeline.ports import Channel, Made
from pipeline.roster import Roster
from pipeline.service import Watch
from pipeline.store.sqlite import SqliteStore
from tests.contract.examples import ROUTE
from tests.fakes.devices import ScriptedProbe, ScriptedProcesses
from tests.integration import promises

TOKEN = "tr_of-the-tests"
DEVICES = [Device("cpu", "CPU", 2)]
SOON_S = 10.0
"""Longest time a test waits for something that is certain to happen."""


@dataclass(frozen=True)
class Answer:
    """What a request was answered with."""

    status: int
    headers: Any
    body: bytes

    @property
    def json(self) -> Any:
        """The whole envelope."""
        return json.loads(self.body)

    @property
    def data(self) -> Any:
        """What the envelope holds."""
        return self.json["data"]

    @property
    def error(self) -> dict[str, Any]:
        """The error in the envelope."""
        error: dict[str, Any] = self.json["error"]
        return error


class ObservedBus(EventBus):
    """The bus, which also tells when somebody begins to wait and when the last one is gone."""

    def __init__(self) -> None:
        """Begin without waiters."""
        super().__init__()
        self.watched = asyncio.Event()
        self.left = asyncio.Event()

    @contextmanager
    def watch(self, task_id: str) -> Iterator[Onlooker]:
        """Follow a task."""
        with super().watch(task_id) as watch:
            self.watched.set()
            try:
                yield watch
            finally:
                self.left.set()


@dataclass
class Api:
    """A running API and everything behind it."""

    server: HttpServer
    session: aiohttp.ClientSession
    deps: Deps
    store: SqliteStore
    bus: ObservedBus
    intake: Intake
    hints: list[str]
    missing: list[Missing]
    """What readiness reports."""

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.server.url.rpartition(":")[2])

    async def request(self, method: str, path: str, *, token: str | None = TOKEN, **more: Any) -> Answer:
        """Send one request, and check that the answer is one the API promises; ``more`` is for aiohttp's client."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        headers |= more.pop("headers", {})
        async with self.session.request(method, self.server.url + path, headers=headers, **more) as response:
            answer = Answer(response.status, response.headers, await response.read())
        if method != "HEAD":
            promises.check(method, path, answer.status, answer.headers.get("Content-Type", ""), answer.body)
        return answer

    async def get(self, path: str, **more: Any) -> Answer:
        """Get something."""
        return await self.request("GET", path, **more)

    async def submit(self, **fields: Any) -> Answer:
        """Submit a video."""
        return await self.request("POST", "/api/transcribe", json={"url": "https://example.com/a.mp4"} | fields)

    async def submitted(self, **fields: Any) -> str:
        """Submit a video that is certain to be accepted; returns its id."""
        answer = await self.submit(**fields)
        assert answer.status == 202, answer.body
        task_id: str = answer.data["task_id"]
        return task_id

    async def raw(self, sent: bytes, *, timeout_s: float = SOON_S) -> bytes:
        """Send these very bytes on a connection of their own and read until the server closes it."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            writer.write(sent)
            async with asyncio.timeout(timeout_s):
                return await reader.read()
        finally:
            writer.close()


def settings_for(folder: Path, **sections: dict[str, object]) -> Settings:
    """Make settings for one test, ``sections`` over what all tests need."""
    api = {"port": 0, "auth_token": TOKEN} | sections.pop("api", {})
    return Settings.model_validate({"storage": {"dir": str(folder)}, "api": api} | sections)


@asynccontextmanager
async def running(
    folder: Path,
    *,
    body_timeout_s: float = 15.0,
    let_go_s: float = 0.2,
    channels: Mapping[str | None, Channel] | None = None,
    **sections: dict[str, object],
) -> AsyncIterator[Api]:
    """Run the API on a free port over a new store in ``folder``; with ``channels`` the outbox sends through them."""
    settings = settings_for(folder, **sections)
    live = Live(settings)
    keyring = Keyring.open(settings)
    store = SqliteStore(folder / "transcribed.db", ROUTE, "this boot")
    hints: list[str] = []
    missing: list[Missing] = []
    bus = ObservedBus()
    watch = Watch()
    bridge = Bridge(asyncio.get_running_loop(), watch.give_up)
    house = House(bridge, store, Zygote((), Roster(folder / "processes")), live, lambda _task_id, _reading: None)
    intake = Intake(store, live, hints.append, house.work_folder)
    control = Control(house, Executor(house, ()), ROUTE, bus, lambda: hints.append(""), let_go_s=let_go_s)
    outbox = Outbox(store, channels or {}, live, watch, _nothing_to_finish)
    slots: list[int] = []
    shelf = ModelShelf(bridge, house.zygote, ModelRecord(folder), house.stop, nothing)
    fleet = Fleet(DEVICES, ScriptedProcesses(), shelf, ScriptedProbe(DEVICES), house, watch, nothing)
    monitor = Monitor(store, live, fleet.slots, watch, on_change=slots.append)
    deps = Deps(
        store, intake, control, monitor, fleet, outbox, keyring, bus, live, lambda: missing, "1.2.3", body_timeout_s
    )
    server = HttpServer(deps)
    await store.open()
    try:
        await fleet.start()
        await outbox.start()
        await server.start()
        async with aiohttp.ClientSession() as session:
            yield Api(server, session, deps, store, bus, intake, hints, missing)
    finally:
        await server.stop()
        await outbox.stop()
        await fleet.stop()
        await bridge.join()
        await store.close()


def nothing() -> None:
    """Do nothing."""


async def _nothing_to_finish(_paused: Sequence[str]) -> None:
    """Leave tasks as they are: tests play their lives by hand."""


class Life:
    """Plays what workers do to one task, through the store as they do."""

    def __init__(self, api: Api, task_id: str) -> None:
        """Take a task that was submitted."""
        self._api = api
        self._store = api.store
        self.task_id = task_id

    async def claimed(self, lane: Lane = Lane.FETCH) -> Self:
        """Give it to a worker."""
        assert await self._store.claim(lane, time.time(), self.task_id)
        return self

    async def known(self, title: str = "A talk") -> Self:
        """Find out what the site says about it."""
        media = MediaInfo("generic", "a", title, author="Someone", duration_s=None)
        return await self._keep("media", Made(media))

    async def at(self, stage: Stage, fraction: float, percent: float) -> Self:
        """Report how far a stage is."""
        await self._store.enter(self.task_id, stage, time.time())
        reading = Reading(stage, fraction, source_done_s=1.04, source_total_s=4.0, speed=12.42, eta_s=2.6)
        await self._store.note_progress({self.task_id: Progress(percent, reading)}, time.time())
        return self

    async def transcribed(self, *segments: Segment) -> Self:
        """Make everything up to the transcript."""
        await self.claimed()
        await self.known()
        await self._keep("file", Made(MediaFile("a.mp4", 1000)))
        await self._keep("audio", Made(Audio("a.pcm", 4.0)))
        await self._advanced(Lane.FETCH)
        await self.claimed(Lane.ASR)
        await self._store.keep_segments(self.task_id, segments)
        info = TranscriptInfo("en", "asr", "demo", "cpu", 4.0, len(segments))
        await self._keep("transcript", Made(info, ("transcript", LayerState.DONE)))
        await self._advanced(Lane.ASR)
        return self

    async def proofread(self) -> Self:
        """Make the readable text."""
        await self.claimed(Lane.TEXT)
        text = CleanText((Paragraph(0.0, 2.0, "Hello, world."), Paragraph(2.0, 4.0, "你好。")), "offline")
        return await self._keep("proofread", Made(text, ("proofread", LayerState.DONE)))

    async def summarized(self, state: LayerState = LayerState.DONE) -> Self:
        """Make the summary."""
        text = "A greeting." if state is LayerState.DONE else ""
        warning = TaskWarning("no_speech", "Nobody speaks.", "没有人说话。")
        return await self._keep("summary", Made(Summary(text, "offline"), ("summary", state), (warning,)))

    async def composed(self, robot: str | None = None) -> Self:
        """Plan two messages."""
        head = Message(1, 2, Kind.HEAD, "text", "(1/2) A talk")
        text = Message(2, 2, Kind.TEXT, "text", "(2/2)\n你好。")
        await self._keep("messages", Made((Run(robot, (head, text)),)))
        return await self._advanced(Lane.TEXT)

    async def sent(self, robot: str | None = None) -> Self:
        """Send the message at the head of the robot's lane."""
        outgoing = await self._store.next_message(robot)
        assert outgoing
        now = time.time()
        assert await self._store.mark(outgoing.id, MessageState.SENDING, now, expected=MessageState.PLANNED)
        assert await self._store.mark(outgoing.id, MessageState.SENT, now, expected=MessageState.SENDING)
        return self

    async def finished(self) -> Self:
        """Complete it."""
        task = await self._store.get(self.task_id)
        assert task
        return await self._saved(lifecycle.finish(task, time.time(), Delivery()))

    async def failed(self, *, retries: int = 0) -> Self:
        """Let a worker that has it fail."""
        task = await self._store.get(self.task_id)
        assert task
        failure = Failure(
            "source_not_found", Stage.DOWNLOAD, "Gone.", "不存在。", "Check it. 请检查。", retryable=False
        )
        outcome = Failed(self.task_id, Lane.FETCH, failure, retries, times_out=False)
        policy = RetryPolicy(max_retries=3, delay_s=60)
        return await self._saved(lifecycle.settle(task, outcome, ROUTE, policy, time.time(), 0.0))

    async def _advanced(self, lane: Lane) -> Self:
        task = await self._store.get(self.task_id)
        assert task
        policy = RetryPolicy(max_retries=0, delay_s=0)
        outcome = Succeeded(self.task_id, lane)
        return await self._saved(lifecycle.settle(task, outcome, ROUTE, policy, time.time(), 0.0))

    async def _saved(self, settled: Settled) -> Self:
        assert await self._store.save(settled, expected=Status.PROCESSING)
        self._api.bus.publish(self.task_id, settled.task.status)
        return self

    async def _keep(self, makes: str, made: Made) -> Self:
        await self._store.keep(self.task_id, makes, made, time.time())
        return self


def segment(number: int, text: str) -> Segment:
    """Make a segment of two seconds with one word."""
    start = 2.0 * number
    return Segment(number, start, start + 2.0, text, (Word(start, start + 1.0, text, 0.9),))


SPEECH = (segment(0, "hello world"), segment(1, "你好"))
