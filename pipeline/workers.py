"""The threads and children behind the lanes, as one service: how they are ended without losing what they know."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from pipeline.engine.local import LocalEngine
from pipeline.executor import House


class Workers:
    """Started before whoever hands out work, and so stopped after them."""

    def __init__(self, house: House, engine: LocalEngine, settle_rest: Callable[[], Awaitable[None]]) -> None:
        """``settle_rest`` settles the outcomes that the last workers bring back."""
        self._house = house
        self._engine = engine
        self._settle_rest = settle_rest

    async def start(self) -> None:
        """Threads and children start with their first work."""

    async def stop(self) -> None:
        """Interrupt what runs, wait for every thread, store what they brought, end the processes.

        Calls to the loop are answered until the last thread has ended: a product in hand is still stored.
        """
        self._house.stop.raise_now()
        try:
            await self._house.bridge.join()
            self._house.bridge.close()
            await self._settle_rest()
        finally:
            await asyncio.to_thread(self._engine.close)
            await asyncio.to_thread(self._house.zygote.close)
