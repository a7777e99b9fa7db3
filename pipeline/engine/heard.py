"""What a model has heard of a chunk, as values: how far to trust it, its sentences, its words."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

from pipeline.core.transcript import Word

TEMPERATURES = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
"""A chunk whose text is doubtful at one is decoded at the next; the limits below are those of
Whisper (its paper, section 4.5)."""
MOST_COMPRESSIBLE = 2.4
"""A text that compresses better than this repeats itself."""
LEAST_LOGPROB = -1.0
"""A text whose tokens are less likely than this on average is doubtful."""
NO_SPEECH = 0.6
"""With at least this probability of no speech, a doubtful text is none."""
TOKEN_S = 0.02
"""Seconds between two timestamp tokens."""


@dataclass(frozen=True, slots=True)
class Heard:
    """What one decoding of a chunk gave."""

    tokens: tuple[int, ...]
    text: str
    logprob: float
    """Average over its tokens."""
    no_speech: float
    is_whole: bool = True
    """Whether the text came to its end: a model writes only so much at once."""

    @property
    def repeats(self) -> bool:
        """Whether it says the same again and again."""
        said = self.text.encode()
        return len(said) > MOST_COMPRESSIBLE * len(zlib.compress(said))

    @property
    def is_silence(self) -> bool:
        """Whether nothing was said."""
        return self.no_speech > NO_SPEECH and self.logprob < LEAST_LOGPROB

    @property
    def is_doubtful(self) -> bool:
        """Whether another temperature may give a better text."""
        return not self.is_silence and (self.repeats or self.logprob < LEAST_LOGPROB)


@dataclass(frozen=True, slots=True)
class Aligned:
    """A word of a chunk, its times in seconds from the chunk's beginning, and how many tokens it is written with."""

    word: Word
    tokens: int


@dataclass(frozen=True, slots=True)
class Sentence:
    """What was said between two timestamps."""

    start: float
    end: float
    text: str
    words: tuple[Word, ...] = ()

    @classmethod
    def of(cls, start: float, end: float, text: str, words: Iterable[Word]) -> Self:
        """Keep the times of the words within those of the sentence, one word behind the other."""
        at, kept = start, []
        for word in words:
            begin = min(max(word.start, at), end)
            at = min(max(word.end, begin), end)
            kept.append(replace(word, start=begin, end=at))
        return cls(start, end, text, tuple(kept))

    def moved(self, beginning: Callable[[float], float], end: Callable[[float], float] | None = None) -> Sentence:
        """The same at other times; the way of a beginning and that of an end may differ."""
        end = end or beginning
        words = (replace(word, start=beginning(word.start), end=end(word.end)) for word in self.words)
        start = beginning(self.start)
        return Sentence.of(start, max(start, end(self.end)), self.text, words)

    def line(self) -> list[Any]:
        """As it is told to the daemon."""
        words = [
            [round(word.start, 3), round(word.end, 3), word.word, round(word.probability, 3)] for word in self.words
        ]
        return [round(self.start, 3), round(self.end, 3), self.text, words]


def best_of(tries: Sequence[Heard]) -> Heard:
    """Choose among decodings of the same chunk: the one that nobody doubts, else the likeliest that does not repeat."""
    if not tries[-1].is_doubtful:
        return tries[-1]
    return max([heard for heard in tries if not heard.repeats] or tries, key=lambda heard: heard.logprob)


def up_to_last_end(tokens: Sequence[int], first_timestamp: int) -> tuple[tuple[int, ...], float]:
    """Leave out what stands behind the last end of a sentence, which is a timestamp behind words.

    Returns:
        The other tokens, and when that sentence ends, in seconds; none and 0 if no sentence ends.
    """
    ends = (place for place in range(len(tokens) - 1, 0, -1) if tokens[place] >= first_timestamp > tokens[place - 1])
    last = next(ends, None)
    if last is None:
        return (), 0.0
    return tuple(tokens[: last + 1]), (tokens[last] - first_timestamp) * TOKEN_S


def split(
    tokens: Sequence[int], first_timestamp: int, seconds: float
) -> Iterator[tuple[float, float, tuple[int, ...]]]:
    """Split tokens where one sentence's end meets the next one's start.

    Args:
        tokens: text between timestamps, as Whisper writes it: ``<start> text <end> <start> text <end>``.
        first_timestamp: the token of 0.00 s; every later one stands for 0.02 s more.
        seconds: where a text ends that has no timestamp behind it.

    Yields:
        Start and end in seconds, within the chunk and never running backwards, and the tokens of the text.
    """
    start, text = 0.0, list[int]()
    for token in tokens:
        if token < first_timestamp:
            text.append(token)
            continue
        at = min(seconds, max(start, (token - first_timestamp) * TOKEN_S))
        if text:
            yield start, at, tuple(text)
            text = []
        start = at
    if text:
        yield start, max(start, seconds), tuple(text)
