"""Text as readers see it: where it may be cut, where sentences end, how long it is.

Everything here is linear in the length of the text, whatever the text is.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

ELLIPSIS = "…"

_CLOSERS = r"\"'”’」』）)】》〉\]"
_WIDE_ENDS = "。！？｡…"
_WIDE_PAUSES = "，、；："


def _after(wide: str, narrow: str) -> re.Pattern[str]:
    """Match one mark with the quotes that close on it and the space behind it.

    An ASCII mark counts only before a space or a wide character: ``3.14`` and ``10:30`` are one thing.
    """
    more = rf"(?![{_WIDE_ENDS}{_WIDE_PAUSES}])"
    return re.compile(
        rf"[{wide}][{_CLOSERS}]*+{more}\s*+"
        rf"|[{narrow}][{_CLOSERS}]*+(?:\s++|(?=[^\x00-\x7f]){more})"
    )


_BREAKS = (
    re.compile(r"\n[^\S\n]*+\n\s*+"),
    re.compile(r"\n\s*+"),
    _after(_WIDE_ENDS, ".!?"),
    _after(_WIDE_PAUSES, ",;:"),
    re.compile(r"\s++"),
)
"""Where a text is cut, the best place first: paragraph, line, sentence, clause, word."""

_LINK = re.compile(r"(?i)(?:(?<![a-z0-9+.-])[a-z][a-z0-9+.-]{0,20}[:：]//|www[.．])[!-~]+")

_WIDEST_CHARACTER_BYTES = 4


def cut(text: str, limit_bytes: int) -> list[str]:
    """Cut a text into chunks that concatenate to exactly the text.

    A chunk ends at the best break in its second half, and in no case inside a link or a character as the
    reader sees it, unless that one alone is longer than a chunk. Space stays at the end of a chunk, so no
    chunk is blank unless a whole chunk's worth of space stands together.

    Args:
        text: any text without lone surrogates.
        limit_bytes: the most bytes of UTF-8 a chunk may have, at least 4.
    """
    if limit_bytes < _WIDEST_CHARACTER_BYTES:
        raise ValueError("a chunk must have room for any one character")
    chunks = []
    start = 0
    while start < len(text):
        end = _reach(text, start, limit_bytes)
        if end < len(text):
            end = _best_break(text, start, end)
        chunks.append(text[start:end])
        start = end
    return chunks


def _reach(text: str, start: int, limit_bytes: int) -> int:
    """The end of the longest piece from ``start`` that has at most so many bytes."""
    window = text[start : start + limit_bytes].encode()[:limit_bytes]
    return start + len(window.decode(errors="ignore"))


def _best_break(text: str, start: int, end: int) -> int:
    # The character after the window is looked at too: it may belong to what ends here.
    links = [match.span() for match in _LINK.finditer(text, start, end + 1)]
    for kind in _BREAKS:
        found = [match.end() for match in kind.finditer(text, (start + end) // 2, end + 1)]
        for place in reversed(found):
            whole_links = not any(first < place < last for first, last in links)
            if start < place <= end and whole_links and is_boundary(text, place, start):
                return place
    return _tight_break(text, start, end, links)


def _tight_break(text: str, start: int, end: int, links: list[tuple[int, int]]) -> int:
    """Cut between two characters, because no better place was found."""
    place = _last_boundary(text, start, end) or end
    if text[place].isspace():
        # The rest would begin with space, and might be nothing else: let it keep one visible character.
        place = _before_last_visible(text, start, place)
    for first, last in links:
        if first < place < last and text[start:first].strip():
            return first
    return place


def _before_last_visible(text: str, start: int, end: int) -> int:
    visible_end = start + len(text[start:end].rstrip())
    place = _last_boundary(text, start, visible_end - 1)
    return place if place and text[start:place].strip() else end


def _last_boundary(text: str, start: int, end: int) -> int | None:
    return next((place for place in range(end, start, -1) if is_boundary(text, place, start)), None)


# ---------------------------------------------------------------------------------------------
# Characters as the reader sees them
# ---------------------------------------------------------------------------------------------

_LAST_SIMPLE = "\u02ff"
"""Below the first combining mark every character stands for itself."""
_JOINER = "\u200d"
_VIRAMA_CLASS = 9
_MARKS = frozenset({"Mn", "Mc", "Me"})
# Joiners, Thai and Lao AM, Hangul vowels and finals, half-width sound marks, skin tones, flag tags.
_CONTINUES = re.compile(
    "[\u200c\u200d\u0e33\u0eb3\u1160-\u11ff\ud7b0-\ud7fb\uff9e\uff9f\U0001f3fb-\U0001f3ff\U000e0020-\U000e007f]"
)


def is_boundary(text: str, place: int, start: int = 0) -> bool:
    """Tell whether the reader sees one character end and the next begin at ``place``.

    The main rules of Unicode's extended grapheme clusters (UAX 29): marks, emoji sequences, flags, Hangul
    syllables and Indic conjuncts hold together.

    Args:
        text: the text.
        place: index of the right one of the two characters.
        start: a place at or before it that is known to be a boundary; nothing before it is looked at.
    """
    if place <= start or place >= len(text):
        return True
    left, right = text[place - 1], text[place]
    if left <= _LAST_SIMPLE and right <= _LAST_SIMPLE:
        return not (left == "\r" and right == "\n")
    category = unicodedata.category(right)
    if category in _MARKS or _CONTINUES.match(right) or left == _JOINER:
        return False
    if category == "Lo" and unicodedata.combining(left) == _VIRAMA_CLASS:
        return False
    return not (_is_flag_half(right) and _flag_halves_before(text, place, start) % 2)


def _is_flag_half(character: str) -> bool:
    return "\U0001f1e6" <= character <= "\U0001f1ff"


def _flag_halves_before(text: str, place: int, start: int) -> int:
    first = place
    while first > start and _is_flag_half(text[first - 1]):
        first -= 1
    return place - first


def shorten(text: str, *, characters: int, limit_bytes: int) -> str:
    """Cut a text off between two characters as the reader sees them, and show it by an ellipsis."""
    beginning = text[: limit_bytes + 1]  # more than can be kept, so that no more is looked at
    ends = [end for end in range(1, len(beginning) + 1) if is_boundary(text, end)]
    if len(beginning) == len(text) and len(ends) <= characters and len(text.encode()) <= limit_bytes:
        return text
    room = limit_bytes - len(ELLIPSIS.encode())
    fitting = [end for end in ends[: characters - 1] if len(text[:end].encode()) <= room]
    return text[: fitting[-1] if fitting else 0] + ELLIPSIS


def count_characters(text: str) -> int:
    """Count what is written, space aside."""
    return sum(not character.isspace() for character in text)


# ---------------------------------------------------------------------------------------------
# Sentences
# ---------------------------------------------------------------------------------------------

_STOP = re.compile(rf"[{_WIDE_ENDS}.!?]++[{_CLOSERS}]*+")
_ABBREVIATIONS = frozenset({"mr", "mrs", "ms", "dr", "prof", "st", "vs", "e.g", "i.e", "u.s"})
_LONGEST_ABBREVIATION = max(map(len, _ABBREVIATIONS))
_WORD_BEFORE = re.compile(r"[A-Za-z.]+$")


def sentences(text: str) -> list[str]:
    """Split Chinese or English text into its sentences, without the space around them; a line end is an end."""
    return [sentence for line in text.splitlines() for sentence in _sentences_of(line)]


def _sentences_of(line: str) -> Iterator[str]:
    begin = 0
    for stop in _STOP.finditer(line):
        if _ends_sentence(line, stop):
            yield line[begin : stop.end()].strip()
            begin = stop.end()
    rest = line[begin:].strip()
    if rest:
        yield rest


def _ends_sentence(line: str, stop: re.Match[str]) -> bool:
    mark, following = stop[0], line[stop.end() : stop.end() + 2]
    if mark[0] in _WIDE_ENDS or not following or not following[0].isascii():
        return True
    if not following[0].isspace():
        return False
    if following[1:].islower():
        return mark[-1] in "!?"
    return mark != "." or not _is_abbreviated(line, stop.start())


def _is_abbreviated(line: str, place: int) -> bool:
    before = _WORD_BEFORE.search(line[max(0, place - _LONGEST_ABBREVIATION - 1) : place])
    word = before[0] if before else ""
    is_initial = len(word) == 1 and word.isupper() and word != "I"
    return is_initial or word.lower() in _ABBREVIATIONS
