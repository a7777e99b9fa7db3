"""What an LLM says about a text: shorter than the text, in its language, and neither an excuse nor our own orders."""

from __future__ import annotations

import re
from collections.abc import Sequence

from pipeline.core.text import count_characters
from stages._asking import Unusable
from stages._words import is_unspaced, words

BULLET = "• "

SHORT_ENOUGH = 200
"""So many characters are never too long, however short the text was."""
_LONGEST_SHARE = 0.5
"""Most characters of the notes, in lengths of the text."""
_MOSTLY = 0.7
"""Share of the characters in lines with a bullet from which the rest is a heading, and left out."""
_FARTHEST_SCRIPT = 0.6
"""How far the shares of words without spaces may lie apart; farther is another language."""
_ECHO_WORDS, _MOST_ECHOED = 6, 0.2
"""So many words in a row that the orders have too are quoted from them; most share of a reply that may be."""
_FEWEST_WORDS = 2

_LINE = re.compile(r"\s*(?:[•·*–-]|\d{1,2}[.)、．])\s*(\S.*)")
_MARKUP = re.compile(r"\*\*|__|^[^\S\n]*#+[^\S\n]+", re.MULTILINE)
_EXCUSES = (
    r"(?:i['’]?m|i am) (?:\w+ )?sorry",
    r"sorry|unfortunately,? i",
    r"i (?:can['’]?t|cannot|won['’]t|am unable|am not able)",
    r"as an? (?:ai|language)",
    r"[很非常]{0,2}(?:抱歉|遗憾)|对不起",
    r"我?(?:无法|不能|没办法)",
    r"作为[一个名]{0,2}(?:ai|人工智能|大?语言模型)",
)
_EXCUSE = re.compile(rf"\W*(?:{'|'.join(_EXCUSES)})", re.IGNORECASE)


def check_echo(reply: str, orders: str) -> None:
    """Make sure that a reply is more than what the LLM was told.

    Raises:
        Unusable: it is not.
    """
    if _echoed(words(reply), words(orders)) > _MOST_ECHOED:
        raise Unusable("it repeats its orders")


def checked_notes(source: str, answer: str) -> str:
    """Return the lines of an answer; where they have bullets, all of them have the same.

    Raises:
        Unusable: it is no summary of the source.
    """
    notes = _lines(_MARKUP.sub("", answer))
    said, known = words(notes), words(source)
    if len(said) < _FEWEST_WORDS:
        raise Unusable("it says nothing")
    if _EXCUSE.match(notes):
        raise Unusable("it is an excuse")
    if count_characters(notes) > max(SHORT_ENOUGH, _LONGEST_SHARE * count_characters(source)):
        raise Unusable(f"{count_characters(notes)} characters are too many")
    if abs(_unspaced(said) - _unspaced(known)) > _FARTHEST_SCRIPT:
        raise Unusable("it is in another language")
    return notes


def _lines(answer: str) -> str:
    """Make all bullets the same; an answer without any stays as it is."""
    bulleted = [found[1].strip() for line in answer.splitlines() if (found := _LINE.match(line))]
    if count_characters("".join(bulleted)) >= _MOSTLY * max(1, count_characters(answer)):
        return "\n".join(f"{BULLET}{line}" for line in bulleted)
    return "\n".join(line.strip() for line in answer.splitlines() if line.strip())


def _unspaced(text: Sequence[str]) -> float:
    """The share of words of a script without spaces."""
    return sum(map(is_unspaced, text)) / max(1, len(text))


def _echoed(said: Sequence[str], orders: Sequence[str]) -> float:
    """The share of stretches that are stretches of the orders."""
    ordered = set(_stretches(orders))
    stretches = _stretches(said)
    return sum(stretch in ordered for stretch in stretches) / max(1, len(stretches))


def _stretches(text: Sequence[str]) -> list[tuple[str, ...]]:
    return [tuple(text[place : place + _ECHO_WORDS]) for place in range(len(text) - _ECHO_WORDS + 1)]
