"""Read query parameters: each known, each at most once, each of its form."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from enum import StrEnum
from typing import TypeVar

from multidict import MultiMapping

from pipeline.http.names import unknown_field
from pipeline.http.plain import unfit_character
from pipeline.refusals import InvalidValue

E = TypeVar("E", bound=StrEnum)

LATEST_TIME = 253_402_300_799
"""The last second of the year 9999, since the epoch."""
LONGEST_SEARCH = 200


def check_names(query: MultiMapping[str], known: Collection[str]) -> dict[str, str]:
    """Take the parameters if all are known and none is repeated.

    Raises:
        UnknownField: one is not known.
        InvalidValue: one is given twice.
    """
    for name in query:
        if name not in known:
            raise unknown_field(name, known)
        if len(query.getall(name)) > 1:
            raise InvalidValue(f"{name} is given more than once", param=name)
    return dict(query)


def number(query: Mapping[str, str], name: str, least: float, most: float) -> float | None:
    """Read a number."""
    return _within(query, name, _number, (least, most), f"a number from {least:g} to {most:g}")


def whole(query: Mapping[str, str], name: str, least: int, most: int) -> int | None:
    """Read a whole number."""
    return _within(query, name, _whole, (least, most), f"a whole number from {least} to {most}")


def moment(query: Mapping[str, str], name: str) -> float | None:
    """Read a time, RFC 3339 or seconds since the epoch; returns seconds since the epoch."""
    form = "a time such as 2026-01-31T08:00:00Z, or seconds since 1970"
    return _within(query, name, _moment, (0, LATEST_TIME), form)


def one_of(query: Mapping[str, str], name: str, kind: type[E]) -> E | None:
    """Read one of the words of an enumeration."""
    if name not in query:
        return None
    try:
        return kind(query[name])
    except ValueError:
        raise InvalidValue(f"{name} must be one of {', '.join(kind)}", param=name) from None


def search(query: Mapping[str, str], name: str) -> str | None:
    """Read a text to look for; None if it is not given or blank."""
    text = query.get(name, "").strip()
    if len(text) > LONGEST_SEARCH:
        raise InvalidValue(f"{name} must be at most {LONGEST_SEARCH} characters long", param=name)
    if unfit := unfit_character(text):
        raise InvalidValue(f"{name} holds the character {unfit}", param=name)
    return text or None


N = TypeVar("N", int, float)


def _within(
    query: Mapping[str, str], name: str, parse: Callable[[str], N], limits: tuple[float, float], form: str
) -> N | None:
    if name not in query:
        return None
    try:
        value = parse(query[name])
        if limits[0] <= value <= limits[1]:
            return value
    except ValueError:
        pass  # answered like a value out of range
    raise InvalidValue(f"{name} must be {form}", param=name)


def _whole(text: str) -> int:
    # int() would also take signs, spaces, underscores and the digits of other scripts.
    if not re.fullmatch(r"[0-9]{1,19}", text):
        raise ValueError
    return int(text)


def _number(text: str) -> float:
    if not re.fullmatch(r"[0-9]{1,19}(\.[0-9]{1,19})?", text):
        raise ValueError
    return float(text)


def _moment(text: str) -> float:
    try:
        return _number(text)
    except ValueError:
        # An offset's plus that was not escaped in the address arrives as a space.
        time = datetime.fromisoformat(re.sub(r" (?=[0-9]{2}:[0-9]{2}$)", "+", text))
    if time.tzinfo is None:
        raise ValueError
    return time.timestamp()
