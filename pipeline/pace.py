"""How often a robot may be written to: a sliding window that neither a restart nor a set clock empties."""

from __future__ import annotations

import asyncio
from collections import deque

from pipeline.clock import Clock
from pipeline.core.moment import Moment
from pipeline.task_store import TaskStore

WINDOW_S = 60.0
"""WeCom counts messages per robot in any sixty seconds."""


MOMENT_S = 1.0
"""When all places are taken by others: until they are filled or given back."""


class Pace:
    """At most so many writes to one robot in any sixty seconds. Each is in the store's journal before it is written."""

    def __init__(self, address: str, store: TaskStore, clock: Clock) -> None:
        """Know the robot by its address."""
        self._address = address
        self._store = store
        self._clock = clock
        self._writes: deque[tuple[int, float]] = deque()
        """Those of the last window, oldest first: id in the journal, and when by the uptime."""
        self._forget = 0
        self._taken = 0
        """Places that are taken for writes which are not noted yet."""
        self._reading = asyncio.Lock()
        self._is_read = False

    async def _read(self) -> None:
        """Go on with the writes of earlier boots."""
        async with self._reading:
            if self._is_read:
                return
            now = self._clock.moment()
            writes = await self._store.recent_writes(self._address)
            self._writes.extend((write.id, now.uptime_s - age_s(write.moment, now)) for write in writes)
            self._is_read = True

    async def made_room(self, most: int) -> bool:
        """Wait until fewer than ``most`` writes are in the window, and take a place in it.

        Returns:
            Whether there was anything to wait for. The place is to be filled, by ``note``, or given back.
        """
        await self._read()
        waited = False
        while (rest_s := self._rest_s(most)) > 0:
            await self._clock.sleep(rest_s)
            waited = True
        self._taken += 1
        return waited

    def give_back(self) -> None:
        """Leave a place to others that was taken and is not needed."""
        self._taken -= 1

    def _rest_s(self, most: int) -> float:
        """How long until one more write is allowed."""
        begin = self._clock.uptime() - WINDOW_S
        while self._writes and self._writes[0][1] <= begin:
            self._forget, _ = self._writes.popleft()
        most -= self._taken
        if most <= 0:
            return MOMENT_S
        return 0.0 if len(self._writes) < most else self._writes[-most][1] - begin

    async def note(self) -> None:
        """Count the write that follows, which has a place."""
        moment = self._clock.moment()
        written = await self._store.note_write(self._address, moment, forget=self._forget)
        self._writes.append((written, moment.uptime_s))
        self._taken -= 1


def age_s(then: Moment, now: Moment) -> float:
    """How long ago a moment was: exact within one start of the machine, otherwise by its clock.

    A clock that was set back makes it recent, which means waiting for longer than needed, never writing too much.
    """
    exact = then.machine == now.machine != ""
    return max(0.0, now.uptime_s - then.uptime_s if exact else now.at - then.at)
