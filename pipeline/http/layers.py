"""The layers of a task's text, and which of them an answer may hold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from pipeline.core.document import write_document
from pipeline.core.head import Language
from pipeline.core.products import CleanText
from pipeline.core.subtitles import Cue, cues_of_paragraphs, cues_of_segments, write_srt, write_vtt
from pipeline.core.task import LayerState, Task
from pipeline.core.transcript import Segment, plain_text
from pipeline.http import show
from pipeline.refusals import InvalidValue, LayerAbsent, NotReady


class Layer(StrEnum):
    """One reading of what was said."""

    RAW = "raw"
    PROOFREAD = "proofread"
    SUMMARY = "summary"
    CHAPTERS = "chapters"
    TRANSLATION = "translation"

    @property
    def state_name(self) -> str:
        """Its name among the layers of a task's state."""
        return "transcript" if self is Layer.RAW else self.value


class Format(StrEnum):
    """How a result is written."""

    JSON = "json"
    TXT = "txt"
    MD = "md"
    SRT = "srt"
    VTT = "vtt"


MEDIA_TYPES = {
    Format.TXT: "text/plain; charset=utf-8",
    Format.MD: "text/markdown; charset=utf-8",
    Format.SRT: "application/x-subrip; charset=utf-8",
    Format.VTT: "text/vtt; charset=utf-8",
}
"""Of the bare bodies; JSON comes in the envelope. All name UTF-8: some clients read other texts as Latin-1."""

_SUBTITLES = frozenset({Format.SRT, Format.VTT})
_TIMELESS = frozenset({Layer.SUMMARY})


_THERE = frozenset({LayerState.DONE, LayerState.PARTIAL})
_READABLE = _THERE | {LayerState.FAILED}
"""Where the LLM failed, the delivered text is the offline stage's: no layer to ask for, but the best text there is."""


@dataclass(frozen=True, slots=True)
class Result:
    """The text of one layer."""

    layer: Layer
    text: str
    segments: list[dict[str, Any]]


def check_pair(form: Format, layer: Layer | None) -> None:
    """Refuse a layer that cannot be written so.

    Raises:
        InvalidValue: subtitles of a text without times.
    """
    if form in _SUBTITLES and layer in _TIMELESS:
        raise InvalidValue(f"{layer} has no times, so it cannot be written as {form}", param="format")


def choose_layer(task: Task, wanted: Layer | None) -> Layer:
    """Choose what to show: the layer asked for, or else the best text there is.

    Raises:
        NotReady: it will be there later.
        LayerAbsent: it will not.
    """
    layer = wanted or _best(task)
    state = dict(task.layers)[layer.state_name]
    if state in (_THERE if wanted else _READABLE):
        return layer
    if state is not LayerState.PENDING:
        raise LayerAbsent(f"{layer}: {state}", param="layer")
    if task.status.final:
        raise LayerAbsent(f"{layer}: never made, the task is {task.status}", param="layer")
    raise NotReady(f"{layer}: {state}", param="layer")


def _best(task: Task) -> Layer:
    """Name the readable text if it is there, or else the recognizer's."""
    return Layer.PROOFREAD if dict(task.layers)[Layer.PROOFREAD.state_name] in _READABLE else Layer.RAW


def result(layer: Layer, task: Task, segments: Sequence[Segment]) -> Result:
    """Make the result of a layer that is there."""
    made = task.artifacts
    if layer is Layer.SUMMARY and made.summary:
        return Result(layer, made.summary.text, [])
    if layer is Layer.PROOFREAD and made.proofread:
        return Result(layer, made.proofread.text, _paragraphs(made.proofread))
    return Result(layer, plain_text(segments), show.segments(segments))


def _paragraphs(text: CleanText) -> list[dict[str, Any]]:
    return [
        {"id": number, "start": paragraph.start, "end": paragraph.end, "text": paragraph.text}
        for number, paragraph in enumerate(text.paragraphs)
    ]


# ---------------------------------------------------------------------------------------------
# Bare bodies
# ---------------------------------------------------------------------------------------------


def write_result(form: Format, made: Result, task: Task, segments: Sequence[Segment], language: Language) -> str:
    """Write a result as a body of its own.

    Args:
        form: anything but JSON.
        made: the layer.
        task: whose layer it is.
        segments: the recognizer's, whose times all subtitles have.
        language: of the words around the text.
    """
    match form:
        case Format.MD:
            return _document(made, task, language)
        case Format.SRT:
            return write_srt(_cues(made.layer, task, segments))
        case Format.VTT:
            return write_vtt(_cues(made.layer, task, segments))
        case _:
            return made.text


def _cues(layer: Layer, task: Task, segments: Sequence[Segment]) -> list[Cue]:
    clean = task.artifacts.proofread
    if layer is Layer.PROOFREAD and clean:
        return cues_of_paragraphs(clean.paragraphs, segments)
    return cues_of_segments(segments)


def _document(made: Result, task: Task, language: Language) -> str:
    media, summary = task.artifacts.media, task.artifacts.summary
    title = task.options.title or (media.title if media else "")
    above = summary.text if summary and made.layer is Layer.PROOFREAD else ""
    return write_document(title, task.source.url, made.text, language, summary=above)
