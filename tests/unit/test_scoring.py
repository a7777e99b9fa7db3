"""The error rate that examples and tests are scored with."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from examples.scoring import error_rate

words = st.lists(st.sampled_from(["one", "two", "three"]), min_size=1, max_size=8)


def test_the_same_text_has_no_errors() -> None:
    """A transcript equal to the reference scores 0."""
    assert 0.0 == error_rate("The red ship.", "The red ship.", "en")


def test_capitals_punctuation_and_line_breaks_do_not_count() -> None:
    """Only words are compared."""
    assert 0.0 == error_rate("The red ship.\nIs it slow?", "the red ship, is it slow", "en")


@pytest.mark.parametrize(
    ("heard", "expected"),
    [
        ("one two three", 0.25),
        ("one two four four", 0.25),
        ("one two three four five", 0.25),
        ("two three four", 0.25),
        ("zero one two three four", 0.25),
        ("", 1.0),
        ("one two three four one two three four one", 1.25),
    ],
)
def test_each_missing_wrong_or_added_word_counts_once(heard: str, expected: float) -> None:
    """The rate is edits per word of the reference, and may exceed 1."""
    assert expected == error_rate("one two three four", heard, "en")


def test_chinese_is_scored_by_character() -> None:
    """One wrong character of seven is a seventh."""
    assert pytest.approx(1 / 7) == error_rate("白色的书在学校。", "白色的书,在上校", "zh")


def test_a_reference_without_words_is_refused() -> None:
    """Nothing can be scored against silence."""
    with pytest.raises(ValueError, match="no words"):
        error_rate("…", "one", "en")


@given(words, words)
def test_the_edits_agree_with_the_textbook(said: list[str], heard: list[str]) -> None:
    """The row-wise computation finds the same distance as the plain recursion."""
    assert _textbook(said, heard) / len(said) == error_rate(" ".join(said), " ".join(heard), "en")


def _textbook(said: list[str], heard: list[str]) -> int:
    row = list(range(len(heard) + 1))
    for i, one in enumerate(said, 1):
        diagonal, row[0] = row[0], i
        for j, other in enumerate(heard, 1):
            diagonal, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, diagonal + (one != other))
    return row[-1]
