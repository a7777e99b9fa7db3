"""The log: what a line holds, what it never shows, and how its file rotates."""

from __future__ import annotations

import contextvars
import io
import json
import logging
import os
import stat
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import structlog
from hypothesis import given, strategies as st
from pydantic import SecretStr

from pipeline.config import LogSettings
from pipeline.log import bind_task, set_up
from pipeline.redaction import LONGEST_TEXT, hide, presentable, printable, redact

UNPRINTABLE = "\x1b[31m\r\n\x00\x7f\x9b\u202e\u2066\u200f\u2028\ud800"


@dataclass(frozen=True)
class Log:
    """A log that has been set up."""

    file: Path

    def lines(self) -> list[dict[str, Any]]:
        """Give the lines so far, each parsed by itself."""
        return [json.loads(line) for line in self.file.read_text(encoding="utf-8").splitlines()]


Start = Callable[[], Log]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Set up a log at level info, with console, and take it down afterwards.

    It is started in the test itself: what pytest captures is another stream in each phase.
    """
    root = logging.getLogger()

    def begin() -> Log:
        root.handlers.clear()  # pytest's own would fail on values that cannot show themselves
        file = tmp_path / "new" / "logs" / "daemon.jsonl"
        set_up(LogSettings(level="info", file=file, max_mb=1, backups=5), console=True)
        return Log(file)

    level = root.level
    yield begin
    for handler in list(root.handlers):
        if type(handler).__module__ == set_up.__module__:
            root.removeHandler(handler)
            handler.close()
    root.setLevel(level)
    logging.captureWarnings(capture=False)
    structlog.reset_defaults()


def fail_with_a_secret_in_a_local() -> None:
    """Raise while a local variable holds what must not be logged."""
    held = "planted-local"
    raise ValueError(f"length {len(held)}, at https://example.com/?key=planted-in-text")


def fail_with(text: str) -> None:
    """Raise with this text."""
    raise ValueError(text)


# --- lines -------------------------------------------------------------------------------------


def test_a_line_begins_with_time_level_and_event(start: Start) -> None:
    """Fixed fields come first; the time is RFC 3339 in UTC with milliseconds."""
    log = start()
    structlog.get_logger().warning("task settled", status="completed", took_s=1.5, title="视频")
    (line,) = log.lines()
    assert list(line) == ["ts", "level", "event", "status", "took_s", "title", "logger"]
    assert list(line.values())[1:6] == ["warning", "task settled", "completed", 1.5, "视频"]
    assert line["ts"].endswith("Z")
    assert len(line["ts"]) == len("2026-01-01T00:00:00.000Z")
    assert datetime.fromisoformat(line["ts"]).utcoffset() == timedelta(0)


def test_lines_below_the_level_are_dropped(start: Start) -> None:
    """Level info drops debug, of our own loggers and of others."""
    log = start()
    structlog.get_logger().debug("ours")
    logging.getLogger("theirs").debug("theirs")
    structlog.get_logger().info("kept")
    assert [line["event"] for line in log.lines()] == ["kept"]


def test_chinese_is_written_as_it_is(start: Start) -> None:
    """The file is UTF-8, without escapes for what can be read."""
    log = start()
    structlog.get_logger().info("下载完成")
    assert "下载完成" in log.file.read_text(encoding="utf-8")


def test_other_loggers_take_the_same_way(start: Start) -> None:
    """A library's line has the same fields, and its logger's name."""
    log = start()
    with bind_task("t-1"):
        logging.getLogger("aiohttp.access").info("%s %d", "GET /livez", 200)
    (line,) = log.lines()
    assert (line["event"], line["level"], line["task"], line["logger"]) == (
        "GET /livez 200",
        "info",
        "t-1",
        "aiohttp.access",
    )


def test_any_value_becomes_json(start: Start) -> None:
    """What JSON does not know becomes text; a value that cannot show itself does not lose the line."""
    log = start()

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


def test_long_values_are_cut(start: Start) -> None:
    """A value of megabytes costs one line of bounded length."""
    log = start()
    structlog.get_logger().info("x", title="长" * 1_000_000)
    (line,) = log.lines()
    assert len(line["title"]) < LONGEST_TEXT + 20


def test_a_second_set_up_replaces_the_first(start: Start, tmp_path: Path) -> None:
    """After setting up again, lines go to the new file only, at the new level."""
    log = start()
    set_up(LogSettings(level="error", file=tmp_path / "second.jsonl"), console=False)
    structlog.get_logger().warning("dropped")
    structlog.get_logger().error("kept")
    assert log.file.read_text() == ""
    assert json.loads((tmp_path / "second.jsonl").read_text())["event"] == "kept"


# --- context -----------------------------------------------------------------------------------


def test_a_bound_task_is_in_every_line_of_its_context(start: Start) -> None:
    """The task's id is in the lines inside the block, and in none after it."""
    log = start()
    with bind_task("t-1"):
        structlog.get_logger().info("inside")
    structlog.get_logger().info("outside")
    assert [line.get("task") for line in log.lines()] == ["t-1", None]


