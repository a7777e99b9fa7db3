"""How values become JSON, where that is more than copying."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pipeline.core.products import Artifacts, Audio, CleanText, MediaInfo
from pipeline.core.progress import Progress, Reading
from pipeline.core.task import LayerState, Options, Source, Stage, Status, Task, first_layers, with_layer
from pipeline.core.transcript import Segment, Word
from pipeline.http import show
from pipeline.http.layers import Layer, choose_layer, result
from pipeline.refusals import LayerAbsent, NotReady

OPTIONS = Options(model="small")
TASK = Task(
    id="a",
    owner="me",
    source=Source("https://example.com/a", "https://example.com/a"),
    options=OPTIONS,
    created_at=0.0,
    updated_at=0.0,
    status=Status.PROCESSING,
    stage=Stage.TRANSCRIBE,
    layers=first_layers(OPTIONS),
)
MEDIA = MediaInfo("generic", "a", "Site's title", author="Site's author")


@pytest.mark.parametrize(
    ("moment", "shown"),
    [(None, None), (0.0, "1970-01-01T00:00:00.000Z"), (1_769_817_600.1234, "2026-01-31T00:00:00.123Z")],
)
def test_time(moment: float | None, shown: str | None) -> None:
    """A time is shown in UTC to the millisecond."""
    assert shown == show.time(moment)


def test_progress_before_the_first_reading() -> None:
    """A task without a reading is at 0 percent, never at null."""
    shown = show.progress(TASK, None)
    assert (0.0, 0.0, None) == (shown["percent"], shown["stage_percent"], shown["bytes_done"])


def test_progress_of_the_stage() -> None:
    """Percents and seconds have one decimal, the time that is left is whole seconds."""
    reading = Reading(Stage.TRANSCRIBE, 0.58333, 1050.04, 1800.0, speed=12.44, eta_s=60.4)
    expected = {
        "percent": 41.7,
        "stage_percent": 58.3,
        "source_seconds_done": 1050.0,
        "source_seconds_total": 1800.0,
        "speed": 12.4,
        "eta_seconds": 60,
        "bytes_done": None,
        "bytes_total": None,
    }
    assert expected == show.progress(TASK, Progress(41.666, reading))


def test_reading_of_an_earlier_stage_is_not_shown() -> None:
    """The figures of a stage end with it; the percent stays."""
    reading = Reading(Stage.DOWNLOAD, 1.0, bytes_done=10, bytes_total=10)
    shown = show.progress(TASK, Progress(25.0, reading))
    assert (25.0, 0.0, None) == (shown["percent"], shown["stage_percent"], shown["bytes_done"])


@pytest.mark.parametrize(("status", "percent"), [(Status.PROCESSING, 99.9), (Status.COMPLETED, 100.0)])
def test_hundred_percent_belongs_to_completed(status: Status, percent: float) -> None:
    """Rounding never shows 100 percent before the task is completed."""
    shown = show.progress(replace(TASK, status=status), Progress(99.96, Reading(Stage.DELIVER, 1.0)))
    assert percent == shown["percent"]


def test_callers_title_goes_first() -> None:
    """A title given with the request is shown before the site's, which fills in what was not given."""
    task = replace(TASK, options=replace(OPTIONS, title="Mine"), artifacts=Artifacts(media=MEDIA))
    shown = show.media(task)
    assert shown
    assert ("Mine", "Site's author", None) == (shown["title"], shown["author"], shown["duration"])


def test_measured_duration_fills_in() -> None:
    """The length as decoded is shown where the site did not say it."""
    shown = show.media(replace(TASK, artifacts=Artifacts(media=MEDIA, audio=Audio("a.pcm", 61.5))))
    assert shown
    assert 61.5 == shown["duration"]


def test_words_are_shown_where_there_are_any() -> None:
    """A segment has words only if the recognizer gave some."""
    bare, spoken = show.segments([Segment(0, 0.0, 1.0, "a"), Segment(1, 1.0, 2.0, "b", (Word(1.0, 2.0, "b", 0.5),))])
    assert "words" not in bare
    assert [{"start": 1.0, "end": 2.0, "word": "b", "probability": 0.5}] == spoken["words"]


@pytest.mark.parametrize(
    ("state", "status", "error"),
    [
        (LayerState.PENDING, Status.PROCESSING, NotReady),
        (LayerState.PENDING, Status.RETRYING, NotReady),
        (LayerState.PENDING, Status.FAILED, LayerAbsent),
        (LayerState.FAILED, Status.COMPLETED, LayerAbsent),
        (LayerState.DISABLED, Status.PROCESSING, LayerAbsent),
        (LayerState.SKIPPED_SHORT, Status.COMPLETED, LayerAbsent),
    ],
)
def test_layer_that_is_not_there(state: LayerState, status: Status, error: type[Exception]) -> None:
    """A layer that will come is not ready; one that will not is absent."""
    task = replace(TASK, status=status, layers=with_layer(TASK, "summary", state))
    with pytest.raises(error):
        choose_layer(task, Layer.SUMMARY)


@pytest.mark.parametrize(
    ("proofread", "layer"),
    [
        (LayerState.PENDING, Layer.RAW),
        (LayerState.DONE, Layer.PROOFREAD),
        (LayerState.PARTIAL, Layer.PROOFREAD),
        (LayerState.FAILED, Layer.PROOFREAD),
        (LayerState.DISABLED, Layer.RAW),
    ],
)
def test_best_text_there_is(proofread: LayerState, layer: Layer) -> None:
    """Without a wish the readable text is chosen, also where the LLM failed, or else the recognizer's."""
    task = replace(TASK, layers=with_layer(TASK, "transcript", LayerState.DONE))
    task = replace(task, layers=with_layer(task, "proofread", proofread))
    assert layer is choose_layer(task, None)


def test_silence_has_an_empty_text() -> None:
    """A layer that is there but empty is shown as such."""
    task = replace(TASK, artifacts=Artifacts(proofread=CleanText((), "offline")))
    assert ("", []) == (result(Layer.RAW, task, []).text, result(Layer.PROOFREAD, task, []).segments)
