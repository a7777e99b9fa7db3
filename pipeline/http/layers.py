"""The layers of a task's text, and which of them an answer may hold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from pipeline.core.task import CleanText, LayerState, Task
from pipeline.core.transcript import Segment, plain_text
from pipeline.errors import LayerAbsent, NotReady
from pipeline.http import show


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


_THERE = frozenset({LayerState.DONE, LayerState.PARTIAL})


@dataclass(frozen=True, slots=True)
class Result:
    """The text of one layer."""

    layer: Layer
    text: str
    segments: list[dict[str, Any]]


def choose_layer(task: Task, wanted: Layer | None) -> Layer:
    """Choose what to show: the layer asked for, or else the best text there is.

    Raises:
        NotReady: it will be there later.
        LayerAbsent: it will not.
    """
    layer = wanted or _best(task)
    state = dict(task.layers)[layer.state_name]
    if state in _THERE:
        return layer
    if state is LayerState.PENDING and not task.status.final:
        raise NotReady(f"{layer}: {state}", param="layer")
    raise LayerAbsent(f"{layer}: {state}", param="layer")


def _best(task: Task) -> Layer:
    """Name the readable text if it is there, or else the recognizer's."""
    return Layer.PROOFREAD if dict(task.layers)[Layer.PROOFREAD.state_name] in _THERE else Layer.RAW


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
