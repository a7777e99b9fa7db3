"""How far a transcript is from what was said: word error rate, and character error rate for Chinese."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence


def error_rate(reference: str, hypothesis: str, language: str) -> float:
    """Measure the share of the reference that was misheard, left out or added.

    Capitals, punctuation and line breaks do not count.

    Args:
        reference: what was said.
        hypothesis: what was recognized.
        language: ``zh`` counts characters, every other language words.

    Returns:
        Edits per unit of the reference: 0.0 is perfect, and above 1.0 more was added than was said.

    Raises:
        ValueError: if the reference has no words.
    """
    said, heard = _units(reference, language), _units(hypothesis, language)
    if not said:
        raise ValueError("the reference has no words to score against")
    return _edits(said, heard) / len(said)


def _units(text: str, language: str) -> list[str]:
    """Cut a text into what is counted, without capitals and punctuation."""
    letters = (
        letter if letter.isalnum() or letter == "'" else " " for letter in unicodedata.normalize("NFKC", text).lower()
    )
    words = "".join(letters).split()
    return list("".join(words)) if language == "zh" else words


def _edits(said: Sequence[str], heard: Sequence[str]) -> int:
    """Count the fewest insertions, deletions and substitutions between two sequences (Levenshtein).

    One row of the table is made at a time. Within a row, an insertion depends on its left neighbor;
    a running minimum over ``cost - column`` does all of them at once.
    """
    numbers: dict[str, int] = {}
    said_codes, heard_codes = (
        np.array([numbers.setdefault(unit, len(numbers)) for unit in units], dtype=np.int64) for units in (said, heard)
    )
    columns = np.arange(len(heard) + 1)
    row = columns.copy()
    for code in said_codes:
        without_insertions = row + 1
        without_insertions[1:] = np.minimum(without_insertions[1:], row[:-1] + (heard_codes != code))
        row = np.minimum.accumulate(without_insertions - columns) + columns
    return int(row[-1])
