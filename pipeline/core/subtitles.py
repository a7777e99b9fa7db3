"""Subtitles: texts as cues with the times of the source, in SubRip and WebVTT.

The readable text has other words, marks and breaks than what was heard, but every cue of it has the times of one
segment: the two are aligned letter by letter, and the text is cut where the segments end. No letter is lost or
shown twice, whatever an LLM made of them.
"""

from __future__ import annotations

import html
import re
from bisect import bisect_right
from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

from rapidfuzz.distance import Levenshtein

from pipeline.core.products import Paragraph
from pipeline.core.text import is_boundary
from pipeline.core.transcript import Segment


@dataclass(frozen=True, slots=True)
class Cue:
    """One line on the screen; times in whole milliseconds from the start of the source, ``end`` after ``start``."""

    start_ms: int
    end_ms: int
    text: str


Stretch = tuple[float, float, str]
"""A text with its place in the source, in seconds."""


def cues_of_segments(segments: Iterable[Segment]) -> list[Cue]:
    """Make a cue of every segment that says something."""
    return list(_cues((segment.start, segment.end, segment.text) for segment in segments))


def cues_of_paragraphs(paragraphs: Sequence[Paragraph], segments: Sequence[Segment]) -> list[Cue]:
    """Cut readable text where the segments end that it was made from, and give each piece its segment's times.

    Args:
        paragraphs: the readable text, in order; those that begin with a segment were made from it and what follows.
        segments: what was heard, in order.
    """
    spoken = [segment for segment in segments if segment.text.strip()]
    passages = _passages(paragraphs, {segment.start for segment in spoken})
    shares = _shared_out([passage[0].start for passage in passages], spoken)
    pairs = zip(passages, shares, strict=True)
    return list(_cues(stretch for passage, share in pairs for stretch in _stretches(passage, share)))


def _cues(stretches: Iterable[Stretch]) -> Iterator[Cue]:
    """Bring stretches into the form of cues: on one line, not blank, none before the one above it."""
    earliest_ms = 0
    for start_s, end_s, text in stretches:
        line = " ".join(text.split())
        if line:
            earliest_ms = max(earliest_ms, round(start_s * 1000))
            yield Cue(earliest_ms, max(earliest_ms + 1, round(end_s * 1000)), line)


def _passages(paragraphs: Sequence[Paragraph], starts: Container[float]) -> list[list[Paragraph]]:
    """Group paragraphs so that every passage but the first begins with a segment.

    An LLM may end a paragraph in the middle of one. Passages are short, which keeps aligning them quick.
    """
    passages: list[list[Paragraph]] = []
    for paragraph in paragraphs:
        if not passages or paragraph.start in starts:
            passages.append([])
        passages[-1].append(paragraph)
    return passages


def _shared_out(starts: Sequence[float], segments: Sequence[Segment]) -> list[list[Segment]]:
    """Give every segment to the last passage that begins no later than it does."""
    latest = list(accumulate(starts, max))
    shares: list[list[Segment]] = [[] for _ in starts]
    for segment in segments if shares else ():
        shares[max(0, bisect_right(latest, segment.start) - 1)].append(segment)
    return shares


def _stretches(passage: Sequence[Paragraph], segments: Sequence[Segment]) -> Iterator[Stretch]:
    """Cut a passage where its segments end; without any its paragraphs have times of their own."""
    if not segments:
        yield from ((paragraph.start, paragraph.end, paragraph.text) for paragraph in passage)
        return
    text = "\n".join(paragraph.text for paragraph in passage)
    cuts = [0, *_cuts(text, [segment.text for segment in segments]), len(text)]
    for segment, (begin, end) in zip(segments, pairwise(cuts), strict=True):
        yield segment.start, segment.end, text[begin:end]


# ---------------------------------------------------------------------------------------------
# Where a text is cut
# ---------------------------------------------------------------------------------------------

