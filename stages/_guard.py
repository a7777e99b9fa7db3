"""Whether what an LLM gives back is still the text it was given, and which part of it comes from where."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rapidfuzz.distance import Levenshtein

from stages._asking import Unusable

SHORTEST_SHARE, LONGEST_SHARE = 0.6, 1.5
"""Bounds of the answer's length, in lengths of the source."""
LEAST_ALIKE = 0.5
"""Share of the words that must have stayed."""
LONGEST_RUN = 8
"""Words in a row that may be missing, or be there without a source; about a short sentence."""
_ISLAND = 3
"""Fewer equal words than this between two changes are chance: both are one change."""


class Alignment:
    """A text of words laid beside what became of it."""

    def __init__(self, source: Sequence[str], answer: Sequence[str]) -> None:
        """Lay them side by side."""
        self._source = source
        self._answer = answer
        self._steps = Levenshtein.opcodes(source, answer)

    def check(self) -> None:
        """Make sure that the answer is the source, corrected.

        Raises:
            Unusable: something is lost, added, or all of it is another text.
        """
        share = len(self._answer) / max(1, len(self._source))
        if not SHORTEST_SHARE <= share <= LONGEST_SHARE:
            raise Unusable(f"its length is {share:.2f} of the source's")
        alike = sum(step.src_end - step.src_start for step in self._steps if step.tag == "equal")
        likeness = alike / max(1, len(self._source), len(self._answer))
        if likeness < LEAST_ALIKE:
            raise Unusable(f"only {likeness:.2f} of the words have stayed")
        run = max(map(abs, self._losses()))
        if run > LONGEST_RUN:
            raise Unusable(f"{run} words in a row are lost or added")

    def _losses(self) -> Iterator[int]:
        """By how many words each change shortens the text; a change that lengthens it is negative."""
        lost = 0
        for step in self._steps:
            if step.tag == "equal" and step.src_end - step.src_start >= _ISLAND:
                yield lost
                lost = 0
            lost += (step.src_end - step.src_start) - (step.dest_end - step.dest_start)
        yield lost

    def source_place(self, place: int) -> int:
        """Find the place between words of the source that a place between words of the answer comes from."""
        for step in self._steps:
            if place <= step.dest_start:
                return step.src_start
            if place < step.dest_end:
                within = (place - step.dest_start) / (step.dest_end - step.dest_start)
                return step.src_start + round(within * (step.src_end - step.src_start))
        return len(self._source)
