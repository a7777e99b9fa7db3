"""One device's process behind its protocol: results, deaths, silences, and interruption."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from pipeline.bridge import StopSignal
from pipeline.config import load_settings
from pipeline.core.device import Device
from pipeline.core.placement import Placement
from pipeline.core.task import Options, Source, Task
from pipeline.core.transcript import Segment
from pipeline.engine.device_host import DeviceHost, News
from pipeline.errors import Interrupted
from pipeline.failures import (
    EngineDied,
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

    def __init__(self, folder: Path, socket_folder: Path, least_limit_s: float = 600.0, **transcribe: float) -> None:
        overrides = {f"transcribe.{name}": value for name, value in transcribe.items()}
        settings = load_settings(None, overrides=overrides, environ={})
        program = "tests.integration.scripted_host"
        self.news: list[News] = []
        roster = Roster(folder / "processes")
        self.device = DeviceHost(CPU, socket_folder / "s", Shelf(), settings, roster, program, self.news.append)
        self.device.least_limit_s = least_limit_s
        self._sound = folder / "sound"
        self.heard: list[tuple[list[Segment], float]] = []
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
        request = Recognition(self._sound, 1.0, "zh", None, None, 0.0)
        return self.device.recognize(place, task, request, self._hear, stop or StopSignal())

    def _hear(self, segments: Sequence[Segment], done_s: float) -> None:
        self.heard.append((list(segments), done_s))
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
    return {"segments": [[start, end, text]], "done_s": end}


def test_segments_come_in_order_and_the_end_names_language_model_and_device(host: Callable[..., Host]) -> None:
    """Segments come in order, and the end names language, model and device."""
    one = host()
    assert Recognized("zh", "demo", "cpu") == one.recognize(line(0, 1, "甲"), line(1, 2, "乙"))
    assert ["甲", "乙"] == [segment.text for segments, _ in one.heard for segment in segments]
    assert 2 == one.heard[-1][1]


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
