"""What may be shown of a text: secrets masked, characters that could forge or disguise a line escaped.

A secret is known by the name of the field that holds it, by its shape, or because it was given to `hide`.
"""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Iterable, Mapping
from datetime import date
from pathlib import PurePath
from uuid import UUID

MASK = "***"
SHORTEST_SECRET = 8
"""Shorter texts are not hidden wherever they occur: a dummy key such as "ollama" is also a plain word."""
LONGEST_TEXT = 16_000
"""Characters of one text that are kept; a site may send megabytes where a title is expected."""
DEEPEST_VALUE = 6
"""Levels of nesting that are kept; deeper values are shown as "…"."""

_NAMES = r"(?:token|secret|api[-_]?key|authorization|cookie|webhook|password|passwd)s?"
_SECRET_NAME = re.compile(rf"{_NAMES}(?:[-_](?:url|value|header))?$", re.IGNORECASE)
_SHAPES: tuple[tuple[re.Pattern[str], str], ...] = (
    # A header in running text: everything up to the end of its line.
    (
        re.compile(r"(?i)\b((?:proxy-)?authorization|(?:set-)?cookie|x-api-key)(\s*[:=]\s*)(?=[^\s\"'])[^\r\n]+"),
        r"\1\2***",
    ),
    # A quoted value under a telling name, as in JSON or in the repr of a mapping.
    (re.compile(rf"(?is)({_NAMES}[\"']?\s*[:=]\s*)([\"'])(?:\\.|(?!\2).)*\2"), r"\1\2***\2"),
    # A parameter of an address, or an assignment.
    (
        re.compile(r"(?i)(?<![a-z])((?:api)?key|token|secret|password|passwd|signature|sig|auth|ticket)=[^\s&;\"'<>]+"),
        r"\1=***",
    ),
    # User and password of an address.
    (re.compile(r"(?i)(\b[a-z][a-z0-9+.-]{0,20}://)[^\s/@:]*:[^\s/@]*@"), r"\1***@"),
    (re.compile(r"(?i)\b(bearer\s+)[\w.~+/=-]{6,}"), r"\1***"),
    (re.compile(r"\b(tr_|sk-)[\w-]{8,}"), r"\1***"),
)
_MARKS = (":", "=", "bearer", "tr_", "sk-")
"""Every shape holds one of these, in small letters; most of what is logged (ids, names, states) holds none."""
_UNPRINTABLE = re.compile(
    "["
    "\x00-\x1f\x7f-\x9f"  # control characters: line breaks, escape sequences
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # marks that change the direction of writing
    "\u2028\u2029"  # line and paragraph separator: some readers break lines there
    "\ud800-\udfff"  # halves of a character, which UTF-8 cannot hold
    "]"
)
_hidden: list[str] = []
"""Longest first, or the rest of a secret that begins with another one would stay."""


def hide(secret: str) -> None:
    """Mask this text from now on wherever it would be shown; shorter than `SHORTEST_SECRET` is not taken."""
    if len(secret) >= SHORTEST_SECRET:
        _hidden[:] = sorted({*_hidden, secret}, key=len, reverse=True)


def redact(text: str) -> str:
    """Mask every secret in a text."""
    for secret in _hidden:
        text = text.replace(secret, MASK)
    small = text.lower()
    if any(mark in small for mark in _MARKS):
        for shape, mask in _SHAPES:
            text = shape.sub(mask, text)
    return text


def printable(text: str) -> str:
    r"""Write every character that could forge or disguise a line as ``\uXXXX``."""
    return _UNPRINTABLE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def presentable(value: object, name: str = "", depth: int = 0) -> object:
    """Turn any value into plain JSON without secrets.

    Args:
        value: anything; what JSON does not know becomes its text.
        name: name of the field that holds it; a telling one masks the whole value.
        depth: how deep inside another value this one is.
    """
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if _is_telling(name):
        return MASK if value else ""
    if isinstance(value, str):
        return _shown(value)
    if isinstance(value, Mapping | list | tuple | set | frozenset):
        return _nested(value, depth + 1) if depth < DEEPEST_VALUE else "…"
    return _shown(_text(value))


@functools.lru_cache(maxsize=1024)
def _is_telling(name: str) -> bool:
    return _SECRET_NAME.search(name) is not None


def _nested(value: Mapping[object, object] | Iterable[object], depth: int) -> object:
    if isinstance(value, Mapping):
        return {_shown(str(key)): presentable(item, str(key), depth) for key, item in value.items()}
    return [presentable(item, depth=depth) for item in value]


def _text(value: object) -> str:
    try:
        return str(value) if isinstance(value, PurePath | date | UUID | Exception) else repr(value)
    except Exception as error:  # noqa: BLE001 - a log line must not fail because a value cannot show itself
        return f"<{type(value).__name__}: {type(error).__name__}>"


def _shown(text: str) -> str:
    # Cut twice: a secret that the first cut may have halved, and so disguised, falls to the second.
    shown = redact(text[: 2 * LONGEST_TEXT])
    return shown if len(text) <= LONGEST_TEXT else f"{shown[:LONGEST_TEXT]}… ({len(text)})"
