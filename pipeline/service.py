"""The start and stop contract of everything that runs in the background.

A service starts, and stops when told. A background loop that ends by itself, with or without an error,
is a defect: the daemon stops loudly, so that the service manager starts it again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any, Protocol

import structlog

log = structlog.get_logger()


class Service(Protocol):
    """Something that runs between ``start`` and ``stop``."""

    async def start(self) -> None: ...
    async def stop(self) -> None: ...


class LoopDied(Exception):
    """A background loop ended by itself."""


class Watch:
    """Runs named background loops and notices when one dies."""

    def __init__(self) -> None:
        """Begin with nothing to watch; make it on the loop."""
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._died: asyncio.Future[LoopDied] = asyncio.get_running_loop().create_future()

    def start(self, name: str, loop: Coroutine[Any, Any, None]) -> None:
        """Run a background loop under this name."""
        task = asyncio.create_task(loop, name=name)
        self._tasks[name] = task
        task.add_done_callback(lambda done: self._ended(name, done))

    def _ended(self, name: str, done: asyncio.Task[None]) -> None:
        if self._tasks.get(name) is not done:  # it was told to
            return
        self.give_up(name, None if done.cancelled() else done.exception())

    def give_up(self, name: str, error: BaseException | None) -> None:
        """Stop the daemon because a loop or a worker thread of this name came to an end that it must not come to."""
        log.critical("a background loop died; the daemon stops", loop=name, exc_info=error)
        if not self._died.done():
            died = LoopDied(name)
            died.__cause__ = error
            self._died.set_result(died)

    async def stop(self, *names: str) -> None:
        """Cancel these loops and wait until they have ended."""
        tasks = [task for name in names if (task := self._tasks.pop(name, None))]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def death(self) -> LoopDied:
        """Wait until a loop dies; tells which, and of what."""
        return await asyncio.shield(self._died)


async def run_services(services: Sequence[Service], watch: Watch, stop_asked: asyncio.Event) -> None:
    """Start in order, run until asked to stop or until a loop dies, stop in reverse.

    Raises:
        LoopDied: a background loop ended by itself.
    """
    started: list[Service] = []
    try:
        for service in services:
            await service.start()
            started.append(service)
        asked = asyncio.create_task(stop_asked.wait())
        died = asyncio.create_task(watch.death())
        await asyncio.wait({asked, died}, return_when=asyncio.FIRST_COMPLETED)
        asked.cancel()
        died.cancel()
        if died.done() and not died.cancelled():
            raise died.result()
    finally:
        for service in reversed(started):
            try:
                await service.stop()
            except Exception:
                log.exception("a service did not stop cleanly", service=type(service).__name__)
