"""The text stage without an LLM: punctuation and paragraphs from the pauses. No word is lost or altered."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest

from pipeline.core.products import Paragraph
from pipeline.core.transcript import Segment


@dataclass(frozen=True, slots=True)
class _Style:
    """How a language is punctuated."""

    stop: str
    comma: str
    comma_pause_s: float
    """From this pause on a comma is set; the recognizer breaks lines of spaced scripts in mid-sentence."""
    longest_sentence: int
    """Characters after which the next end of a segment ends the sentence, however short the pause."""
    wide: bool
    """Whether it is written without spaces, with marks of full width."""


_CHINESE = _Style("。", "，", comma_pause_s=0.0, longest_sentence=80, wide=True)
_JAPANESE = _Style("。", "、", comma_pause_s=0.0, longest_sentence=80, wide=True)
_SPACED = _Style(".", ",", comma_pause_s=0.3, longest_sentence=240, wide=False)
_STYLES = {"zh": _CHINESE, "yue": _CHINESE, "ja": _JAPANESE}

SENTENCE_PAUSE_S = 0.7
"""A speaker who pauses this long has ended a sentence."""
PARAGRAPH_PAUSE_S = 1.8
"""A speaker who pauses this long has ended a thought."""

_READABLE, _LONG, _TOO_LONG = 200, 450, 800
"""Characters of a paragraph: from here a shorter pause ends it, any sentence ends it, any segment ends it."""

_STOPS = ".。．｡!！?？…؟।"
_PAUSES = ",，、､;；:：،–—-"
_CLOSERS = "\"'”’」』）)】》〉]"
_WIDE = r"\u3000-\u30ff\u3400-\u9fff\uf900-\ufaff\uff00-\uff60\U00020000-\U0003ffff"
_WIDE_CHARACTER = re.compile(f"[{_WIDE}]")
_NARROW_MARK = re.compile(rf"(?<=[{_WIDE}])([,.?!:;])(?:\s*(?=[{_WIDE}])|$)")
_WIDE_MARKS = str.maketrans(",.?!:;", "，。？！：；")


@dataclass(frozen=True, slots=True)
class Piece:
    """A segment with its punctuation, and the silence behind it in seconds."""

    start: float
    end: float
    text: str
    pause_s: float

    @property
    def ends_sentence(self) -> bool:
        return _last_mark(self.text) in _STOPS


def clean(segments: Sequence[Segment], language: str) -> tuple[Paragraph, ...]:
    """Make readable paragraphs of what was heard.

    Args:
        segments: in order, as the recognizer made them.
        language: its code, such as ``zh`` or ``en``; it decides on marks, spaces and capitals.
    """
    return tuple(map(paragraph, paragraphs_of_pieces(segments, language)))


def paragraphs_of_pieces(segments: Sequence[Segment], language: str) -> list[tuple[Piece, ...]]:
    """Make the same paragraphs, each still in its pieces."""
    style = _STYLES.get(language, _SPACED)
    return list(_grouped(_punctuated(segments, style)))


def _punctuated(segments: Sequence[Segment], style: _Style) -> Iterator[Piece]:
    """Give every segment the marks and the capital it lacks."""
    spoken = [segment for segment in segments if segment.text.strip()]
    sentence_length = 0
    for segment, following in zip_longest(spoken, spoken[1:]):
        pause_s = following.start - segment.end if following else math.inf
        text = " ".join(segment.text.split())
        if style.wide:
            text = _NARROW_MARK.sub(lambda found: found[1].translate(_WIDE_MARKS), text)
        elif sentence_length == 0:
            text = _capitalized(text)
        sentence_length += len(text)
        text += _missing_mark(text, pause_s, style, is_long=sentence_length >= style.longest_sentence)
        piece = Piece(segment.start, segment.end, text, pause_s)
        sentence_length = 0 if piece.ends_sentence else sentence_length
        yield piece


def _capitalized(text: str) -> str:
    """Capitalize the first word, unless it has a spelling of its own such as ``iPhone``."""
    first = text.split(" ", 1)[0]
    capital = text[0].upper()
    return capital + text[1:] if first.islower() and capital.lower() == text[0] else text


def _missing_mark(text: str, pause_s: float, style: _Style, *, is_long: bool) -> str:
    last = _last_mark(text)
    if last in _STOPS or last in _PAUSES or unicodedata.category(last) == "So":  # notes, emoji
        return ""
    if pause_s >= SENTENCE_PAUSE_S or is_long:
        return style.stop
    return style.comma if pause_s >= style.comma_pause_s else ""


def _last_mark(text: str) -> str:
    """The last character that is no closing quote or bracket."""
    return (text.rstrip(_CLOSERS) or text)[-1]


def _grouped(pieces: Iterator[Piece]) -> Iterator[tuple[Piece, ...]]:
    """Group what belongs in one paragraph: long pauses end one, and length makes shorter pauses do."""
    group: list[Piece] = []
    for piece in pieces:
        group.append(piece)
        if _ends_paragraph(piece, sum(len(member.text) for member in group)):
            yield tuple(group)
            group = []
    if group:
        yield tuple(group)


def _ends_paragraph(piece: Piece, length: int) -> bool:
    if not piece.ends_sentence:
        return length >= _TOO_LONG
    needed_s = PARAGRAPH_PAUSE_S if length < _READABLE else SENTENCE_PAUSE_S if length < _LONG else -math.inf
    return piece.pause_s >= needed_s


def paragraph(pieces: Sequence[Piece]) -> Paragraph:
    """Join pieces, with spaces where their script has them."""
    text = pieces[0].text
    for piece in pieces[1:]:
        text += _space_between(text, piece.text) + piece.text
    return Paragraph(pieces[0].start, pieces[-1].end, text)


def _space_between(left: str, right: str) -> str:
    return "" if _WIDE_CHARACTER.match(left[-1]) or _WIDE_CHARACTER.match(right[0]) else " "
