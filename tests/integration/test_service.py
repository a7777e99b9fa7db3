"""Background loops: started in order, watched, stopped in reverse, and loud when one of them dies."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from pipeline.config import Live
from pipeline.reload import Reload
from pipeline.service import LoopDied, Service, Watch, run_services
from tests.integration.api import SOON_S, settings_for


class Part:
    """A service with one loop, which tells what happens to it."""

    def __init__(self, name: str, watch: Watch, story: list[str], loop: Callable[[], Awaitable[None]]) -> None:
        self._name = name
        self._watch = watch
        self._story = story
        self._loop = loop

    async def start(self) -> None:
        self._story.append(f"{self._name} starts")
        self._watch.start(self._name, self._run())

    async def stop(self) -> None:
        await self._watch.stop(self._name)
        self._story.append(f"{self._name} stops")

    async def _run(self) -> None:
        await self._loop()


async def for_ever() -> None:
    await asyncio.Event().wait()


async def raises() -> None:
    raise ZeroDivisionError


async def returns() -> None:
    """Come to an end, as no loop may."""


async def awaits_what_was_cancelled() -> None:
    answer: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    answer.cancel()
    await answer


@pytest.mark.parametrize("death", [raises, returns, awaits_what_was_cancelled])
async def test_a_loop_that_ends_by_itself_stops_everything(death: Callable[[], Awaitable[None]]) -> None:
    """Whatever way a loop ends, the daemon's parts are stopped in reverse and the death is raised by name."""
    watch, story = Watch(), list[str]()
    services = [Part(name, watch, story, loop) for name, loop in (("a", for_ever), ("b", death), ("c", for_ever))]
    with pytest.raises(LoopDied, match=r"^b$"):
        await asyncio.wait_for(run_services(services, watch, asyncio.Event()), SOON_S)
    assert ["a starts", "b starts", "c starts", "c stops", "b stops", "a stops"] == story


async def test_asking_to_stop_is_no_death() -> None:
    """Asked to stop, everything is stopped in reverse and nothing is raised."""
    watch, story, asked = Watch(), list[str](), asyncio.Event()
    asked.set()
    await run_services([Part(name, watch, story, for_ever) for name in "ab"], watch, asked)
    assert ["a starts", "b starts", "b stops", "a stops"] == story


async def test_a_worker_thread_may_give_up_for_all() -> None:
    """What a worker thread gives up for stops the daemon as the death of a loop does."""
    watch = Watch()
    watch.give_up("fetch", ZeroDivisionError())
    with pytest.raises(LoopDied, match="fetch"):
        await asyncio.wait_for(run_services([], watch, asyncio.Event()), SOON_S)


async def test_the_loop_that_reads_the_configuration_again_is_watched(tmp_path: Path) -> None:
    """An error that is no mistake in the configuration ends the loop that waits for SIGHUP, and so the daemon."""
    watch, asked = Watch(), asyncio.Event()
    settings = settings_for(tmp_path)

    def read_what_nobody_foresaw() -> Service:
        raise ZeroDivisionError

    reload = Reload(Live(settings), read_what_nobody_foresaw, lambda _: None, watch, asked)
    asked.set()
    with pytest.raises(LoopDied, match="reload"):
        await asyncio.wait_for(run_services([reload], watch, asyncio.Event()), SOON_S)
