"""The threads and children behind the lanes, as services: how they are ended without losing what they know."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import structlog

from pipeline.engine.local import LocalEngine
from pipeline.errors import Interrupted
from pipeline.house import House
from pipeline.service import Service

log = structlog.get_logger()

CHILDREN_S = 18.0
"""How long a stop waits for work that would have to be done again; with everything else it takes 25 s at most."""


class Workers:
    """Started before whoever hands out work, and so stopped after them."""

    def __init__(self, house: House, engine: LocalEngine, settle_rest: Callable[[], Awaitable[None]]) -> None:
        """``settle_rest`` settles the outcomes that the last workers bring back."""
        self._house = house
        self._engine = engine
        self._settle_rest = settle_rest

    async def start(self) -> None:
        """Threads and children start with their first work."""

    def ask_to_end(self) -> None:
        """Have everything end that can be continued, and the rest at its end or after ``CHILDREN_S``."""
        self._house.stop.raise_now()
        asyncio.get_running_loop().call_later(CHILDREN_S, self._break_off)

    def _break_off(self) -> None:
        self._house.halt.raise_now()
        self._house.zygote.kill()
        self._house.store.wait_no_longer()

    async def stop(self) -> None:
        """Wait for every thread, store what they bring, end the processes.

        Calls to the loop are answered until the last thread has ended: a product in hand is still stored.
        """
        if not self._house.stop.is_raised:
            self.ask_to_end()
        try:
            await self._house.bridge.join()
            self._house.bridge.close()
            await self._settle_rest()
        except Interrupted:
            log.warning("the store takes nothing more; the next start goes on from what is stored")
        finally:
            await asyncio.to_thread(self._engine.close)
            await asyncio.to_thread(self._house.zygote.close)


class Throttle:
    """The last to start work and the first to stop it: nothing new comes in, nothing is handed out."""

    def __init__(self, refuse: Callable[[], None], hand_out: Sequence[Service], workers: Workers) -> None:
        """``refuse`` has new work refused; ``hand_out`` are those who give work to workers."""
        self._refuse = refuse
        self._hand_out = tuple(hand_out)
        self._workers = workers

    async def start(self) -> None:
        """Begin handing out work."""
        for service in self._hand_out:
            await service.start()

    async def stop(self) -> None:
        """Close both ends and ask the workers to end; others may stop meanwhile."""
        self._refuse()
        for service in self._hand_out:
            await service.stop()
        self._workers.ask_to_end()
