"""Delivery: one FIFO lane per robot, run after run, one message in flight.

The intent to send is stored before the request goes out and the answer after it came, so a crash leaves at
most one message a robot in doubt. What was in doubt goes out again, byte for byte, before anything else.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import structlog

from pipeline.core.messages import Message, MessageState
from pipeline.log import bind_task
from pipeline.ports import Channel, InDoubt, Outgoing, Receipt, Refused, RobotGone, Sent, TaskStore, TryLater
from pipeline.service import Watch

WINDOW_S = 60.0
"""WeCom counts messages per robot in any sixty seconds."""
LONGEST_BACKOFF_S = 60.0
LAST_MESSAGE_S = 15.0
"""How long a stop waits for the answer to a message in hand; without one it is in doubt at the next start."""

REMOVED = "it is no longer in wechat.webhook"
"""Why the lane of a robot stands still that the configuration does not name any more."""

log = structlog.get_logger()

Finish = Callable[[Sequence[str]], Awaitable[None]]


class Pace:
    """A sliding window: at most so many sends in any sixty seconds, on the monotonic clock."""

    def __init__(self, most: int, ages_s: Iterable[float], window_s: float = WINDOW_S) -> None:
        """Begin with the sends of the last window, given by their ages in seconds, oldest first."""
        now = time.monotonic()
        self.most = most
        self._window_s = window_s
        self._sends = deque(now - max(0.0, age) for age in ages_s)

    async def wait(self) -> None:
        """Wait until one more send is allowed, and count it."""
        while len(self._sends) >= self.most:
            rest = self._sends[0] + self._window_s - time.monotonic()
            if rest <= 0:
                self._sends.popleft()
            else:
                await asyncio.sleep(rest)
        self._sends.append(time.monotonic())


@dataclass(frozen=True, slots=True)
class RobotLane:
    """How it stands with one robot: its unsent messages, and why it takes none if it is paused."""

    robot: str
    queued: int
    paused: str | None


class Outbox:
    """Sends what ``compose`` froze; the store's journal is the truth, this only works it off."""

    def __init__(
        self,
        store: TaskStore,
        channels: Mapping[str | None, Channel],
        per_minute: int,
        watch: Watch,
        finish: Finish,
    ) -> None:
        """Take a channel for every robot (None: the inbox); ``finish`` completes delivered tasks."""
        self._store = store
        self._channels = dict(channels)
        self._per_minute = per_minute
        self._watch = watch
        self._finish = finish
        self._paces: dict[str, Pace] = {}
        self._paused: dict[str, str] = {}
        self._sending: set[asyncio.Task[tuple[bool, float]]] = set()
        self._tests: defaultdict[str | None, list[tuple[Message, asyncio.Future[Receipt]]]] = defaultdict(list)
        self._news = {robot: asyncio.Event() for robot in self._channels}

    async def robots(self) -> list[RobotLane]:
        """Tell how it stands with every robot, those included that only have messages left."""
        unsent = await self._store.lanes()
        names = dict.fromkeys([*filter(None, self._channels), *self._paused])
        return [RobotLane(name, unsent.get(name, 0), self._paused.get(name)) for name in names]

    def resume(self, robot: str) -> None:
        """Let a paused lane try again; one whose robot was removed stays as it is."""
        if self._paused.get(robot, REMOVED) != REMOVED:
            log.info("a robot's lane goes on", robot=robot)
            del self._paused[robot]
            self._news[robot].set()

    async def test(self, robot: str, message: Message, wait_s: float) -> Receipt | None:
        """Send a message of no task between two runs, and say what became of it; None: its turn did not come.

        A paused lane is tested as well, unless it stopped in the middle of a run. Several tests are one message.
        """
        if self._paused.get(robot) == REMOVED:
            return RobotGone(REMOVED)
        answer: asyncio.Future[Receipt] = asyncio.get_running_loop().create_future()
        self._tests[robot].append((message, answer))
        self._news[robot].set()
        try:
            return await asyncio.wait_for(answer, wait_s)
        except TimeoutError:
            return None

    @property
    def paused(self) -> dict[str, str]:
        """Robots whose lane stands still, and why."""
        return dict(self._paused)

    def wake(self) -> None:
        """Say that there may be something to send."""
        for news in self._news.values():
            news.set()

    async def start(self) -> None:
        """Start every lane; what an earlier boot was sending is in doubt."""
        doubtful = await self._store.doubt_unfinished_sends(time.time())
        if doubtful:
            log.warning("messages in doubt after a crash; they go out again", count=doubtful)
        for robot in await self._store.lanes():
            if robot is not None and robot not in self._channels:
                self._pause(robot, REMOVED)
        for robot in self._channels:
            self._watch.start(_lane_name(robot), self._deliver_on(robot))

    def adopt(self, channels: Mapping[str | None, Channel], per_minute: int) -> None:
        """Send through these from now on; lanes that were paused try again.

        Args:
            channels: as at the start; a robot that is new gets a lane, the lane of one that is gone pauses.
            per_minute: messages for each robot.
        """
        self._per_minute = per_minute
        for pace in self._paces.values():
            pace.most = per_minute
        for robot in self._channels.keys() - channels.keys():
            self._pause(robot or "", REMOVED)
        self._channels |= channels
        for robot in channels:
            self._paused.pop(robot or "", None)
            if robot not in self._news:
                self._news[robot] = asyncio.Event()
                self._watch.start(_lane_name(robot), self._deliver_on(robot))
        self.wake()

    async def stop(self) -> None:
        """Let a message in hand come to its answer, then end every lane."""
        await self._watch.stop(*map(_lane_name, self._channels))
        if self._sending:
            await asyncio.wait(self._sending, timeout=LAST_MESSAGE_S)
        for channel in self._channels.values():
            await channel.close()

    async def _deliver_on(self, robot: str | None) -> None:
        pace = await self._pace(robot)
        failures = 0
        while True:
            await self._finish(list(self._paused))
            outgoing = await self._store.next_message(robot)
            if self._tests[robot] and (outgoing is None or outgoing.begins_run):
                await self._send_test(robot, pace)
                continue
            if outgoing is None or robot in self._paused:
                await self._news[robot].wait()
                self._news[robot].clear()
                continue
            await pace.wait()
            if robot in self._paused:  # taken out of the configuration meanwhile
                continue
            settled, wait_s = await self._in_hand(robot, outgoing)
            failures = 0 if settled else failures + 1
            if wait_s:
                backoff = min(LONGEST_BACKOFF_S, wait_s * 2 ** max(0, failures - 1))
                await asyncio.sleep(max(wait_s, backoff) * (1 + random.random() / 10))  # noqa: S311 - jitter

    async def _send_test(self, robot: str | None, pace: Pace) -> None:
        """Answer everybody who waits for a test of this robot; who has given up waiting needs none."""
        waiting = [(message, answer) for message, answer in self._tests.pop(robot) if not answer.done()]
        if not waiting:
            return
        await pace.wait()
        gone = robot is not None and self._paused.get(robot) == REMOVED
        receipt = RobotGone(REMOVED) if gone else await self._channels[robot].send(waiting[0][0])
        log.info("test message", robot=robot, receipt=type(receipt).__name__)
        for _, answer in waiting:
            if not answer.done():
                answer.set_result(receipt)

    async def _pace(self, robot: str | None) -> Pace:
        """The window as the journal knows it, so that a restart does not burst; the inbox has no limit."""
        if robot is None:
            return Pace(2**31, ())
        now = time.time()
        sends = await self._store.recent_sends(robot, now - WINDOW_S)
        pace = self._paces[robot] = Pace(self._per_minute, (now - at for at in sends))
        return pace

    async def _in_hand(self, robot: str | None, outgoing: Outgoing) -> tuple[bool, float]:
        """Send one message in a task of its own: a lane that is stopped leaves it to come to its answer."""
        sending = asyncio.create_task(self._send(robot, outgoing))
        self._sending.add(sending)
        sending.add_done_callback(self._sending.discard)
        return await asyncio.shield(sending)

    async def _send(self, robot: str | None, outgoing: Outgoing) -> tuple[bool, float]:
        """Send one message; returns whether it has come to rest, and how long the lane waits before its next."""
        await self._mark(outgoing, MessageState.SENDING, expected=outgoing.state)
        with bind_task(outgoing.task_id):
            receipt = await self._channels[robot].send(outgoing.message)
        sending = MessageState.SENDING
        told = {"task": outgoing.task_id, "robot": robot, "number": outgoing.message.number, "of": outgoing.message.of}
        match receipt:
            case Sent():
                await self._mark(outgoing, MessageState.SENT, expected=sending)
                log.info("message sent", **told, kind=outgoing.message.kind)
                return True, 0.0
            case Refused(why):
                await self._mark(outgoing, MessageState.REFUSED, expected=sending, why=why)
                log.error("message refused", **told, why=why)
                return True, 0.0
            case RobotGone(why):
                await self._mark(outgoing, MessageState.PLANNED, expected=sending, why=why)
                self._pause(robot or "", why)
                return False, 0.0
            case TryLater(wait_s, why):
                await self._mark(outgoing, MessageState.PLANNED, expected=sending, why=why)
                log.warning("message put off", **told, why=why, wait_s=wait_s)
                return False, wait_s
            case InDoubt(why):
                await self._mark(outgoing, MessageState.IN_DOUBT, expected=sending, why=why)
                log.warning("message in doubt; it goes out again", **told, why=why)
                return False, 1.0

    async def _mark(self, outgoing: Outgoing, state: MessageState, *, expected: MessageState, why: str = "") -> None:
        await self._store.mark(outgoing.id, state, time.time(), expected=expected, why=why)

    def _pause(self, robot: str, why: str) -> None:
        self._paused[robot] = why
        log.error("a robot's lane is paused; its messages are kept", robot=robot, why=why)


def _lane_name(robot: str | None) -> str:
    return f"outbox-{robot or 'inbox'}"
