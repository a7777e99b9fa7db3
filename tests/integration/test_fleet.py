"""The fleet over a real store, with devices and processes that follow a script."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.bridge import Bridge
from pipeline.child import Zygote
from pipeline.config import Live
from pipeline.core.device import Device
from pipeline.core.memory import PROCESS_MB, ModelOnDevice, Peak
from pipeline.core.placement import Placement, Why
from pipeline.core.service_record import MOST_DEATHS
from pipeline.core.task import Lane, Options, Priority, Task
from pipeline.engine.fleet import Fleet
from pipeline.engine.models import BUNDLED
from pipeline.engine.news import Died, Process, RanOut, Served
from pipeline.house import House
from pipeline.roster import Roster
from pipeline.service import Watch
from pipeline.store.sqlite import SqliteStore
from pipeline.task_store import Waiter
from tests.contract.examples import ROUTE, add_for
from tests.fakes.devices import ScriptedProbe, ScriptedProcesses
from tests.integration.api import SOON_S, settings_for

CARD, SECOND, CPU = Device("cuda:0", "A card", 3, 8192), Device("cuda:1", "Another", 3, 8192), Device("cpu", "CPU", 2)
LOOK_S = 0.1
"""The shortest interval between two readings."""


class Shelf:
    """Has the bundled model under every name but one, whose file says nothing."""

    def folder(self, name: str) -> Path | None:
        return Path("/nowhere") if name == "unreadable" else BUNDLED["demo"]


class Made:
    """A fleet, and what its surroundings are told and tell."""

    def __init__(self, folder: Path, devices: list[Device], **sections: dict[str, object]) -> None:
        self.watch = Watch()
        self.bridge = Bridge(asyncio.get_running_loop(), self.watch.give_up)
        self.store = SqliteStore(folder / "tasks.db", ROUTE, "boot")
        scheduler = {"gpu_monitor_interval_s": LOOK_S} | sections.pop("scheduler", {})
        live = Live(settings_for(folder, scheduler=scheduler, **sections))
        zygote = Zygote((), Roster(folder / "processes"))
        house = House(self.bridge, self.store, zygote, live, lambda _task_id, _reading: None)
        self.probe, self.processes = ScriptedProbe(devices), ScriptedProcesses()
        self.changes = asyncio.Event()
        self.fleet = Fleet(devices, self.processes, Shelf(), self.probe, house, self.watch, self.changes.set)

    async def decide(self, *names: str, model: str = "demo") -> tuple[Placement, ...]:
        for name in names:
            await self.task(name, model)
        return await self.fleet.decide(
            [Waiter(name, model, Priority.NORMAL, is_suspect=False, waiting_for=None) for name in names]
        )

    async def task(self, name: str, model: str = "demo") -> Task:
        found = await self.store.get(name)
        if found is None:
            await add_for(self.store, name, Lane.ASR, options=Options(model))
            found = await self.store.get(name)
        assert found is not None
        return found

    async def start_one(self, name: str, model: str = "demo") -> Placement:
        """Place a task, as the dispatcher does, and let its device's process have its model."""
        (place,) = await self.decide(name, model=model)
        self.fleet.reserve(await self.task(name, model), place)
        self.processes.there[place.device] = Process(4711, frozenset({model}), is_worn=False)
        return place

    async def until(self, holds: Callable[[], object]) -> None:
        """Wait for readings until something holds."""
        while not holds():
            before = len(self.probe.asked.items())
            await self.probe.asked.until(lambda looks, seen=before: len(looks) > seen, SOON_S)


@asynccontextmanager
async def made(folder: Path, devices: list[Device], **sections: dict[str, object]) -> AsyncIterator[Made]:
    here = Made(folder, devices, **sections)
    await here.store.open()
    await here.fleet.start()
    try:
        yield here
    finally:
        await here.fleet.stop()
        await here.bridge.join()
        await here.store.close()


async def test_a_device_that_falls_off_is_out_of_service_until_it_is_back(tmp_path: Path) -> None:
    """Tasks go to another, it is shown and stored with the reason, and its coming back wakes the scheduler."""
    async with made(tmp_path, [CARD, SECOND]) as here:
        here.probe.tell("cuda:0", fault="GPU is lost")
        await here.until(lambda: here.fleet.outages)
        assert ["cuda:1"] == [place.device for place in await here.decide("a")]
        assert "GPU is lost" in here.fleet.outages["cuda:0"].why
        here.probe.tell("cuda:1", fault="GPU is lost")
        await here.until(lambda: len(here.fleet.outages) == 2)
        assert () == await here.decide("a")
        assert {"demo": Why.SERVICE} == here.fleet.waiting
        here.changes.clear()
        here.probe.tell("cuda:0", fault=None)
        await asyncio.wait_for(here.changes.wait(), SOON_S)
        assert ["cuda:0"] == [place.device for place in await here.decide("a")]


