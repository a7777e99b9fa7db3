"""From a recording to chunks of speech: read in windows, silence left out, packed to what a model hears at once.

Memory does not grow with the length of the recording: one window is held at a time, and of it only where speech is.
"""

from __future__ import annotations

import itertools
import math
import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import numpy as np

from pipeline.core.products import GROWING
from pipeline.engine.whisper import speech_in

SAMPLE_RATE = 16_000
BYTES_PER_SAMPLE = 2
FIRST_WINDOW_S, WINDOW_S = 60, 120
"""Seconds searched for speech at a time, which takes 0.6 MiB of memory for each. The first window is shorter, so that
the first words come early."""
STRETCH_S = 300
"""Seconds that the sequential way hears as one: it takes a megabyte of memory for each of them."""
PAUSE_MS = 64
"""Milliseconds of silence that end a span: two of the detector's frames. More spans fill chunks better."""
PAD_S = 0.4
"""How much of the silence around a span is heard with it; between two spans at most half of it each."""
TIGHT_PADS_S = (0.3, 0.2)
"""How much it may be, widest first, where the recording would otherwise make more chunks than if it were cut blindly:
each costs the same, whatever is in it. With less, texts get worse."""
BREATH_S = 6.0
"""Nobody speaks for much longer without a pause. A chunk ends in a pause of its last so many seconds; a span that is
longer may be cut in its quietest moment."""
WORTH = 10
"""To end in a pause that is a second longer, a chunk may be so many seconds emptier,"""
SENTENCE_S = 0.4
"""but no pause is worth more than this one, which only sentences have between them."""
CUT = 0.12
"""Where a span is cut, the quietest moment is looked for in this share of a chunk."""
QUIET_S = 0.04
"""Length of a quiet moment: the closure of a stop consonant, the least gap between two words."""


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of the recording, in samples from its beginning."""

    start: int
    end: int
    pause: int = 0
    """How long nothing is said behind it."""
    lead: int = 0
    """How much silence it begins with."""
    tail: int = 0
    """How much silence it ends with."""

    @property
    def length(self) -> int:
        """How many samples it has."""
        return self.end - self.start


@dataclass(frozen=True, slots=True)
class Chunk:
    """Speech that is recognized at once: spans of the recording, one after the other, what is between them left out."""

    spans: tuple[Span, ...]

    @property
    def seconds(self) -> float:
        """Its length without what was left out."""
        return sum(span.length for span in self.spans) / SAMPLE_RATE

    @property
    def end_s(self) -> float:
        """Where in the recording it ends."""
        return self.spans[-1].end / SAMPLE_RATE

    def cut(self, time_s: float) -> tuple[Chunk, Chunk]:
        """What is before and what is behind a moment of the chunk; neither may be empty."""
        before, behind = list[Span](), list[Span]()
        left = round(time_s * SAMPLE_RATE)
        for span in self.spans:
            place = span.start + min(max(0, left), span.length)
            if place > span.start:
                before.append(replace(span, end=place))
            if place < span.end:
                behind.append(replace(span, start=place))
            left -= span.length
        return Chunk(tuple(before)), Chunk(tuple(behind))

    def source_time(self, time_s: float, *, is_end: bool = False) -> float:
        """Where in the recording a moment of the chunk lies, in seconds.

        Where two spans meet, an end belongs to the first of them and a beginning to the second.
        """
        sample = round(time_s * SAMPLE_RATE)
        passed = 0
        for span in self.spans:
            if sample < passed + span.length or (is_end and sample == passed + span.length):
                return (span.start + max(0, sample - passed)) / SAMPLE_RATE
            passed += span.length
        return self.end_s


class Recording:
    """16 kHz mono s16le sound in a file, which may still be growing."""

    def __init__(self, path: Path, start_s: float = 0.0, wait: Callable[[], object] = lambda: None) -> None:
        """Begin at ``start_s`` seconds.

        Args:
            path: of the samples; while they are being written, ``GROWING`` stands behind its name.
            start_s: where to begin.
            wait: waits a moment, as often as sound is needed that is not there yet; it may raise.
        """
        self._path = path
        self._start = round(start_s * SAMPLE_RATE)
        self._wait = wait
        self.length_s = 0.0
        """As far as it was looked for; more may be there by now."""
        try:
            self._file = path.with_name(path.name + GROWING).open("rb")
        except FileNotFoundError:
            self._file = path.open("rb")  # in this order: it may get its name at any moment

    def __enter__(self) -> Self:
        """Read from it as long as the block runs."""
        return self

    def __exit__(self, *_: object) -> None:
        """Read no more."""
        self._file.close()

    def chunks(self, most_s: float) -> Iterator[Chunk | float]:
        """Yield chunks of at most ``most_s`` seconds in order, and how far the search has come, in seconds.

        A span that a window's end cuts begins the next window, and what does not fill a chunk waits for more: borders
        of windows lose nothing and double nothing. Where sentences have pauses between them, there are no more chunks
        than if the recording were cut blindly. Nothing waits longer than a window in which nobody speaks.
        """
        most, count = round(most_s * SAMPLE_RATE), 0
        waiting: list[Span] = []
        for spans, following in self._windows(FIRST_WINDOW_S, WINDOW_S):
            room = math.ceil((following - self._start) / most) - count
            chunks, waiting = pack_into(room, [*waiting, *spans], most, self._quietest)
            count += len(chunks)
            yield from chunks
            if waiting and not spans:
                yield Chunk(tuple(waiting))
                waiting, count = [], count + 1
            if not waiting:
                yield following / SAMPLE_RATE
        if waiting:
            yield Chunk(tuple(waiting))

    def stretches(self) -> Iterator[Span]:
        """Yield stretches in which someone speaks, silence included, in order; each ends in a pause if there is one."""
        at = self._start
        for spans, following in self._windows(STRETCH_S, STRETCH_S):
            if spans:
                yield Span(at, following)
            at = following

    def _windows(self, first_s: int, size_s: int) -> Iterator[tuple[list[Span], int]]:
        """Yield the spans of speech of one window after the other, and where the next window begins."""
        at, size, is_last = self._start, first_s * SAMPLE_RATE, False
        while not is_last:
            is_last = self._await(at + size)
            window = self._read(at, size)
            found = [replace(span, start=at + span.start, end=at + span.end) for span in find_speech(window)]
            spans, following = _complete(found, at, at + len(window), is_last=is_last)
            yield spans, following
            at, size = following, size_s * SAMPLE_RATE

    def _await(self, place: int) -> bool:
        """Wait until there is sound up to a place; returns whether it ends there or earlier."""
        while True:
            is_whole = self._path.exists()  # asked first: from then on its length is final
            length = os.fstat(self._file.fileno()).st_size // BYTES_PER_SAMPLE
            self.length_s = length / SAMPLE_RATE
            if is_whole or length >= place:
                return is_whole and length <= place
            self._wait()

    def samples(self, chunk: Chunk) -> np.ndarray:
        """Read the sound of a chunk, as float32 samples."""
        return np.concatenate([self._read(span.start, span.length) for span in chunk.spans])

    def _quietest(self, start: int, end: int) -> int:
        """Find the middle of the quietest moment between two places."""
        sound = self._read(start, end - start)
        width = round(QUIET_S * SAMPLE_RATE)
        energy = np.convolve(sound * sound, np.ones(width), mode="valid")
        return start + int(energy.argmin()) + width // 2 if len(energy) else (start + end) // 2

    def _read(self, start: int, count: int) -> np.ndarray:
        raw = os.pread(self._file.fileno(), count * BYTES_PER_SAMPLE, start * BYTES_PER_SAMPLE)
        samples = np.frombuffer(raw, dtype="<i2", count=len(raw) // BYTES_PER_SAMPLE).astype(np.float32)
        samples /= 32768.0  # in place: of a window, a copy is megabytes
        return samples


def find_speech(window: np.ndarray) -> list[Span]:
    """Find the spans of speech in a window, with the silence around them that belongs to them."""
    edges = [edge for span in speech_in(window, PAUSE_MS) for edge in span]
    if not edges:
        return []
    pauses = [edges[0], *(after - before for before, after in zip(edges[1:-1:2], edges[2::2], strict=True))]
    pauses.append(len(window) - edges[-1])
    pad = round(PAD_S * SAMPLE_RATE)
    pads = [min(pad, pauses[0]), *(min(pad, pause // 2) for pause in pauses[1:-1]), min(pad, pauses[-1])]
    return [
        Span(start - pads[place], end + pads[place + 1], pauses[place + 1], pads[place], pads[place + 1])
        for place, (start, end) in enumerate(zip(edges[::2], edges[1::2], strict=True))
    ]


def _complete(spans: list[Span], start: int, end: int, *, is_last: bool) -> tuple[list[Span], int]:
    """Leave what may go on behind the window to the next one: its last span, or the silence at its end.

    Returns:
        The other spans, and where the next window begins: silence that may belong to a word behind the border is heard
        with it. A span that fills half a window is not left: it is speech without a pause, or music.
    """
    if is_last:
        return spans, end
    known = spans[-1].end if spans else start
    if known < end:
        return spans, max(known, end - round(PAD_S * SAMPLE_RATE))
    if spans[-1].length > (end - start) // 2:
        return spans, end
    return spans[:-1], spans[-1].start


def pack_into(
    room: int, spans: Sequence[Span], most: int, quietest: Callable[[int, int], int]
) -> tuple[list[Chunk], list[Span]]:
    """Put spans together as ``pack`` does, but to ``room`` chunks at most if shorter pauses between them achieve that.

    No pause is shortened that need not be, nor in vain.
    """
    packed = pack(spans, most, quietest)
    for pad_s in TIGHT_PADS_S:
        if _count(packed) <= room:
            return packed
        packed = pack(tighten(spans, round(pad_s * SAMPLE_RATE)), most, quietest)
    return packed if _count(packed) <= room else pack(spans, most, quietest)


def _count(packed: tuple[list[Chunk], list[Span]]) -> int:
    chunks, left = packed
    return len(chunks) + bool(left)


def tighten(spans: Sequence[Span], pad: int) -> list[Span]:
    """Leave no more than ``pad`` samples of silence at either end of each span."""
    return [
        replace(
            span,
            start=span.start + max(0, span.lead - pad),
            end=span.end - max(0, span.tail - pad),
            lead=min(span.lead, pad),
            tail=min(span.tail, pad),
        )
        for span in spans
    ]


def pack(spans: Sequence[Span], most: int, quietest: Callable[[int, int], int]) -> tuple[list[Chunk], list[Span]]:
    """Put spans together to chunks of at most ``most`` samples.

    Whatever is in a chunk, it costs the recognizer the same, so few and full ones are wanted; but words are best left
    whole, so a chunk ends in the longest pause once it is nearly full.

    Args:
        spans: in order.
        most: samples of a chunk.
        quietest: finds where to cut between two places of the recording.

    Returns:
        The chunks that are full, and the spans that are left.
    """
    chunks: list[Chunk] = []
    left = deque(spans)
    taken: list[Span] = []
    room = most
    while left:
        span = left.popleft()
        if span.length <= room:
            taken.append(span)
            room -= span.length
            continue
        too_empty = min(room, span.length) > BREATH_S * SAMPLE_RATE
        if too_empty or not taken:
            least = max(1, room - round(CUT * most))
            cut = quietest(span.start + least, span.start + room)
            taken.append(replace(span, end=cut, pause=0, tail=0))
            left.appendleft(replace(span, start=cut, lead=0))
        else:
            left.appendleft(span)
            count = _where_to_end(taken, most)
            left.extendleft(reversed(taken[count:]))
            del taken[count:]
        chunks.append(Chunk(tuple(taken)))
        taken, room = [], most
    return chunks, taken


def _where_to_end(spans: Sequence[Span], most: int) -> int:
    """How many of the spans that fit to take: a full chunk is wanted, and one that does not tear a sentence."""
    filled = list(itertools.accumulate(span.length for span in spans))
    rest = [place for place in range(len(spans)) if filled[place] >= most - BREATH_S * SAMPLE_RATE]

    def worth(place: int) -> float:
        return filled[place] + WORTH * min(spans[place].pause, SENTENCE_S * SAMPLE_RATE)

    return max(rest, key=worth, default=len(spans) - 1) + 1
