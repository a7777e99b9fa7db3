"""What the log never shows: secrets, and characters that would make one line look like another."""

from __future__ import annotations

import json
import logging
import time

import pytest
import structlog
from hypothesis import given, strategies as st
from pydantic import SecretStr

from pipeline.redaction import hide, presentable, printable, redact
from tests.unit.logs import StartLog

UNPRINTABLE = "\x1b[31m\r\n\x00\x7f\x9b\u202e\u2066\u200f\u2028\ud800"


def fail_with_a_secret_in_a_local() -> None:
    """Raise while a local variable holds what must not be logged."""
    held = "planted-local"
    raise ValueError(f"length {len(held)}, at https://example.com/?key=planted-in-text")


def fail_with(text: str) -> None:
    """Raise with this text."""
    raise ValueError(text)


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
def test_secrets_are_known_by_their_shape(text: str, start_log: StartLog, capsys: pytest.CaptureFixture[str]) -> None:
    """Text that looks like a secret is masked in values, in events, and in other libraries' lines."""
    log = start_log()
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


def test_secrets_are_known_by_the_name_of_their_field(start_log: StartLog) -> None:
    """A field with a telling name is masked whole; numbers and empty values are not secrets."""
    log = start_log()
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


def test_hidden_secrets_are_masked_wherever_they_stand(start_log: StartLog) -> None:
    """An exact secret is masked in any text; one that begins with another leaves no rest."""
    log = start_log()
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


def test_tracebacks_hold_no_locals_and_no_secrets(start_log: StartLog, capsys: pytest.CaptureFixture[str]) -> None:
    """An exception is logged with its frames, without local variables, its text redacted, by every logger."""
    log = start_log()
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


def test_control_and_direction_characters_never_arrive_raw(
    start_log: StartLog, capsys: pytest.CaptureFixture[str]
) -> None:
    """A hostile title is one line in the file and on the console, escaped; the file gives it back unchanged."""
    log = start_log()
    structlog.get_logger().info(f"got {UNPRINTABLE}", title=UNPRINTABLE, names={UNPRINTABLE: 1})
    text = log.file.read_text(encoding="utf-8")
    console = capsys.readouterr().err
    assert not set(UNPRINTABLE) & set(text.removesuffix("\n")) - set("[31m")
    assert not set(UNPRINTABLE) & set(console.removesuffix("\n")) - set("[31m")
    assert (1, 1) == (text.count("\n"), console.count("\n"))
    assert log.lines()[0]["title"] == UNPRINTABLE


def test_an_exception_cannot_forge_a_console_line(start_log: StartLog, capsys: pytest.CaptureFixture[str]) -> None:
    """Lines of an exception's text are indented on the console, and escape sequences are escaped."""
    log = start_log()
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
