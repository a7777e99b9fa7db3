"""Where texts are cut, shortened and split into sentences."""

from __future__ import annotations

import time
from itertools import accumulate

import pytest
from hypothesis import given, strategies as st

from pipeline.core.text import count_characters, cut, is_boundary, sentences, shorten

CHARACTERS = [
    "a", "é", "e\u0301", "汉", "が", "か\u3099", "👩‍👩‍👧‍👦", "🏳️‍🌈", "🇨🇳", "🇩🇪", "👍🏽", "1️⃣", "🏴󠁧󠁢󠁥󠁮󠁧󠁿",
    "한", "\u1112\u1161\u11ab", "ก\u0e33", "क\u094dष", "،", "。", " ", "\n", "\r\n",
]  # fmt: skip
"""Each is one character to the reader, and stays one beside any other."""

LINK = "https://example.com/watch?v=a.b,c;d&t=1!x"


@given(st.text(), st.integers(4, 60))
def test_chunks_concatenate_to_the_text(text: str, limit_bytes: int) -> None:
    """Any text is cut into chunks of valid UTF-8 within the limit, none empty, that are together the text."""
    chunks = cut(text, limit_bytes)
    assert text == "".join(chunks)
    assert all(0 < len(chunk.encode()) <= limit_bytes for chunk in chunks)


@given(st.lists(st.sampled_from(CHARACTERS)), st.integers(30, 80))
def test_characters_stay_whole(characters: list[str], limit_bytes: int) -> None:
    """No cut falls inside an emoji sequence, a flag, a syllable or between a letter and its marks."""
    whole = {0, *accumulate(map(len, characters))}
    cuts = set(accumulate(map(len, cut("".join(characters), limit_bytes))))
    assert cuts <= whole


@given(st.lists(st.sampled_from([LINK, "看", "word", " ", "，", "。", "\n", "www．example.com/a?b=c"])))
def test_links_stay_whole(pieces: list[str]) -> None:
    """A link that fits in a chunk is not divided between two."""
    text = " ".join(pieces)
    chunks = cut(text, 100)
    assert text.count(LINK) == sum(chunk.count(LINK) for chunk in chunks)
    assert text == "".join(chunks)


@given(st.lists(st.tuples(st.text("ab汉。,", min_size=1, max_size=30), st.text(" \n\t", max_size=12))))
def test_no_chunk_is_blank(words: list[tuple[str, str]]) -> None:
    """Space does not make a chunk of its own, even where it ends the text."""
    assert all(chunk.strip() for chunk in cut("".join(map("".join, words)), 40))


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("一二三四。\n\n五六七。八九十百千万。", "一二三四。\n\n"),
        ("一二三四。\n五六七。八九十百千万。", "一二三四。\n"),
        ("一二三四五。六七，八九十百千万", "一二三四五。"),
        ("一二三四，五六七 八九十百千万", "一二三四，"),
        ("一二三四 五六七八九十百千万", "一二三四 "),
        ("一二三四五六七八九十百千万", "一二三四五六七八"),
        ("他说：“好吗？”然后走了很远的路", "他说：“好吗？”"),
        ("a short sentence. One more, which is long", "a short sentence. "),
        ("pi is roughly 3.1415926535897", "pi is roughly "),
        ("We met at ten. “Hello” she said", "We met at ten. "),
    ],
)
def test_best_break_wins(text: str, first: str) -> None:
    """A chunk ends at a paragraph rather than a line, sentence, clause, word, and only then between characters."""
    assert first == cut(text, 25)[0]


def test_break_near_the_beginning_is_not_taken() -> None:
    """A break in the first half would waste a message."""
    full = "一。二三四五六七八"
    assert [full, "九十"] == cut(full + "九十", 27)


def test_limit_must_hold_one_character() -> None:
    """A limit below the widest character is refused, because no cut could obey it."""
    with pytest.raises(ValueError, match="room for any one character"):
        cut("汉", 3)


