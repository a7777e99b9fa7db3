"""A chart of figures and their bars, as an SVG file written by hand: how many times better or worse each one is."""

from __future__ import annotations

import math
from html import escape

from benchmarks.figures import AtLeast, Figure

WIDTH, LEFT, RIGHT, ROW, TOP = 860, 430, 30, 30, 44
SPAN = 4.0
"""The axis ends at so many times better and so many times worse; what is beyond lies at its end."""
GOOD, BAD = "#2a7f62", "#c0392b"


def chart(figures: list[Figure]) -> str:
    """Draw a row for each figure that has a bar: its median as a dot, from least to most as a line."""
    judged = [figure for figure in figures if figure.bar]
    height = TOP + ROW * len(judged) + 10
    marks = "".join(_mark(times) for times in (1 / SPAN, 1 / 2, 1, 2, SPAN))
    rows = "".join(_row(figure, TOP + ROW * place + ROW // 2) for place, figure in enumerate(judged))
    lines = "".join(
        f'<line x1="{_x(times):.0f}" x2="{_x(times):.0f}" y1="{TOP - 8}" y2="{height - 6}" '
        f'stroke="{"#333" if times == 1 else "#ddd"}"/>'
        for times in (1 / SPAN, 1 / 2, 1, 2, SPAN)
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" '
        f'font-size="13"><rect width="{WIDTH}" height="{height}" fill="white"/>{lines}{marks}{rows}</svg>\n'
    )


def _mark(times: float) -> str:
    label = "at the bar" if times == 1 else f"{times:g} × better" if times > 1 else f"{1 / times:g} × worse"
    return f'<text x="{_x(times):.0f}" y="20" text-anchor="middle" fill="#555">{label}</text>'


def _row(figure: Figure, y: int) -> str:
    color = GOOD if figure.is_met else BAD
    least, most = (_x(_times(figure, value)) for value in (min(figure.values), max(figure.values)))
    name = f"{figure.name}: {figure.median:.3g} {figure.unit}".strip()
    return (
        f'<text x="{LEFT - 14}" y="{y + 4}" text-anchor="end">{escape(name)}</text>'
        f'<line x1="{least:.1f}" x2="{most:.1f}" y1="{y}" y2="{y}" stroke="{color}" stroke-width="3"/>'
        f'<circle cx="{_x(_times(figure, figure.median)):.1f}" cy="{y}" r="5" fill="{color}"/>'
    )


def _times(figure: Figure, value: float) -> float:
    """How many times better than its bar a value is."""
    assert figure.bar is not None
    if value <= 0:
        return SPAN
    return value / figure.bar.limit if isinstance(figure.bar, AtLeast) else figure.bar.limit / value


def _x(times: float) -> float:
    share = math.log(max(1 / SPAN, min(SPAN, times))) / math.log(SPAN)
    return LEFT + (WIDTH - LEFT - RIGHT) * (1 + share) / 2
