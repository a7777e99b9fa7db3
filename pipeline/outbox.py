"""Delivery: a lane for every robot, so that none waits for another. What they send, the store's journal holds."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

import structlog

from pipeline.clock import Clock
from pipeline.config import Live
from pipeline.core.messages import Message
from pipeline.pace import Pace
from pipeline.ports import Channel, Receipt, RobotGone
from pipeline.robot_lane import REMOVED, RobotLane
from pipeline.service import Watch
from pipeline.task_store import TaskStore

LAST_MESSAGE_S = 15.0
"""How long a stop waits for the answer to a message in hand; without one it is in doubt at the next start."""

log = structlog.get_logger()

Finish = Callable[[Sequence[str]], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class LaneView:
    """How it stands with one robot.

    ``queued`` counts its unsent messages; ``why`` is why it is paused, or else what it said to a message that it
    did not take and that is tried again.
    """

    robot: str
    queued: int
    paused: bool
    why: str | None


class Outbox:
    """Holds the lanes of all robots."""

    def __init__(
        self,
        store: TaskStore,
        channels: Mapping[str | None, Channel],
        live: Live,
        watch: Watch,
        finish: Finish,
        clock: Clock | None = None,
    ) -> None:
        """Take what the lanes need.

        Args:
            store: holds the messages.
            channels: a way to every robot; None is the inbox.
            live: pace and language are read anew for each message.
            watch: runs the lanes.
            finish: completes tasks that are delivered; told which robots hold their messages.
            clock: the machine's, unless a test has another.
        """
        self._store = store
        self._live = live
        self._watch = watch
        self._finish = finish
        self._clock = clock or Clock()
        self._paces: dict[str, Pace] = {}
        """By the address written to: a robot that has two names has one pace."""
        self._lanes = {robot: self._lane(robot, channel) for robot, channel in channels.items()}
        self._removed: list[str] = []
        """Robots that are not configured, but have messages."""

    def _lane(self, robot: str | None, channel: Channel) -> RobotLane:
        return RobotLane(robot, channel, self._store, self._live, self._clock, self._pace_of, self._finish_delivered)

    def _pace_of(self, channel: Channel) -> Pace | None:
        if channel.address is None:
            return None
        return self._paces.setdefault(channel.address, Pace(channel.address, self._store, self._clock))

    async def _finish_delivered(self) -> None:
        await self._find_removed()
        await self._finish(list(self.paused))

    async def _find_removed(self) -> None:
        """Find messages that no lane sends: a task keeps its robots, also for what is composed when one is gone."""
        unsent = await self._store.lanes()
        removed = [robot for robot in unsent if robot is not None and robot not in self._lanes]
        for robot in removed:
            if robot not in self._removed:
                log.error("messages are kept for a robot that is not configured", robot=robot)
        self._removed = removed

    @property
    def paused(self) -> dict[str, str]:
        """Robots whose lane stands still, and why."""
        standing = {lane.robot: lane.paused for lane in self._lanes.values() if lane.robot and lane.paused}
        return standing | dict.fromkeys(self._removed, REMOVED)

    async def robots(self) -> list[LaneView]:
        """Tell how it stands with every robot, those included that only have messages left."""
        unsent = await self._store.lanes()
        lanes = [
            LaneView(lane.robot, unsent.get(lane.robot, 0), lane.paused is not None, lane.paused or lane.put_off)
            for lane in self._lanes.values()
            if lane.robot is not None
        ]
        return lanes + [LaneView(robot, unsent.get(robot, 0), paused=True, why=REMOVED) for robot in self._removed]

    def resume(self, robot: str) -> None:
        """Let a paused lane try again; one whose robot was removed stays as it is."""
        if self.paused.get(robot, REMOVED) != REMOVED:
            self._lanes[robot].go_on()

    async def test(self, robot: str, message: Message, wait_s: float) -> Receipt | None:
        """Send a message of no task between two runs, and say what became of it; None: its turn did not come.

        A paused lane is tested as well, unless it stopped in the middle of a run. Several tests are one message.
        """
        if robot not in self._lanes or self._lanes[robot].paused == REMOVED:
            return RobotGone(REMOVED)
        return await self._lanes[robot].test(message, wait_s)

    def wake(self) -> None:
        """Say that there may be something to send."""
        for lane in self._lanes.values():
            lane.wake()

    async def start(self) -> None:
        """Start every lane; what an earlier boot was sending is in doubt."""
        doubtful = await self._store.doubt_unfinished_sends(self._clock.wall())
        if doubtful:
            log.warning("messages in doubt after a crash; they go out again", count=doubtful)
        await self._find_removed()
        for lane in self._lanes.values():
            self._watch.start(_lane_name(lane.robot), lane.deliver_on())

    def adopt(self, channels: Mapping[str | None, Channel]) -> None:
        """Send through these from now on; lanes that were paused try again.

        Args:
            channels: as at the start; a robot that is new gets a lane, the lane of one that is gone pauses.
        """
        for robot in self._lanes.keys() - channels.keys():
            self._lanes[robot].pause(REMOVED)
        for robot, channel in channels.items():
            if robot in self._lanes:
                self._lanes[robot].channel = channel
                self._lanes[robot].go_on()
            else:
                lane = self._lanes[robot] = self._lane(robot, channel)
                self._watch.start(_lane_name(robot), lane.deliver_on())
        self._removed = [robot for robot in self._removed if robot not in self._lanes]
        self.wake()

    async def stop(self) -> None:
        """Let a message in hand come to its answer, then end every lane."""
        await self._watch.stop(*map(_lane_name, self._lanes))
        in_hand = [lane.in_hand for lane in self._lanes.values() if lane.in_hand is not None]
        if in_hand:
            await asyncio.wait(in_hand, timeout=LAST_MESSAGE_S)
        for lane in self._lanes.values():
            await lane.channel.close()


def _lane_name(robot: str | None) -> str:
    return f"outbox-{robot or 'inbox'}"
