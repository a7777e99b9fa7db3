"""One device's process behind its protocol: results, deaths, silences, and interruption."""

from __future__ import annotations

import json
import os
import select
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from pipeline.bridge import StopSignal
from pipeline.config import load_settings
from pipeline.core.device import Device
from pipeline.core.memory import Peak
from pipeline.core.placement import Placement
from pipeline.core.task import Options, Source, Task
from pipeline.core.transcript import Segment
from pipeline.engine.device_host import DeviceHost
from pipeline.engine.news import Died, News, RanOut, Served
from pipeline.errors import Interrupted
from pipeline.failures import (
    EngineDied,
    GpuOutOfMemory,
    ModelCorrupt,
    ModelMissing,
    TranscribeTimeout,
    WorkerStalled,
)
from pipeline.ports import Recognition, Recognized
from pipeline.roster import Roster

TASK = Task("t", "o", Source("u", "u"), Options("demo"), 0.0, 0.0)
CPU = Device("cpu", "CPU", 2)
PLACE = Placement("t", "cpu", "demo", batch=4, compute_types=("int8", "float32"), beside=frozenset({"demo"}))
WITHIN_S = 5.0


class Shelf:
    """Has every model but one."""

    def folder(self, name: str) -> Path | None:
        return None if name == "absent" else Path("/models") / name


class Host:
    """A scripted device, and what it has said so far."""

    def __init__(
        self,
        folder: Path,
        socket_folder: Path,
        device: Device = CPU,
        least_limit_s: float = 600.0,
        **transcribe: float,
    ) -> None:
        overrides = {f"transcribe.{name}": value for name, value in transcribe.items()}
        settings = load_settings(None, overrides=overrides, environ={})
        program = "tests.integration.scripted_host"
        self.news: list[News] = []
        roster = Roster(folder / "processes")
        self.device = DeviceHost(device, socket_folder / "s", Shelf(), settings, roster, program, self.news.append)
        self.device.least_limit_s = least_limit_s
        self._sound = folder / "sound"
        self.heard: list[tuple[list[Segment], float, str]] = []
        self.first = threading.Event()

    def recognize(
        self,
        *say: dict[str, Any],
        then: str = "done",
        stop: StopSignal | None = None,
        task: Task = TASK,
        place: Placement = PLACE,
    ) -> Recognized:
        self._sound.write_text(json.dumps({"say": say, "then": then}), encoding="utf-8")
        request = Recognition(self._sound, lambda: 1.0, "zh", None, None, 0.0)
        return self.device.recognize(place, task, request, self._hear, stop or StopSignal())

    def _hear(self, segments: Sequence[Segment], done_s: float, language: str) -> None:
        self.heard.append((list(segments), done_s, language))
        self.first.set()


@pytest.fixture
def host(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Host]]:
    made: list[Host] = []

    def make(**transcribe: float) -> Host:
        # A Unix socket's path holds at most 107 bytes, so it gets a short folder of its own.
        made.append(Host(tmp_path, tmp_path_factory.mktemp("s"), **transcribe))
        return made[-1]

    yield make
    for one in made:
        one.device.close()


def line(start: float, end: float, text: str) -> dict[str, Any]:
    return {"segments": [[start, end, text]], "done_s": end, "language": "zh"}


def test_segments_come_in_order_and_the_end_names_language_model_and_device(host: Callable[..., Host]) -> None:
    """Segments come in order, and the end names language, model and device."""
    one = host()
    assert Recognized("zh", "demo", "cpu") == one.recognize(line(0, 1, "甲"), line(1, 2, "乙"))
    assert ["甲", "乙"] == [segment.text for segments, _, _ in one.heard for segment in segments]
    assert (2, "zh") == one.heard[-1][1:]


def test_a_model_that_cannot_be_loaded_is_named_corrupt(host: Callable[..., Host]) -> None:
    """A model that cannot be loaded is named corrupt; the process goes on."""
    one = host()
    with pytest.raises(ModelCorrupt, match="no such layer"):
        one.recognize({"error": "model_corrupt", "detail": "no such layer"}, then="hang")
    assert "zh" == one.recognize().language


def test_a_model_that_is_not_here_is_never_asked_for(host: Callable[..., Host]) -> None:
    """A model that is not here is named missing."""
    absent = Task("t", "o", Source("u", "u"), Options("absent"), 0.0, 0.0)
    with pytest.raises(ModelMissing, match="absent"):
        host().recognize(task=absent)


def test_the_death_of_the_process_fails_what_it_had_in_hand_and_the_next_one_starts(
    host: Callable[..., Host],
) -> None:
    """The death of the process fails what it had in hand, keeps what it had said, and the next work starts another."""
    one = host()
    with pytest.raises(EngineDied):
        one.recognize(line(0, 1, "before"), then="die")
    assert "before" == one.heard[0][0][0].text
    assert "zh" == one.recognize().language


def test_silence_for_too_long_ends_the_process(host: Callable[..., Host]) -> None:
    """Silence for too long ends the process: a thread inside the engine cannot be stopped."""
    one = host(stall_s=0.3)
    with pytest.raises(WorkerStalled, match=r"0\.3"):
        one.recognize(line(0, 1, "a"), then="hang")
    assert "zh" == one.recognize().language


def test_a_recognizer_that_never_ends_is_cut_off_by_the_clock(host: Callable[..., Host]) -> None:
    """A recognizer that says things for ever is cut off by the clock."""
    with pytest.raises(TranscribeTimeout):
        host(least_limit_s=0.3, max_factor=0.1).recognize(line(0, 1, "a"), then="repeat")