async def test_memory_that_others_take_is_not_promised(tmp_path: Path) -> None:
    """What a reading says beyond our own counts, and what was promised stays so whatever it says."""
    async with made(tmp_path, [CARD]) as here:
        place = await here.start_one("a")
        here.probe.tell("cuda:0", used_mb=7000, own_mb=200)
        await here.until(lambda: here.fleet.view("owner")[0].reading.used_mb == 7000)
        assert () == await here.decide("b", model="other")
        assert {"other": Why.MEMORY} == here.fleet.waiting
        (shown,) = here.fleet.view("owner")
        assert (place.memory_mb, {"demo": place.memory_mb}, 1, ("a",)) == (
            shown.reserved_mb, shown.models, shown.running, shown.tasks
        )  # fmt: skip
        assert () == here.fleet.view("somebody else")[0].tasks
        here.probe.tell("cuda:0", used_mb=7000, own_mb=6900)
        await here.until(lambda: here.fleet.view("owner")[0].reading.own_mb == 6900)
        (beside,) = await here.decide("b", model="other")
        assert frozenset({"demo", "other"}) == beside.beside


async def test_memory_of_a_process_that_is_not_told_apart_is_not_taken_for_others(tmp_path: Path) -> None:
    """Where the driver does not say what is ours, what others took before our process began counts."""
    async with made(tmp_path, [CARD]) as here:
        await here.start_one("a")
        here.probe.tell("cuda:0", used_mb=7900)
        await here.until(lambda: here.fleet.view("owner")[0].reading.used_mb == 7900)
        assert 1 == len(await here.decide("b", model="other"))


async def test_three_deaths_take_a_device_out_of_service(tmp_path: Path) -> None:
    """It has a rest; a success in between would have made them forgotten."""
    async with made(tmp_path, [CARD, SECOND]) as here:
        for _ in range(MOST_DEATHS - 1):
            here.fleet.take(Died("cuda:0"))
        here.fleet.take(Served("cuda:0", "demo", "float16", ()))
        for _ in range(MOST_DEATHS - 1):
            here.fleet.take(Died("cuda:0"))
        assert {} == here.fleet.outages
        here.fleet.take(Died("cuda:0"))
        assert ["cuda:0"] == [*here.fleet.outages]
        assert ["cuda:1"] == [place.device for place in await here.decide("a")]


async def test_what_a_model_took_is_learned(tmp_path: Path) -> None:
    """What a process measured of its batches counts from then on, also after a restart."""
    measured = Peak(4, PROCESS_MB + 900)
    async with made(tmp_path, [CARD]) as here:
        before = await here.start_one("a")
        here.fleet.take(Served("cuda:0", "demo", "float16", (measured,)))
        here.fleet.release(before)
        here.processes.there.clear()
        (after,) = await here.decide("b")
        assert before.memory_mb < after.memory_mb
        where = ModelOnDevice("A card", "demo", "float16")
        known: dict[ModelOnDevice, tuple[Peak, ...]] = {}
        async with asyncio.timeout(SOON_S):
            while not known:
                known = dict(await here.store.peaks())
        assert {where: (measured,)} == known
    async with made(tmp_path, [CARD]) as again:
        (place,) = await again.decide("b")
        assert after.memory_mb == place.memory_mb


async def test_a_model_that_ran_out_of_memory_is_run_with_smaller_numbers(tmp_path: Path) -> None:
    """There as long as the daemon lives, elsewhere as before; named compute types stay as they are."""
    async with made(tmp_path, [CARD, SECOND]) as here:
        (place,) = await here.decide("a")
        here.fleet.take(RanOut("cuda:0", "demo", place.compute_types))
        (smaller,) = await here.decide("a")
        assert place.compute_types[1:] == smaller.compute_types
        here.fleet.reserve(await here.task("a"), smaller)
        (elsewhere,) = await here.decide("b")
        assert ("cuda:1", place.compute_types) == (elsewhere.device, elsewhere.compute_types)
    async with made(tmp_path, [CARD], transcribe={"compute_type": "float16"}) as here:
        here.fleet.take(RanOut("cuda:0", "demo", ("float16",)))
        assert [("float16",)] == [place.compute_types for place in await here.decide("a")]


