"""The lane of one robot: run after run, one message in flight, whatever the robot says to it.

The intent to send is stored before the request goes out and the answer after it came, so a crash leaves at
most one message in doubt. What was in doubt goes out again, byte for byte, before anything else.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable

import structlog

from pipeline.clock import Clock
from pipeline.config import Live
from pipeline.core.messages import Message, MessageState, Outgoing
from pipeline.core.notices import continuation_notice
from pipeline.log import bind_task
from pipeline.pace import Pace
from pipeline.ports import (
    Channel,
    InDoubt,
    Receipt,
    Refused,
    RobotGone,
    Sent,
    TryLater,
)
from pipeline.task_store import TaskStore

QUICK_TRIES = 3
"""So often in a row a message is soon tried again, then slowly."""
SLOW_WAIT_S = 60.0
DOUBT_WAIT_S = 1.0
"""Readers may have seen a message in doubt: the sooner it comes again, the clearer that it is the same."""
PATIENCE_S = 1800.0
"""A run that has begun, and whose next message is refused for so long, is closed if others wait behind it; its rest
goes out after them."""

REMOVED = "it is no longer in wechat.webhook"
"""Why the lane of a robot stands still that the configuration does not name any more."""
INSIDE_A_RUN = (
    "it stopped inside a video's messages, where no test may fall: resume sends the next of them "
    "停在一个视频的消息中间，不能插入测试消息：恢复发送即会重试"
)

log = structlog.get_logger()


class RobotLane:
    """Sends what the store holds for one robot, or for the inbox; the journal is the truth."""

    def __init__(
        self,
        robot: str | None,
        channel: Channel,
        store: TaskStore,
        live: Live,
        clock: Clock,
        pace_of: Callable[[Channel], Pace | None],
        finish: Callable[[], Awaitable[None]],
    ) -> None:
        """Take the way to the robot (None: the inbox).

        Args:
            robot: its name.
            channel: the way to it.
            store: holds the messages.
            live: pace and language are read anew for each message.
            clock: tells how long refusals last.
            pace_of: the pace of everybody who writes to where a channel does; None: it needs none.
            finish: completes tasks that are delivered.
        """
        self.robot = robot
        self.channel = channel
        self.paused: str | None = None
        """Why it stands still, if it does."""
        self.put_off: str | None = None
        """What the robot said to the message that waits for its next try."""
        self.in_hand: asyncio.Task[float] | None = None
        """The sending of a message that has no answer yet."""
        self._store = store
        self._live = live
        self._clock = clock
        self._finish = finish
        self._pace_of = pace_of
        self._news = asyncio.Event()
        self._tests: list[tuple[Message, asyncio.Future[Receipt]]] = []
        self._tries = 0
        self._refusal: tuple[int, float] | None = None
        """The latest in a row of refusals: of which message, and when by the uptime."""

    def wake(self) -> None:
        """Say that there may be something to send."""
        self._news.set()

    def pause(self, why: str) -> None:
        """Stand still until told to go on; messages are kept."""
        self.paused, self.put_off = why, None
        log.error("a robot's lane is paused; its messages are kept", robot=self.robot, why=why)

    def go_on(self) -> None:
        """Try again."""
        if self.paused is not None:
            log.info("a robot's lane goes on", robot=self.robot)
            self._refusal = None  # meanwhile nothing was sent, so nothing was refused
        self.paused = None
        self.wake()

    async def test(self, message: Message, wait_s: float) -> Receipt | None:
        """Send a message of no task when its turn comes; None: it did not come in time."""
        answer: asyncio.Future[Receipt] = asyncio.get_running_loop().create_future()
        self._tests.append((message, answer))
        self.wake()
        try:
            async with asyncio.timeout(wait_s):
                return await answer
        except TimeoutError:
            return None

    async def deliver_on(self) -> None:
        """Work the journal off, for ever."""
        while True:
            await self._finish()
            outgoing = await self._store.next_message(self.robot)
            between_runs = outgoing is None or outgoing.begins_run
            if self._tests and (between_runs or self.paused is not None):
                await self._answer_tests(may_send=between_runs)
            elif outgoing is None or self.paused is not None:
                await self._news.wait()
                self._news.clear()
            else:
                await self._send_in_turn(outgoing)

    async def _send_in_turn(self, outgoing: Outgoing) -> None:
        """Send a message as soon as the robot's pace allows it, unless that took time: the next may be another now."""
        pace = self._pace_of(self.channel)
        if pace is None or not await pace.made_room(self._live.settings.wechat.per_minute):
            await self._clock.sleep(await self._hold(outgoing, pace))
        else:
            pace.give_back()

    # -- tests ---------------------------------------------------------------------------------

    async def _answer_tests(self, *, may_send: bool) -> None:
        """Answer everybody who waits for a test with one message; who has given up waiting needs none."""
        waiting = [(message, answer) for message, answer in self._tests if not answer.done()]
        self._tests.clear()
        if not waiting:
            return
        receipt = await self._send_test(waiting[0][0]) if may_send else RobotGone(f"{self.paused}; {INSIDE_A_RUN}")
        log.info("test message", robot=self.robot, receipt=type(receipt).__name__)
        for _, answer in waiting:
            if not answer.done():
                answer.set_result(receipt)

    async def _send_test(self, message: Message) -> Receipt:
        pace = self._pace_of(self.channel)
        if pace is not None:
            await pace.made_room(self._live.settings.wechat.per_minute)
            await pace.note()
        if self.paused == REMOVED:  # meanwhile
            return RobotGone(REMOVED)
        return await self.channel.send(message)

    # -- messages ------------------------------------------------------------------------------

    async def _hold(self, outgoing: Outgoing, pace: Pace | None) -> float:
        """Send one message in a task of its own: a lane that is stopped leaves it to come to its answer."""
        self.in_hand = asyncio.create_task(self._send(outgoing, pace))
        return await asyncio.shield(self.in_hand)

    async def _send(self, outgoing: Outgoing, pace: Pace | None) -> float:
        """Send one message and store what became of it; returns how long the lane waits before its next."""
        if not await self._mark(outgoing, MessageState.SENDING, expected=outgoing.state):
            if pace is not None:
                pace.give_back()
            return 0.0  # its task was cancelled meanwhile
        if pace is not None:
            await pace.note()
        with bind_task(outgoing.task_id):
            receipt = await self.channel.send(outgoing.message)
        told = _told(outgoing, self.robot)
        match receipt:
            case Sent():
                await self._mark(outgoing, MessageState.SENT)
                log.info("message sent", **told, kind=outgoing.message.kind)
                return self._come_to_rest()
            case Refused(why):
                await self._mark(outgoing, MessageState.REFUSED, why=why)
                log.error("message refused", **told, why=why)
                return self._come_to_rest()
            case RobotGone(why):
                await self._mark(outgoing, _waiting(outgoing), why=why)
                self.pause(why)
                return 0.0
            case TryLater(wait_s, why):
                await self._put_off(outgoing, why)
                log.warning("message put off", **told, why=why)
                return self._wait_s(wait_s)
            case InDoubt(why):
                self.put_off = why
                await self._mark(outgoing, MessageState.IN_DOUBT, why=why)
                log.warning("message in doubt; it goes out again", **told, why=why)
                return self._wait_s(DOUBT_WAIT_S)

    async def _mark(
        self,
        outgoing: Outgoing,
        state: MessageState,
        *,
        expected: MessageState = MessageState.SENDING,
        why: str = "",
        refused_s: float = 0.0,
    ) -> bool:
        now = self._clock.wall()
        return await self._store.mark(outgoing.id, state, now, expected=expected, why=why, refused_s=refused_s)

    def _come_to_rest(self) -> float:
        self._tries, self._refusal, self.put_off = 0, None, None
        return 0.0

    def _wait_s(self, wait_s: float) -> float:
        """How long until the next try, with jitter; what has to wait for the rate anyway counts as no try."""
        if wait_s < SLOW_WAIT_S:
            self._tries += 1
            wait_s = wait_s if self._tries <= QUICK_TRIES else SLOW_WAIT_S
        return wait_s * (1 + random.random() / 10)  # noqa: S311 - jitter

    async def _put_off(self, outgoing: Outgoing, why: str) -> None:
        """Note a refusal that may pass; where such refusals last too long, close the run."""
        self.put_off = why
        refused_s = self._since_last_refusal(outgoing.id)
        await self._mark(outgoing, _waiting(outgoing), why=why, refused_s=refused_s)
        if outgoing.refused_s + refused_s >= PATIENCE_S and _may_be_closed(outgoing):
            await self._close_run(outgoing)

    def _since_last_refusal(self, message_id: int) -> float:
        """How long this message has been refused without a break, as far as this daemon has seen it."""
        now, last = self._clock.uptime(), self._refusal
        self._refusal = (message_id, now)
        return now - last[1] if last is not None and last[0] == message_id else 0.0

    async def _close_run(self, outgoing: Outgoing) -> None:
        task = await self._store.get(outgoing.task_id)
        number, of = outgoing.message.number, outgoing.message.of
        if task is None or number is None or of is None:
            return
        continuation = continuation_notice(task, number, of, self._live.settings.wechat.language)
        if await self._store.close_run(outgoing.id, continuation, self._clock.wall()):
            log.error("a run is closed; its rest goes out after the runs that wait", **_told(outgoing, self.robot))


def _waiting(outgoing: Outgoing) -> MessageState:
    """The state of a message that is known not to have arrived this time; an earlier doubt stays."""
    return MessageState.PLANNED if outgoing.state is MessageState.PLANNED else MessageState.IN_DOUBT


def _may_be_closed(outgoing: Outgoing) -> bool:
    """Whether the run has begun, others wait for its end, and none of it can come twice."""
    numbered = outgoing.message.number is not None
    return numbered and not outgoing.begins_run and outgoing.holds_up and outgoing.state is MessageState.PLANNED


def _told(outgoing: Outgoing, robot: str | None) -> dict[str, object]:
    message = outgoing.message
    return {"task": outgoing.task_id, "robot": robot, "number": message.number, "of": message.of}
