"""The log: what a line holds, and how its file rotates; what it never shows is in ``test_redaction``."""

from __future__ import annotations

import contextvars
import io
import json
import logging
import os
import stat
import sys
import threading
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import structlog

from pipeline.config import LogSettings
from pipeline.log import bind_task, set_up
from pipeline.redaction import LONGEST_TEXT
from tests.unit.logs import StartLog

# --- lines -------------------------------------------------------------------------------------


def test_a_line_begins_with_time_level_and_event(start_log: StartLog) -> None:
    """Fixed fields come first; the time is RFC 3339 in UTC with milliseconds."""
    log = start_log()
    structlog.get_logger().warning("task settled", status="completed", took_s=1.5, title="视频")
    (line,) = log.lines()
    assert list(line) == ["ts", "level", "event", "status", "took_s", "title", "logger"]
    assert list(line.values())[1:6] == ["warning", "task settled", "completed", 1.5, "视频"]
    assert line["ts"].endswith("Z")
    assert len(line["ts"]) == len("2026-01-01T00:00:00.000Z")
    assert datetime.fromisoformat(line["ts"]).utcoffset() == timedelta(0)


def test_lines_below_the_level_are_dropped(start_log: StartLog) -> None:
    """Level info drops debug, of our own loggers and of others."""
    log = start_log()
    structlog.get_logger().debug("ours")
    logging.getLogger("theirs").debug("theirs")
    structlog.get_logger().info("kept")
    assert [line["event"] for line in log.lines()] == ["kept"]


def test_chinese_is_written_as_it_is(start_log: StartLog) -> None:
    """The file is UTF-8, without escapes for what can be read."""
    log = start_log()
    structlog.get_logger().info("下载完成")
    assert "下载完成" in log.file.read_text(encoding="utf-8")


def test_other_loggers_take_the_same_way(start_log: StartLog) -> None:
    """A library's line has the same fields, and its logger's name."""
    log = start_log()
    with bind_task("t-1"):
        logging.getLogger("aiohttp.access").info("%s %d", "GET /livez", 200)
    (line,) = log.lines()
    assert (line["event"], line["level"], line["task"], line["logger"]) == (
        "GET /livez 200",
        "info",
        "t-1",
        "aiohttp.access",
    )


def test_any_value_becomes_json(start_log: StartLog) -> None:
    """What JSON does not know becomes text; a value that cannot show itself does not lose the line."""
    log = start_log()

    class Broken:
        def __repr__(self) -> str:
            raise RuntimeError

    circle: list[object] = []
    circle.append(circle)
    structlog.get_logger().info(
        "x", path=Path("/a"), number=float("nan"), raw=b"\xff", broken=Broken(), circle=circle, keys={1: {2}}
    )
    (line,) = log.lines()
    assert line["path"] == "/a"
    assert line["number"] == "nan"
    assert line["raw"] == "b'\\xff'"
    assert line["broken"] == "<Broken: RuntimeError>"
    assert "…" in json.dumps(line["circle"], ensure_ascii=False)
    assert line["keys"] == {"1": [2]}


def test_long_values_are_cut(start_log: StartLog) -> None:
    """A value of megabytes costs one line of bounded length."""
    log = start_log()
    structlog.get_logger().info("x", title="长" * 1_000_000)
    (line,) = log.lines()
    assert len(line["title"]) < LONGEST_TEXT + 20


def test_a_second_set_up_replaces_the_first(start_log: StartLog, tmp_path: Path) -> None:
    """After setting up again, lines go to the new file only, at the new level."""
    log = start_log()
    set_up(LogSettings(level="error", file=tmp_path / "second.jsonl"), console=False)
    structlog.get_logger().warning("dropped")
    structlog.get_logger().error("kept")
    assert log.file.read_text() == ""
    assert json.loads((tmp_path / "second.jsonl").read_text())["event"] == "kept"


# --- context -----------------------------------------------------------------------------------


def test_a_bound_task_is_in_every_line_of_its_context(start_log: StartLog) -> None:
    """The task's id is in the lines inside the block, and in none after it."""
    log = start_log()
    with bind_task("t-1"):
        structlog.get_logger().info("inside")
    structlog.get_logger().info("outside")
    assert [line.get("task") for line in log.lines()] == ["t-1", None]


