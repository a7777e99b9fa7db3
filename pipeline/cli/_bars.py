"""Progress of several videos: bars that move in a terminal, a line for each change elsewhere."""

from __future__ import annotations

import os
import shutil
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TextIO

from pipeline.redaction import printable

BAR = 24
LABEL = 17
SHORT_BAR = 4
SHORT_LABEL = 10
NARROW = 60
"""Columns of a terminal under which labels are shortened."""
BESIDES = 37
"""Columns for everything but label and bar: the percent, and most of what can happen to a video."""
WIDE, HIGH = 80, 24
"""A terminal that does not say how large it is."""


@dataclass(frozen=True, slots=True)
class Bar:
    """How far one video is."""

    label: str
    percent: float
    stage: str
    """What happens to it now; where nothing can move, only a change of it is worth a line."""
    note: str = ""
    """What changes all the time, such as the time left."""
    final: bool = False


class Board:
    """The bars of all videos, one below the other."""

    def __init__(self, stream: TextIO) -> None:
        """Take the stream; nothing is written yet."""
        self._stream = stream
        self._live = stream.isatty() and os.environ.get("TERM") != "dumb"
        self._height = 0
        self._told: list[str] = []

    def draw(self, bars: Sequence[Bar]) -> None:
        """Show how far everything is now; always give the bars in the same order."""
        if self._live:
            self._redraw(bars)
        else:
            self._tell_changes(bars)
        self._stream.flush()

    def _redraw(self, bars: Sequence[Bar]) -> None:
        columns, rows = _screen(self._stream)
        room = max(1, rows - 2)  # the cursor cannot go up beyond the first row of the screen
        shown = bars if len(bars) <= room else sorted(bars, key=lambda bar: bar.final)[:room]
        lines = [_cut(f"{_line(bar, columns)} {bar.note}".rstrip(), columns - 1) for bar in shown]
        if len(shown) < len(bars):
            lines.append(f"  … {len(bars) - len(shown)} more")
        up = f"\x1b[{self._height}A" if self._height else ""
        self._stream.write(up + "".join(f"\x1b[2K{line}\n" for line in lines))
        self._height = len(lines)

    def _tell_changes(self, bars: Sequence[Bar]) -> None:
        stages = [bar.stage for bar in bars]
        told = self._told or [""] * len(bars)
        self._stream.write(
            "".join(f"{_line(bar)}\n" for bar, last in zip(bars, told, strict=True) if bar.stage != last)
        )
        self._told = stages


def _screen(stream: TextIO) -> os.terminal_size:
    """Measure the terminal behind the stream: standard output, which Python would measure, may be a file."""
    try:
        measured = os.get_terminal_size(stream.fileno())
    except OSError:
        measured = os.terminal_size((0, 0))
    return shutil.get_terminal_size((measured.columns or WIDE, measured.lines or HIGH))


def _line(bar: Bar, columns: int = WIDE) -> str:
    label = fit(printable(bar.label), LABEL if columns >= NARROW else SHORT_LABEL)
    length = max(SHORT_BAR, min(BAR, columns - _width(label) - BESIDES))
    done = round(length * bar.percent / 100)
    return f"  {label} {'█' * done}{'·' * (length - done)} {bar.percent:5.1f} %  {bar.stage}"


def fit(text: str, width: int) -> str:
    """Shorten a text to so many columns of a terminal, or fill it up with spaces."""
    text = _cut(text, width)
    return text + " " * (width - _width(text))


def _cut(text: str, width: int) -> str:
    if _width(text) <= width:
        return text
    while _width(text) >= width:
        text = text[:-1]
    return f"{text}…"


def _width(text: str) -> int:
    """Count the columns a text takes; a Chinese character takes two."""
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)
