"""The figures of a chaos run: what was measured beside what is to be reached."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass

FIGURE = "figure"
"""The name under which a test's report carries figures."""


@dataclass(frozen=True)
class Figure:
    """One row of the table."""

    name: str
    """As in docs/reliability.md."""
    what: str
    bar: str
    measured: str


def table(figures: Sequence[Figure]) -> str:
    """Set figures as a Markdown table, in the order of their names."""
    ordered = sorted(figures, key=lambda figure: int(figure.name.strip("F")))
    rows = [("", "figure", "bar", "measured"), ("---",) * 4, *map(astuple, ordered)]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def share(values: Sequence[float], percent: int) -> float:
    """The value that so many percent of all do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, len(ordered) * percent // 100)]