@pytest.mark.parametrize("unit", ["a", "汉", ".", " ", "🇨", "\u0301", "👩\u200d", '."', "www.", "http://"])
def test_cutting_takes_linear_time(unit: str) -> None:
    """200 kB of the same thing again and again is cut in far less than half a second."""
    text = unit * (200_000 // len(unit.encode()))
    began = time.process_time()
    assert text == "".join(cut(text, 2038))
    assert time.process_time() - began < 0.5


@pytest.mark.parametrize("character", CHARACTERS)
def test_character_has_no_boundary_inside(character: str) -> None:
    """What the reader sees as one character has no boundary inside, and one on each side."""
    text = f"x{character}x"
    inside = range(2, 1 + len(character))
    assert not any(is_boundary(text, place) for place in inside)
    assert is_boundary(text, 1)
    assert is_boundary(text, 1 + len(character))


def test_flags_are_pairs() -> None:
    """In a row of flags there is a boundary after every second half."""
    flags = ["🇨🇳", "🇩🇪", "🇫🇷"]
    text = "".join(flags)
    ends = list(accumulate(map(len, flags)))
    assert ends == [place for place in range(1, len(text) + 1) if is_boundary(text, place)]


@given(st.text(), st.integers(2, 12), st.integers(4, 40))
def test_shortened_text_is_a_beginning(text: str, characters: int, limit_bytes: int) -> None:
    """A shortened text is within both limits, and is the text or a beginning of it with an ellipsis."""
    short = shorten(text, characters=characters, limit_bytes=limit_bytes)
    assert len(short.encode()) <= limit_bytes
    assert short == text or (short.endswith("…") and text.startswith(short[:-1]))
    assert sum(is_boundary(short, place) for place in range(1, len(short) + 1)) <= characters


@pytest.mark.parametrize(
    ("text", "short"),
    [
        ("abcdef", "abcdef"),
        ("abcdefg", "abcde…"),
        ("👩‍👩‍👧👩‍👩‍👧", "👩‍👩‍👧…"),
        ("a" + "\u0301" * 1000, "…"),
        ("", ""),
    ],
)
def test_shortening_keeps_characters_whole(text: str, short: str) -> None:
    """At most six characters and 24 bytes are kept, whole ones, the ellipsis included."""
    assert short == shorten(text, characters=6, limit_bytes=24)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("你好。我是小明！你呢？", ["你好。", "我是小明！", "你呢？"]),
        ("他说：“走吧。”于是走了。", ["他说：“走吧。”", "于是走了。"]),
        ("Hello there. How are you? Fine!", ["Hello there.", "How are you?", "Fine!"]),
        ("Pi is 3.14. It never ends.", ["Pi is 3.14.", "It never ends."]),
        ("Dr. Smith met J. Doe in the U.S. Senate.", ["Dr. Smith met J. Doe in the U.S. Senate."]),
        ("Some fruit, e.g. Apples. So do I. Good.", ["Some fruit, e.g. Apples.", "So do I.", "Good."]),
        ('"Really?" he asked. "Go."', ['"Really?" he asked.', '"Go."']),
        ("Well... maybe. Wait... Now!", ["Well... maybe.", "Wait...", "Now!"]),
        ("今天用Python 3.11.很好.", ["今天用Python 3.11.", "很好."]),
        ("one line\nanother line\n\n", ["one line", "another line"]),
        ("", []),
    ],
)
def test_sentences(text: str, expected: list[str]) -> None:
    """Stops end sentences; decimals, initials, abbreviations and quotations inside them do not."""
    assert expected == sentences(text)


@given(st.text())
def test_sentences_lose_nothing(text: str) -> None:
    """All sentences together are the text, space aside."""
    assert "".join(text.split()) == "".join("".join(sentences(text)).split())


def test_space_is_not_counted() -> None:
    """Characters are what is written, in any script."""
    written = "你好abcd"
    assert len(written) == count_characters(" 你 好 \n a b　c d\t")