def test_context_reaches_threads_that_carry_it(start_log: StartLog) -> None:
    """A thread that runs in a copy of the context logs its task; a bare thread does not."""
    log = start_log()
    say = structlog.get_logger().info
    with bind_task("t-1"):
        context = contextvars.copy_context()
        threads = [
            threading.Thread(target=context.run, args=(say, "carried")),
            threading.Thread(target=say, args=("bare",)),
        ]
        for thread in threads:
            thread.start()
            thread.join(10)
    assert {line["event"]: line.get("task") for line in log.lines()} == {"carried": "t-1", "bare": None}


# --- console -----------------------------------------------------------------------------------


def test_console_lines_are_plain_and_readable(start_log: StartLog, capsys: pytest.CaptureFixture[str]) -> None:
    """Not on a terminal there is no color; values that need quotes have them."""
    log = start_log()
    with bind_task("t-1"):
        structlog.get_logger().info("task settled", title="two words", count=3)
    (line,) = log.lines()
    assert capsys.readouterr().err == f'{line["ts"]} info     task settled title="two words" count=3 task=t-1\n'


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        """Say yes."""
        return True


def test_console_lines_are_colored_on_a_terminal(start_log: StartLog) -> None:
    """A terminal gets the level in color."""
    log = start_log()
    terminal, before = Terminal(), sys.stderr
    sys.stderr = terminal
    try:
        set_up(LogSettings(file=log.file), console=True)
    finally:
        sys.stderr = before
    structlog.get_logger().error("x")
    assert "\x1b[31merror   \x1b[0m x" in terminal.getvalue()


# --- file --------------------------------------------------------------------------------------


def test_file_and_new_folders_are_private(start_log: StartLog) -> None:
    """Only the owner can read the file, and enter the folders that were made for it."""
    log = start_log()
    assert [0o600, 0o700, 0o700] == [
        stat.S_IMODE(path.stat().st_mode) for path in (log.file, log.file.parent, log.file.parent.parent)
    ]


def test_a_readable_file_is_made_private(start_log: StartLog) -> None:
    """A log file that others could read is closed to them."""
    log = start_log()
    log.file.chmod(0o644)
    set_up(LogSettings(file=log.file), console=False)
    assert stat.S_IMODE(log.file.stat().st_mode) == 0o600


def test_rotation_under_threads_keeps_every_line_whole(start_log: StartLog) -> None:
    """Lines of several threads are all there after rotations, each valid JSON, in private files of bounded size."""
    log = start_log()
    filler = "汉" * 1000

    def write(name: str) -> None:
        for number in range(250):
            structlog.get_logger().info(name, number=number, filler=filler)

    set_up(LogSettings(file=log.file, max_mb=1, backups=5), console=False)
    threads = [threading.Thread(target=write, args=(f"thread {index}",)) for index in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    files = sorted(log.file.parent.iterdir())
    seen = [json.loads(line) for file in files for line in file.read_text(encoding="utf-8").splitlines()]
    assert len(files) > 2
    assert {(f"thread {index}", number) for index in range(4) for number in range(250)} == {
        (line["event"], line["number"]) for line in seen
    }
    assert len(seen) == 1000
    assert all(file.stat().st_size < 1024 * 1024 + 4000 for file in files)
    assert all(stat.S_IMODE(file.stat().st_mode) == 0o600 for file in files)


def test_an_open_reader_keeps_its_file_across_a_rotation(start_log: StartLog) -> None:
    """A reader that follows the file reads it to its end under its new name, as tail -F does."""
    log = start_log()
    with log.file.open(encoding="utf-8") as reader:
        while not (rotated := log.file.with_name("daemon.jsonl.1")).exists():
            structlog.get_logger().info("x", filler="y" * 16_000)
        assert os.fstat(reader.fileno()).st_ino == rotated.stat().st_ino
        assert reader.read() == rotated.read_text(encoding="utf-8")
    assert log.file.stat().st_ino != rotated.stat().st_ino


def test_a_lost_line_is_told_once_without_its_content(start_log: StartLog, capsys: pytest.CaptureFixture[str]) -> None:
    """A line that cannot be made is reported on standard error once, and the next line is written."""
    log = start_log()
    for _ in range(3):
        logging.getLogger("theirs").info("%d", "planted")
    structlog.get_logger().info("next")
    complaint = [line for line in capsys.readouterr().err.splitlines() if "could not be written" in line]
    assert len(complaint) == 1
    assert "planted" not in complaint[0]
    assert [line["event"] for line in log.lines()] == ["next"]