async def test_an_idle_device_gives_its_memory_back(tmp_path: Path) -> None:
    """``idle_unload_s`` after its last task the process ends; a task that comes before keeps it."""
    async with made(tmp_path, [CARD], transcribe={"idle_unload_s": 0.2}) as here:
        first = await here.start_one("a")
        second = await here.start_one("b")
        here.fleet.release(first)
        here.fleet.release(second)
        third = await here.start_one("c")
        here.changes.clear()
        here.fleet.release(third)
        assert here.fleet.view("owner")[0].models
        await asyncio.wait_for(here.changes.wait(), SOON_S)
        assert ({}, {}) == (here.processes.there, here.fleet.view("owner")[0].models)


async def test_a_model_that_has_nothing_to_do_leaves_one_that_has(tmp_path: Path) -> None:
    """Beside a busy one, too: what it was promised can be promised to others."""
    async with made(tmp_path, [CARD], transcribe={"idle_unload_s": 0.2}) as here:
        busy = await here.start_one("a")
        idle = await here.start_one("b", model="other")
        here.processes.there["cuda:0"] = Process(4711, frozenset({"demo", "other"}), is_worn=False)
        here.changes.clear()
        here.fleet.release(idle)
        assert {"demo", "other"} == here.fleet.view("owner")[0].models.keys()
        await asyncio.wait_for(here.changes.wait(), SOON_S)
        assert {"demo": busy.memory_mb} == here.fleet.view("owner")[0].models


async def test_a_model_that_is_passed_over_stays_so_while_others_fill_the_slots(tmp_path: Path) -> None:
    """Those there is room for take the slot that falls free; at the next look there is none, and it still waits."""
    room_mb = PROCESS_MB + 10  # enough for a process, and for a model of which nothing is known
    async with made(tmp_path, [replace(CARD, slots=1)]) as here:
        here.probe.tell("cuda:0", used_mb=CARD.memory_mb - 1024 - room_mb)
        await here.until(lambda: here.fleet.view("owner")[0].reading.used_mb)
        tasks = [await here.task("a"), await here.task("b", "unreadable")]
        waiters = [
            Waiter(task.id, task.options.model, Priority.NORMAL, is_suspect=False, waiting_for=None) for task in tasks
        ]
        (place,) = await here.fleet.decide(waiters)
        assert ("b", {"demo": Why.MEMORY}) == (place.task_id, here.fleet.waiting)
        here.fleet.reserve(tasks[1], place)
        since = here.fleet.passed_over_since
        assert () == await here.fleet.decide(waiters[:1])
        assert {"demo": Why.SLOTS} == here.fleet.waiting
        assert ({"demo"}, since) == (since.keys(), here.fleet.passed_over_since)


async def test_a_reading_in_which_a_process_began_tells_nothing_of_others(tmp_path: Path) -> None:
    """Its own memory may have been counted as theirs."""
    async with made(tmp_path, [CARD]) as here:
        begun = Process(4711, frozenset({"demo"}), is_worn=False)
        here.probe.meanwhile = lambda: here.processes.there.update({"cuda:0": begun})
        here.probe.tell("cuda:0", used_mb=7900)
        await here.until(lambda: here.fleet.view("owner")[0].reading.used_mb == 7900)
        assert 1 == len(await here.decide("a"))


async def test_too_few_tasks_wait_for_company_no_longer_than_they_may(tmp_path: Path) -> None:
    """The fleet says when to decide again; by then the task starts alone."""
    scheduler = {"min_batch_size": 2, "batch_timeout_s": 0.3}
    async with made(tmp_path, [CPU], scheduler=scheduler) as here:
        assert () == await here.decide("a")
        assert {"demo": Why.BATCH} == here.fleet.waiting
        assert here.fleet.decide_again_s is not None
        assert 0 < here.fleet.decide_again_s <= 0.3
        began = time.monotonic()
        await asyncio.sleep(here.fleet.decide_again_s)
        assert ["a"] == [place.task_id for place in await here.decide("a")]
        assert time.monotonic() - began < SOON_S


async def test_a_device_that_is_worn_out_takes_nobody(tmp_path: Path) -> None:
    """Until its process, which has no memory left, has ended with its last task."""
    async with made(tmp_path, [CARD]) as here:
        await here.start_one("a")
        here.processes.there["cuda:0"] = Process(4711, frozenset({"demo"}), is_worn=True)
        assert () == await here.decide("b")
        assert {"demo": Why.SLOTS} == here.fleet.waiting


@pytest.mark.parametrize("device", [CARD, CPU])
async def test_a_model_whose_file_says_nothing_is_tried(tmp_path: Path, device: Device) -> None:
    """The engine will name what is wrong with it."""
    async with made(tmp_path, [device]) as here:
        assert 1 == len(await here.decide("a", model="unreadable"))
