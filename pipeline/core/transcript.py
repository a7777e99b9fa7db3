"""What the recognizer heard: segments and words, in faster-whisper's terms."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Word:
    """One word with its times in seconds from the start of the source."""

    start: float
    end: float
    word: str
    probability: float


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of speech, usually a sentence; times in seconds from the start of the source."""

    id: int
    start: float
    end: float
    text: str
    words: tuple[Word, ...] = ()


def plain_text(segments: Iterable[Segment]) -> str:
    """The recognizer's text as it came, one segment a line."""
    return "\n".join(segment.text.strip() for segment in segments)