def test_context_reaches_threads_that_carry_it(start: Start) -> None:
    """A thread that runs in a copy of the context logs its task; a bare thread does not."""
    log = start()
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


# --- secrets -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "GET /api/logs?token=planted HTTP/1.1",
        "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=planted-1&x=1",
        "https://cdn.example/v.mp4?Signature=planted&Expires=1",
        "Authorization: Basic planted",
        "authorization: Bearer planted-123",
        "Cookie: session=planted; other=planted",
        "sent with Bearer planted-123",
        "made tr_planted-123-planted",
        "key sk-planted-123",
        "https://user:planted@proxy.example:80/",
        "{'api_key': 'planted', 'x': 1}",
        '{"auth_token": "plan\\"ted-planted"}',
        "password='planted'",
    ],
)
def test_secrets_are_known_by_their_shape(text: str, start: Start, capsys: pytest.CaptureFixture[str]) -> None:
    """Text that looks like a secret is masked in values, in events, and in other libraries' lines."""
    log = start()
    structlog.get_logger().info("x", value=text, nested=[{"inner": text}])
    structlog.get_logger().info(text)
    logging.getLogger("aiohttp.access").info("%s", text)
    written = json.dumps(log.lines()) + capsys.readouterr().err
    assert "***" in written
    assert "planted" not in written


@pytest.mark.parametrize(
    "text",
    [
        "took 3 s",
        "key: value",
        "the token has expired",
        "cuda:0",
        "https://example.com/a?v=1",
        "prompt_tokens=12",
        "risk-free",
    ],
)
def test_ordinary_text_is_left_alone(text: str) -> None:
    """What is no secret is not masked."""
    assert text == redact(text)


def test_secrets_are_known_by_the_name_of_their_field(start: Start) -> None:
    """A field with a telling name is masked whole; numbers and empty values are not secrets."""
    log = start()
    structlog.get_logger().info(
        "x",
        token="planted",
        api_key={"a": "planted"},
        webhook_url=["planted"],
        headers={"Authorization": "planted", "Accept": "*/*"},
        password=SecretStr("planted"),
        prompt_tokens=12,
        secret="",
    )
    (line,) = log.lines()
    assert "planted" not in json.dumps(line)
    assert (line["token"], line["prompt_tokens"], line["secret"]) == ("***", 12, "")
    assert line["headers"] == {"Authorization": "***", "Accept": "*/*"}


def test_hidden_secrets_are_masked_wherever_they_stand(start: Start) -> None:
    """An exact secret is masked in any text; one that begins with another leaves no rest."""
    log = start()
    hide("open-sesame")
    hide("open-sesame-and-more")
    structlog.get_logger().info("said open-sesame-and-more twice", value={"open-sesame": ["xopen-sesamex"]})
    (line,) = log.lines()
    assert line["event"] == "said *** twice"
    assert line["value"] == {"***": ["x***x"]}


def test_short_secrets_are_not_hidden() -> None:
    """A dummy key that is also a plain word does not blot out the log."""
    hide("ollama")
    hide("")
    assert redact("asked ollama") == "asked ollama"


def test_tracebacks_hold_no_locals_and_no_secrets(start: Start, capsys: pytest.CaptureFixture[str]) -> None:
    """An exception is logged with its frames, without local variables, its text redacted, by every logger."""
    log = start()
    try:
        fail_with_a_secret_in_a_local()
    except ValueError:
        structlog.get_logger().exception("ours")
        logging.getLogger("theirs").exception("theirs")
    shown = log.file.read_text() + capsys.readouterr().err
    assert "planted-local" not in shown
    assert "planted-in-text" not in shown
    for line in log.lines():
        (exception,) = line["exception"]
        assert exception["exc_type"] == "ValueError"
        assert exception["exc_value"] == "length 13, at https://example.com/?key=***"
        assert exception["frames"][-1]["name"] == "fail_with_a_secret_in_a_local"
        assert "locals" not in exception["frames"][-1]


def test_redaction_is_quick_on_hostile_text() -> None:
    """Text made to slow the patterns down is done in no time."""
    before = time.process_time()
    for text in ("a.", "a_", "token='", "cookie:", "x://", "password: ", "bearer ", "://a:", '"key"='):
        presentable(text * 500_000)
    assert time.process_time() - before < 2


# --- forged lines ------------------------------------------------------------------------------


