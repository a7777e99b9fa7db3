"""A text cut into chunks that an LLM is asked about, each word still with its time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, groupby, pairwise

from pipeline.core.products import Paragraph
from stages._offline import Piece, paragraph
from stages._words import words


@dataclass(frozen=True, slots=True)
class Spoken:
    """A word and about when it was said, in seconds."""

    word: str
    start: float
    end: float


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some pieces of a text, each with the number of its paragraph."""

    pieces: tuple[tuple[int, Piece], ...]

    @property
    def paragraphs(self) -> tuple[Paragraph, ...]:
        """Its text as it is."""
        groups = groupby(self.pieces, key=lambda numbered: numbered[0])
        return tuple(paragraph([piece for _, piece in group]) for _, group in groups)

    @property
    def text(self) -> str:
        """The paragraphs, one blank line between them."""
        return "\n\n".join(each.text for each in self.paragraphs)

    def spoken(self) -> list[Spoken]:
        """Its words, spread evenly over the time of their pieces."""
        found = []
        for _, piece in self.pieces:
            said = words(piece.text)
            times = [piece.start + (piece.end - piece.start) * place / len(said) for place in range(len(said))]
            times.append(piece.end)
            found += [Spoken(word, start, end) for word, (start, end) in zip(said, pairwise(times), strict=True)]
        return found

    def halves(self) -> tuple[Chunk, ...]:
        """Cut it nearest to its middle, between paragraphs if it has several; nothing if it is one piece."""
        numbers = [number for number, _ in self.pieces]
        places = range(1, len(numbers))
        cuts = [place for place in places if numbers[place - 1] != numbers[place]] or places
        if not cuts:
            return ()
        before = [0, *accumulate(len(piece.text) for _, piece in self.pieces)]
        cut = min(cuts, key=lambda place: abs(2 * before[place] - before[-1]))
        return Chunk(self.pieces[:cut]), Chunk(self.pieces[cut:])


def in_chunks(paragraphs: Sequence[Sequence[Piece]], characters: int) -> list[Chunk]:
    """Put paragraphs together while they have so many characters at most; a longer one is cut between its pieces."""
    chunks: list[list[tuple[int, Piece]]] = []
    room = 0
    for number, pieces in enumerate(paragraphs):
        if sum(len(piece.text) for piece in pieces) > room:
            room = 0
        for piece in pieces:
            if room < len(piece.text):
                chunks.append([])
                room = characters
            chunks[-1].append((number, piece))
            room -= len(piece.text)
    return [Chunk(tuple(chunk)) for chunk in chunks]