_OPENERS = "\"'“‘「『（《【〈([<{¿¡"
_WIDE = re.compile(
    r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3000-\u30ff\u3400-\u9fff\uf900-\ufaff\uff00-\uff60\U00020000-\U0003ffff]"
)
"""Letters and marks of scripts that put no space between words."""


def _cuts(text: str, heard: Sequence[str]) -> list[int]:
    """Find where, in ``text``, each of the texts ``heard`` but the last one ends; never falling."""
    places = [place for place, character in enumerate(text) if character.isalnum()]
    ends = list(accumulate(len(_letters(each)) for each in heard))[:-1]
    matched = _matched("".join(map(_letters, heard)), _letters(text), ends)
    return [_cut(text, places, count) for count in matched]


def _letters(text: str) -> str:
    """What is compared: letters and digits, in one case, each one character."""
    return "".join(character.casefold()[0] for character in text if character.isalnum())


def _matched(heard: str, written: str, ends: Iterable[int]) -> list[int]:
    """Tell how many letters of ``written`` stand for the first so many letters of ``heard``; never falling.

    The alignment is the one with the fewest changed letters. What was put in goes with the letters before it.
    """
    knots = [(0, 0), *((step.src_end, step.dest_end) for step in Levenshtein.opcodes(heard, written))]
    matched = []
    for end in ends:
        above = bisect_right(knots, end, key=lambda knot: knot[0])
        from_heard, from_written = knots[above - 1]
        # Between two knots both texts run on letter by letter, or only one of them does.
        matched.append(from_written if above == len(knots) else min(from_written + end - from_heard, knots[above][1]))
    return matched


def _cut(text: str, places: Sequence[int], count: int) -> int:
    """Cut after so many letters, or where a word is whole: marks stay with what they follow or open."""
    if count in {0, len(places)}:
        return len(text) if count else 0
    begin, end = places[count - 1] + 1, places[count]
    between = next((place for place in range(end, begin - 1, -1) if _fits(text, place)), None)
    return _nearest(text, begin) if between is None else between


def _nearest(text: str, place: int) -> int:
    before = next(left for left in range(place, -1, -1) if _fits(text, left))
    after = next(right for right in range(place, len(text) + 1) if _fits(text, right))
    return before if place - before <= after - place else after


def _fits(text: str, place: int) -> bool:
    """Tell whether one line may end and the next begin here."""
    if place in {0, len(text)}:
        return True
    left, right = text[place - 1], text[place]
    if left.isspace() or right.isspace():
        return not right.isspace()
    begins = (right.isalnum() or right in _OPENERS) and left not in _OPENERS
    return begins and is_boundary(text, place) and bool(_WIDE.match(left) or _WIDE.match(right))


# ---------------------------------------------------------------------------------------------
# Formats
# ---------------------------------------------------------------------------------------------


def write_srt(cues: Iterable[Cue]) -> str:
    """Write SubRip. It knows no escapes, so what a player might take for a tag or a time becomes its look-alike."""
    blocks = [
        f"{number}\n{_clock(cue.start_ms, ',')} --> {_clock(cue.end_ms, ',')}\n{_plain(cue.text)}\n"
        for number, cue in enumerate(cues, start=1)
    ]
    return "\n".join(blocks)


def write_vtt(cues: Iterable[Cue]) -> str:
    """Write WebVTT (https://www.w3.org/TR/webvtt1/); ``&``, ``<`` and ``>`` are escaped."""
    blocks = [
        f"{_clock(cue.start_ms, '.')} --> {_clock(cue.end_ms, '.')}\n{html.escape(cue.text, quote=False)}\n"
        for cue in cues
    ]
    return "\n".join(["WEBVTT\n", *blocks])


def _plain(text: str) -> str:
    return re.sub(r"<(?=[A-Za-z/!?])", "＜", text).replace("-->", "--＞")


def _clock(time_ms: int, point: str) -> str:
    seconds, milliseconds = divmod(time_ms, 1000)
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}{point}{milliseconds:03}"