def test_a_stop_interrupts_at_once(host: Callable[..., Host]) -> None:
    """A stop interrupts at once, whatever the recognizer does."""
    one, stop = host(), StopSignal()

    def raise_when_it_runs() -> None:
        assert one.first.wait(WITHIN_S)
        stop.raise_now()

    raiser = threading.Thread(target=raise_when_it_runs)
    raiser.start()
    with pytest.raises(Interrupted):
        one.recognize(line(0, 1, "a"), then="hang", stop=stop)
    raiser.join()


def test_a_recording_that_was_done_tells_what_it_took(host: Callable[..., Host]) -> None:
    """The scheduler is told of compute type and batch and whose they were; the task, whether memory was short."""
    one = host()
    assert not one.recognize().is_short
    process = one.device.process
    assert process is not None
    assert [Served("cpu", "demo", "int8", (Peak(2, 300),))] == one.news
    assert frozenset({"demo"}) == process.models
    assert one.recognize(place=replace(PLACE, batch=8)).is_short
    assert one.recognize(place=replace(PLACE, compute_types=("float32",))).is_short


def test_every_death_is_told_once(host: Callable[..., Host]) -> None:
    """Whether somebody waits for the process or not."""
    one = host()
    with pytest.raises(EngineDied):
        one.recognize(then="die")
    assert [Died("cpu")] == one.news
    one.recognize()
    process = one.device.process
    assert process is not None
    os.kill(process.pid, signal.SIGKILL)
    select.select([os.pidfd_open(process.pid)], [], [], WITHIN_S)
    assert one.device.process is None
    one.recognize()
    assert [Died, Served, Died, Served] == [type(news) for news in one.news]


def test_a_process_ends_for_a_model_it_may_not_be_beside(host: Callable[..., Host]) -> None:
    """Another model comes beside the first where it may; where not, or with other batches, a new process begins."""
    one = host()
    other = replace(TASK, options=Options("other"))
    pids = []
    for task, place in (
        (TASK, PLACE),
        (other, replace(PLACE, model="other", beside=frozenset({"demo", "other"}))),
        (other, replace(PLACE, model="other", beside=frozenset({"other"}))),
        (other, replace(PLACE, model="other", beside=frozenset({"other"}), batch=2)),
    ):
        one.recognize(task=task, place=place)
        assert one.device.process is not None
        pids.append(one.device.process.pid)
    assert [True, False, False] == [before == after for before, after in pairwise(pids)]
    assert frozenset({"other"}) == one.device.process.models
    assert Died not in {type(news) for news in one.news}


def test_a_device_without_memory_says_so_and_its_process_is_of_no_more_use(host: Callable[..., Host]) -> None:
    """The scheduler hears of it, and the process ends with its last task: its model fills the device."""
    one = host()
    with pytest.raises(GpuOutOfMemory, match="CUDA"):
        one.recognize({"error": "out_of_memory", "detail": "CUDA failed with error out of memory"}, then="hang")
    assert [RanOut("cpu", "demo", ("int8", "float32"))] == one.news
    assert one.device.process is None


def test_an_idle_process_can_be_ended(host: Callable[..., Host]) -> None:
    """One that has work in hand goes on; afterwards it can be, and that is no death."""
    one, stop = host(), StopSignal()

    def work() -> None:
        with suppress(Interrupted):
            one.recognize(line(0, 1, "a"), then="hang", stop=stop)

    working = threading.Thread(target=work)
    working.start()
    assert one.first.wait(WITHIN_S)
    one.device.unload_if_idle("demo")
    assert one.device.process is not None
    stop.raise_now()
    working.join()
    one.device.unload_if_idle("demo")
    assert one.device.process is None
    assert [] == one.news


def test_an_idle_model_leaves_the_process_that_another_is_at_work_in(host: Callable[..., Host]) -> None:
    """For one that it may not be beside, and when it has had nothing to do for long; the process goes on."""
    one, stop = host(), StopSignal()
    other, third = (replace(TASK, options=Options(name)) for name in ("other", "third"))
    one.recognize(task=other, place=replace(PLACE, model="other", beside=frozenset({"other"})))

    def work() -> None:
        with suppress(Interrupted):
            place = replace(PLACE, beside=frozenset({"demo", "other"}))
            one.recognize(line(0, 1, "a"), then="hang", stop=stop, place=place)

    working = threading.Thread(target=work)
    working.start()
    assert one.first.wait(WITHIN_S)
    pid, models = seen(one)
    assert {"demo", "other"} == models
    one.recognize(task=third, place=replace(PLACE, model="third", beside=frozenset({"demo", "third"})))
    assert (pid, {"demo", "third"}) == seen(one)
    one.device.unload_if_idle("third")
    one.device.unload_if_idle("demo")
    assert (pid, {"demo"}) == seen(one)
    stop.raise_now()
    working.join()


def seen(one: Host) -> tuple[int, frozenset[str]]:
    process = one.device.process
    assert process is not None
    return process.pid, process.models


def test_a_card_that_fails_ends_its_process(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Whatever its process did next would fail, too. It saw this one card only, by its name, whatever its number is."""
    card = Device("cuda:1", "A card", 2, 8192, "GPU-1")
    one = Host(tmp_path, tmp_path_factory.mktemp("s"), card)
    with pytest.raises(EngineDied, match="cuda:0 is GPU-1"):
        one.recognize(then="fail")
    assert ([Died("cuda:1")], None) == (one.news, one.device.process)
