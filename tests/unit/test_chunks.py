"""How a text is cut into chunks, and where its words are in time."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, strategies as st

from stages._chunks import Chunk, Spoken, in_chunks
from stages._offline import Piece


def pieces(*texts: str, start: float = 0.0) -> tuple[Piece, ...]:
    """Pieces of two seconds each, one after the other."""
    return tuple(Piece(start + 2 * place, start + 2 * place + 2, text, 0.0) for place, text in enumerate(texts))


def texts(chunks: list[Chunk]) -> list[str]:
    """What each chunk shows to the LLM."""
    return [chunk.text for chunk in chunks]


@pytest.mark.parametrize(
    ("paragraphs", "characters", "expected"),
    [
        ([], 10, []),
        ([pieces("一二三。")], 10, ["一二三。"]),
        ([pieces("一二三。"), pieces("四五六。")], 10, ["一二三。\n\n四五六。"]),
        ([pieces("一二三。"), pieces("四五六。"), pieces("七。")], 8, ["一二三。\n\n四五六。", "七。"]),
        ([pieces("一。"), pieces("二三四五，", "六七八九。")], 10, ["一。", "二三四五，六七八九。"]),
        ([pieces("一二三四，", "五六七八，", "九十。")], 10, ["一二三四，五六七八，", "九十。"]),
        ([pieces("一二三四五六七八九十。"), pieces("一。")], 5, ["一二三四五六七八九十。", "一。"]),
    ],
)
def test_chunks_hold_whole_paragraphs(
    paragraphs: list[tuple[Piece, ...]], characters: int, expected: list[str]
) -> None:
    """Paragraphs stay together while there is room; one that is too long is cut between its segments."""
    assert expected == texts(in_chunks(paragraphs, characters))


@given(
    st.lists(st.lists(st.text("abc", min_size=1, max_size=9), min_size=1, max_size=6), max_size=8), st.integers(1, 30)
)
def test_chunks_hold_every_piece_once(paragraphs: list[list[str]], characters: int) -> None:
    """Nothing is lost or doubled, in any order, and no chunk is empty."""
    chunks = in_chunks([pieces(*paragraph) for paragraph in paragraphs], characters)
    held = [(number, piece.text) for chunk in chunks for number, piece in chunk.pieces]
    assert [(number, text) for number, paragraph in enumerate(paragraphs) for text in paragraph] == held
    assert all(chunk.pieces for chunk in chunks)


@pytest.mark.parametrize(
    ("paragraphs", "expected"),
    [
        ([pieces("一二三。"), pieces("四五六。")], ["一二三。", "四五六。"]),
        (
            [pieces("一。"), pieces("二三四五六七，", "八九。"), pieces("十一。")],
            ["一。\n\n二三四五六七，八九。", "十一。"],
        ),
        ([pieces("一，", "二，", "三四五。")], ["一，二，", "三四五。"]),
        ([pieces("一二三四五。")], []),
    ],
)
def test_halves(paragraphs: list[tuple[Piece, ...]], expected: list[str]) -> None:
    """A chunk is cut between paragraphs, or else between segments, nearest to its middle; a segment is one thing."""
    (chunk,) = in_chunks(paragraphs, 100)
    assert expected == texts(list(chunk.halves()))


def test_words_have_the_times_of_their_segment() -> None:
    """Words stand evenly in the time of their segment, and its first and last have its start and end."""
    (chunk,) = in_chunks([pieces("We stop, here.", "现在。")], 100)
    first, second = 2 / 3, 4 / 3
    expected = [
        Spoken("we", 0.0, first),
        Spoken("stop", first, second),
        Spoken("here", second, 2.0),
        Spoken("现", 2.0, 3.0),
        Spoken("在", 3.0, 4.0),
    ]
    assert expected == chunk.spoken()
    assert all(one.end <= other.start for one, other in pairwise(chunk.spoken()))