def test_control_and_direction_characters_never_arrive_raw(start: Start, capsys: pytest.CaptureFixture[str]) -> None:
    """A hostile title is one line in the file and on the console, escaped; the file gives it back unchanged."""
    log = start()
    structlog.get_logger().info(f"got {UNPRINTABLE}", title=UNPRINTABLE, names={UNPRINTABLE: 1})
    text = log.file.read_text(encoding="utf-8")
    console = capsys.readouterr().err
    assert not set(UNPRINTABLE) & set(text.removesuffix("\n")) - set("[31m")
    assert not set(UNPRINTABLE) & set(console.removesuffix("\n")) - set("[31m")
    assert (1, 1) == (text.count("\n"), console.count("\n"))
    assert log.lines()[0]["title"] == UNPRINTABLE


def test_an_exception_cannot_forge_a_console_line(start: Start, capsys: pytest.CaptureFixture[str]) -> None:
    """Lines of an exception's text are indented on the console, and escape sequences are escaped."""
    log = start()
    try:
        fail_with("x\n2026-01-01T00:00:00.000Z info forged\x1b[2J")
    except ValueError:
        structlog.get_logger().exception("failed")
    first, *rest = capsys.readouterr().err.splitlines()
    assert first.split()[1:] == ["error", "failed"]
    assert "    2026-01-01T00:00:00.000Z info forged\\u001b[2J" in rest
    assert all(line.startswith("    ") for line in rest)
    assert len(log.lines()) == 1


@given(st.text(st.characters(exclude_categories=())))
def test_printable_text_is_one_line_of_utf8(text: str) -> None:
    """Whatever a text holds, its printable form is a single line that UTF-8 can hold."""
    shown = printable(text)
    assert len(shown.encode().decode().splitlines()) <= 1
    assert not any(ord(character) < 32 or 127 <= ord(character) < 160 for character in shown)


# --- console -----------------------------------------------------------------------------------


def test_console_lines_are_plain_and_readable(start: Start, capsys: pytest.CaptureFixture[str]) -> None:
    """Not on a terminal there is no color; values that need quotes have them."""
    log = start()
    with bind_task("t-1"):
        structlog.get_logger().info("task settled", title="two words", count=3)
    (line,) = log.lines()
    assert capsys.readouterr().err == f'{line["ts"]} info     task settled title="two words" count=3 task=t-1\n'


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        """Say yes."""
        return True


def test_console_lines_are_colored_on_a_terminal(start: Start) -> None:
    """A terminal gets the level in color."""
    log = start()
    terminal, before = Terminal(), sys.stderr
    sys.stderr = terminal
    try:
        set_up(LogSettings(file=log.file), console=True)
    finally:
        sys.stderr = before
    structlog.get_logger().error("x")
    assert "\x1b[31merror   \x1b[0m x" in terminal.getvalue()


# --- file --------------------------------------------------------------------------------------


def test_file_and_new_folders_are_private(start: Start) -> None:
    """Only the owner can read the file, and enter the folders that were made for it."""
    log = start()
    assert [0o600, 0o700, 0o700] == [
        stat.S_IMODE(path.stat().st_mode) for path in (log.file, log.file.parent, log.file.parent.parent)
    ]


def test_a_readable_file_is_made_private(start: Start) -> None:
    """A log file that others could read is closed to them."""
    log = start()
    log.file.chmod(0o644)
    set_up(LogSettings(file=log.file), console=False)
    assert stat.S_IMODE(log.file.stat().st_mode) == 0o600


def test_rotation_under_threads_keeps_every_line_whole(start: Start) -> None:
    """Lines of several threads are all there after rotations, each valid JSON, in private files of bounded size."""
    log = start()
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


def test_an_open_reader_keeps_its_file_across_a_rotation(start: Start) -> None:
    """A reader that follows the file reads it to its end under its new name, as tail -F does."""
    log = start()
    with log.file.open(encoding="utf-8") as reader:
        while not (rotated := log.file.with_name("daemon.jsonl.1")).exists():
            structlog.get_logger().info("x", filler="y" * 16_000)
        assert os.fstat(reader.fileno()).st_ino == rotated.stat().st_ino
        assert reader.read() == rotated.read_text(encoding="utf-8")
    assert log.file.stat().st_ino != rotated.stat().st_ino


def test_a_lost_line_is_told_once_without_its_content(start: Start, capsys: pytest.CaptureFixture[str]) -> None:
    """A line that cannot be made is reported on standard error once, and the next line is written."""
    log = start()
    for _ in range(3):
        logging.getLogger("theirs").info("%d", "planted")
    structlog.get_logger().info("next")
    complaint = [line for line in capsys.readouterr().err.splitlines() if "could not be written" in line]
    assert len(complaint) == 1
    assert "planted" not in complaint[0]
    assert [line["event"] for line in log.lines()] == ["next"]
