"""A channel that does as a test tells it."""

from __future__ import annotations

import asyncio
import time

from pipeline.core.messages import Message
from pipeline.ports import Receipt, Sent

WITHIN_S = 10.0
"""Longest time a test waits for something that is certain to happen."""


class ScriptedChannel:
    """A channel that gives the receipts it was told to, then ``Sent``; ``hold`` delays every answer.

    It remembers the text of every message, and when it came.
    """

    def __init__(self, *receipts: Receipt, hold: asyncio.Event | None = None, address: str = "a group") -> None:
        self.address = address
        self.seen: list[str] = []
        self.times: list[float] = []
        self.in_flight = 0
        self.most_in_flight = 0
        self.changed = asyncio.Condition()
        self._receipts = list(receipts)
        self._hold = hold

    async def send(self, message: Message) -> Receipt:
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        async with self.changed:
            self.seen.append(message.text)
            self.times.append(time.monotonic())
            self.changed.notify_all()
        if self._hold is not None:
            await self._hold.wait()
        self.in_flight -= 1
        return self._receipts.pop(0) if self._receipts else Sent()

    async def close(self) -> None:
        """Hold nothing."""

    async def until(self, count: int) -> list[str]:
        async with asyncio.timeout(WITHIN_S), self.changed:
            await self.changed.wait_for(lambda: len(self.seen) >= count)
        return self.seen
