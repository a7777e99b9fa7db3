"""Texts as the words that count, for comparing one with another: no marks, no spaces, no capitals."""

from __future__ import annotations

import re
import unicodedata

_UNSPACED = r"\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_WORD = re.compile(rf"[{_UNSPACED}]|(?:(?![{_UNSPACED}])[^\W_])+")
_UNSPACED_WORD = re.compile(f"[{_UNSPACED}]")


def words(text: str) -> list[str]:
    """Split a text into its words; in scripts without spaces every character is one."""
    return _WORD.findall(unicodedata.normalize("NFKC", text).casefold())


def is_unspaced(word: str) -> bool:
    """Tell whether a word is one character of a script without spaces."""
    return _UNSPACED_WORD.fullmatch(word) is not None
