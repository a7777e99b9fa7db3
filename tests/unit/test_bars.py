"""Progress bars: moving in a terminal, a line for each change elsewhere."""

from __future__ import annotations

import io
import os
import pty
import termios

import pytest

from pipeline.cli._bars import Bar, Board


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def screen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the screen 80 columns wide and 8 rows high."""
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("LINES", "8")


def test_a_pipe_gets_a_line_for_each_change() -> None:
    """A line is written when a stage changes, not when the percent or the time left does, and without escapes."""
    stream = io.StringIO()
    board = Board(stream)
    board.draw([Bar("a", 0.0, "download"), Bar("b", 0.0, "queued")])
    board.draw([Bar("a", 5.0, "download", "0:12 left"), Bar("b", 1.0, "download")])
    board.draw([Bar("a", 50.0, "transcribe"), Bar("b", 1.5, "download")])
    told = [(line.split()[0], line.split()[-1]) for line in stream.getvalue().splitlines()]
    assert [("a", "download"), ("b", "queued"), ("b", "download"), ("a", "transcribe")] == told
    assert "\x1b" not in stream.getvalue()


def test_a_terminal_is_drawn_over() -> None:
    """The second drawing goes up as many lines as the first one had, and clears each."""
    stream = Terminal()
    board = Board(stream)
    board.draw([Bar("a", 0.0, "download"), Bar("b", 0.0, "queued")])
    assert 0 == stream.getvalue().count("\x1b[2A")
    board.draw([Bar("a", 50.0, "transcribe"), Bar("b", 100.0, "done")])
    assert 1 == stream.getvalue().count("\x1b[2A")
    assert 4 == stream.getvalue().count("\x1b[2K") == stream.getvalue().count("\n")
    assert "████████████············  50.0 %  transcribe" in stream.getvalue()


def test_lines_fit_the_screen() -> None:
    """No line is wider than the screen, of Chinese characters either, which take two columns each."""
    stream = Terminal()
    Board(stream).draw(
        [Bar("一个非常长的视频标题一个非常长的视频标题", 10.0, "transcribe, waits for device", "12.4×  1:20 left")]
    )
    (line,) = stream.getvalue().splitlines()
    shown = line.removeprefix("\x1b[2K")
    wide = sum(character > "\u2e80" for character in shown)
    assert 70 <= len(shown) + wide < 80
    assert "…" in shown


@pytest.mark.parametrize("columns", [40, 59, 60, 72])
def test_a_narrow_screen_shortens_the_bar(columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Percent and stage stay to be read where the whole bar has no room; every line fits."""
    monkeypatch.setenv("COLUMNS", str(columns))
    stream = Terminal()
    Board(stream).draw([Bar("a rather long title of a video", 50.0, "transcribe", "12.4×  1:20 left")])
    shown = stream.getvalue().removeprefix("\x1b[2K").removesuffix("\n")
    assert "█·" in shown
    assert " 50.0 %  transcribe" in shown
    assert len(shown) < columns


def test_the_screen_is_that_of_the_bars(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lines fit the terminal they are drawn in, also while standard output goes into a file, as in `… > talk.txt`."""
    monkeypatch.delenv("COLUMNS")
    monkeypatch.delenv("LINES")
    ours, its = pty.openpty()
    termios.tcsetwinsize(its, (20, 45))
    with os.fdopen(ours, "rb", buffering=0) as screen, os.fdopen(its, "w", encoding="utf-8") as stream:
        Board(stream).draw([Bar("a rather long title of a video", 50.0, "transcribe", "12.4×  1:20 left")])
        shown = screen.read(4096).decode().removeprefix("\x1b[2K").rstrip()
    assert " 50.0 %  transcribe" in shown
    assert len(shown) < 45


def test_more_videos_than_rows() -> None:
    """Those that still run are shown first, and how many are not shown."""
    stream = Terminal()
    Board(stream).draw([Bar(f"v{n}", 10.0 * n, "done" if n < 5 else "download", final=n < 5) for n in range(10)])
    lines = stream.getvalue().splitlines()
    assert ["v5", "v6", "v7", "v8", "v9", "v0"] == [line.split()[1] for line in lines[:-1]]
    assert "4 more" in lines[-1]


def test_a_title_cannot_steer_the_terminal() -> None:
    """Control characters in a title are shown as what they are."""
    stream = Terminal()
    Board(stream).draw([Bar("\x1b[2Jgone", 0.0, "queued")])
    assert "\\u001b[2Jgone" in stream.getvalue()
