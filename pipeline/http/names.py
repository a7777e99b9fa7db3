"""Refuse a field or parameter by its name."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from pipeline.refusals import UnknownField

_SHOWN = 100
"""Characters of an unknown name that are repeated to the caller."""


def unknown_field(name: str, known: Iterable[str], parent: Iterable[str] = ()) -> UnknownField:
    """Name what is not known, and the nearest that is.

    Args:
        name: as the caller wrote it.
        known: every name that would have been right in its place.
        parent: names of the objects it lies in, outermost first.
    """
    shown = name[:_SHOWN]
    param = ".".join((*parent, shown))
    nearest = difflib.get_close_matches(shown, known, n=1)
    if not nearest:
        return UnknownField(param, param=param)
    meant = ".".join((*parent, *nearest))
    return UnknownField(f"{param}; did you mean {meant}?", param=param, more={"nearest": meant})
