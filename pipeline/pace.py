"""How often a robot may be written to: a sliding window that neither a restart nor a set clock empties."""

from __future__ import annotations

from collections import deque

from pipeline.clock import Clock
from pipeline.task_store import Moment, TaskStore

WINDOW_S = 60.0
"""WeCom counts messages per robot in any sixty seconds."""


class Pace:
    """At most so many writes to one robot in any sixty seconds. Each is in the store's journal before it is written."""

    def __init__(self, robot: str, store: TaskStore, clock: Clock) -> None:
        """Know the robot; ``open`` reads its journal."""
        self._robot = robot
        self._store = store
        self._clock = clock
        self._writes: deque[tuple[int, float]] = deque()
        """Those of the last window, oldest first: id in the journal, and when by the uptime."""
        self._forget = 0

    async def open(self) -> None:
        """Go on with the writes of earlier boots."""
        now = self._clock.moment()
        writes = await self._store.recent_writes(self._robot)
        self._writes = deque((write.id, now.uptime_s - age_s(write.moment, now)) for write in writes)

    async def made_room(self, most: int) -> bool:
        """Wait until fewer than ``most`` writes are in the window; returns whether there was anything to wait for."""
        waited = False
        while (rest_s := self._rest_s(most)) > 0:
            await self._clock.sleep(rest_s)
            waited = True
        return waited

    def _rest_s(self, most: int) -> float:
        """How long until one more write is allowed."""
        begin = self._clock.uptime() - WINDOW_S
        while self._writes and self._writes[0][1] <= begin:
            self._forget, _ = self._writes.popleft()
        return 0.0 if len(self._writes) < most else self._writes[-most][1] - begin

    async def note(self) -> None:
        """Count the write that follows."""
        moment = self._clock.moment()
        written = await self._store.note_write(self._robot, moment, forget=self._forget)
        self._writes.append((written, moment.uptime_s))


def age_s(then: Moment, now: Moment) -> float:
    """How long ago a moment was: exact within one start of the machine, otherwise by its clock.

    A clock that was set back makes it recent, which means waiting for longer than needed, never writing too much.
    """
    exact = then.machine == now.machine != ""
    return max(0.0, now.uptime_s - then.uptime_s if exact else now.at - then.at)
