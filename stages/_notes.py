"""What an LLM says about a text: lines with a bullet, shorter than the text, and about it."""

from __future__ import annotations

import re

from pipeline.core.text import count_characters
from stages._asking import Unusable
from stages._words import words

BULLET = "• "

SHORT_ENOUGH = 200
"""So many characters are never too long, however short the text was."""
_LONGEST_SHARE = 0.5
"""Most characters of the notes, in lengths of the text."""
_LEAST_BULLETED = 0.7
"""Share of the characters that must stand in lines with a bullet; a word before them does no harm."""
_LEAST_GROUNDED = 0.3
"""Share of the different words that the text must have too: less is another language, or an excuse."""

_LINE = re.compile(r"\s*(?:[•·*–-]|\d{1,2}[.)、．])\s*(\S.*)")
_EMPHASIS = re.compile(r"\*\*|__")


def checked_notes(source: str, answer: str) -> str:
    """Return the lines of an answer, each with the one bullet.

    Raises:
        Unusable: they are none, or not about the source.
    """
    found = [match[1].strip() for line in answer.splitlines() if (match := _LINE.match(_EMPHASIS.sub("", line)))]
    length = count_characters("".join(found))
    if not found or length < _LEAST_BULLETED * count_characters(answer):
        raise Unusable("it is not made of lines with a bullet")
    if length > max(SHORT_ENOUGH, _LONGEST_SHARE * count_characters(source)):
        raise Unusable(f"{length} characters are too many")
    said = set(words("\n".join(found)))
    grounded = len(said & set(words(source))) / max(1, len(said))
    if grounded < _LEAST_GROUNDED:
        raise Unusable(f"only {grounded:.2f} of its words are the text's")
    return "\n".join(f"{BULLET}{line}" for line in found)
