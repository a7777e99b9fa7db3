"""Say what is wrong with a configuration: where, what was found, what is expected, in two languages."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from difflib import SequenceMatcher
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from pipeline.config.schema import child_names, described, key_names, node_at
from pipeline.config.settings import SECRET_KEYS, Settings
from pipeline.redaction import MASK, printable, redact

_LONGEST_VALUE = 60

Place = tuple[int | str, ...]
"""Keys and indexes that lead to a value of the tree."""


def explained(
    error: ValidationError, tree: Mapping[str, Any], source_of: Callable[[str], str], unsure: frozenset[str]
) -> list[str]:
    """Write one line for each thing that is wrong.

    Args:
        error: what the settings refused.
        tree: what they were given.
        source_of: tells for ``section.key`` who set it.
        unsure: keys of which nobody knows what was meant; how others go with them is not told.
    """
    certain = [details for details in error.errors(include_url=False) if unsure.isdisjoint(_keys_of(details))]
    lines = [printable(_line(details, tree, source_of)) for details in certain]
    return list(dict.fromkeys(lines))  # a value that fits no alternative is reported once for each of them


def nearest(unknown: str, known: Iterable[str]) -> str:
    """Find the known dotted name most like an unknown one: as a whole and by its last part."""

    def likeness(name: str) -> float:
        return _ratio(unknown, name) + _ratio(_last_part(unknown), _last_part(name))

    return max(known, key=likeness)


def _ratio(one: str, other: str) -> float:
    return SequenceMatcher(None, one.lower(), other.lower()).ratio()


def _last_part(dotted: str) -> str:
    return dotted.rpartition(".")[2]


def _keys_of(details: ErrorDetails) -> tuple[str, ...]:
    """The keys that do not go together; none if a value is wrong by itself."""
    keys: tuple[str, ...] = details.get("ctx", {}).get("keys", ())
    return keys


def _line(details: ErrorDetails, tree: Mapping[str, Any], source_of: Callable[[str], str]) -> str:
    if keys := _keys_of(details):
        english, chinese = details["ctx"]["english"], details["ctx"]["chinese"]
        return f"{keys[0]} ({source_of(keys[0])}): expected {english} · 应为 {chinese}"
    place, value = _found(details["loc"], tree)
    if details["type"] == "missing":
        place = (*place, details["loc"][-1])
    name = _dotted(place)
    source = source_of(_dotted(place[:2]))
    if details["type"] == "missing":
        return f"{name} ({source}): missing · 缺少该键"
    if details["type"] == "extra_forbidden":
        near = nearest(name, _known_beside(place))
        return f"{name} ({source}): unknown key; the nearest known one is {near} · 未知的键，最接近的是 {near}"
    english, chinese = _expectation(details, place)
    return f"{name}{_shown(place, value)} ({source}): expected {english} · 应为 {chinese}"


def _found(loc: Place, tree: object) -> tuple[Place, object]:
    """Follow an error's place as far as the tree goes; what follows names alternatives or defaults of the model."""
    value = tree
    for depth, step in enumerate(loc):
        if not _holds(value, step):
            return loc[:depth], value
        value = value[step]  # type: ignore[index]
    return loc, value


def _holds(value: object, step: int | str) -> bool:
    if isinstance(value, Mapping):
        return step in value
    return isinstance(value, list) and isinstance(step, int) and step < len(value)


def _dotted(place: Place) -> str:
    name = ""
    for step in place:
        if isinstance(step, str) and step.isidentifier():
            name += f".{step}" if name else step
        else:
            name += f"[{json.dumps(step, ensure_ascii=False)}]"
    return name


def _known_beside(place: Place) -> Iterable[str]:
    if len(place) <= len(("section", "key")):
        return (*Settings.model_fields, *key_names())
    return [f"{_dotted(place[:-1])}.{name}" for name in child_names(node_at(place[:-1]))]


def _expectation(details: ErrorDetails, place: Place) -> tuple[str, str]:
    if details["type"] == "expected":
        return details["ctx"]["english"], details["ctx"]["chinese"]
    return described(node_at(place))


def _shown(place: Place, value: object) -> str:
    if _dotted(place[:2]) in SECRET_KEYS:
        return f" = {MASK}"
    if len(place) == 1:
        return ""  # in place of a whole section may stand anything, a secret too
    text = redact(json.dumps(value, ensure_ascii=False, default=str))
    return f" = {text}" if len(text) <= _LONGEST_VALUE else f" = {text[:_LONGEST_VALUE]}…"
