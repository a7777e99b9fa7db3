"""The settings: what the file, the environment and the command line may say, and what it means."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from pipeline.config import (
    NOT_IN_EFFECT,
    Settings,
    exposure,
    is_loopback_host,
    load_settings,
    not_in_effect,
    schema,
)
from pipeline.config.schema import key_names, node_at
from tests.unit.configuration import NO_ENVIRONMENT, problems_of

ROOT = Path(__file__).resolve().parents[2]

DEFAULTS: dict[str, dict[str, Any]] = {
    "api": {"host": "127.0.0.1", "port": 8000, "auth_token": "", "max_body_mb": 1, "max_upload_mb": 2048},
    "concurrent": {"max_workers": 3, "queue_size": 10},
    "download": {
        "timeout_s": 1800, "stall_s": 60, "max_mb": 4096, "max_duration_s": 21600, "captions": "prefer",
        "allow_hosts": [], "allow_ports": [80, 443, 8080, 8443], "cookies_dir": "", "proxy": "",
        "js_runtimes": ["deno", "node"],
    },
    "transcribe": {
        "model": "auto", "models": [], "device": "auto", "compute_type": "auto", "language": "auto",
        "batch_size": "auto", "script": "simplified", "idle_unload_s": 300, "stall_s": 120, "max_factor": 3.0,
    },
    "scheduler": {
        "batch_schedule_interval_s": 2, "performance_monitor_interval_s": 30, "gpu_monitor_interval_s": 5,
        "batch_timeout_s": 5, "min_batch_size": 1, "max_batch_size": 3, "memory_safety_margin": 0.10,
        "min_free_gb": 1.0, "max_tasks_per_gpu": 3, "max_retries": 3, "retry_delay_s": 5,
    },
    "llm": {
        "base_url": "", "api_key": "", "model": "", "proofread_model": "", "summary_model": "", "translate_model": "",
        "fallback_models": [], "queue_size": 100, "timeout_s": 300, "max_retries": 2, "parallel_chunks": 4,
        "chunk_chars": 3000, "min_summary_chars": 500, "glossary": [],
    },
    "wechat": {
        "webhook": "", "allow_request_webhook": False, "per_minute": 18, "notify": "final",
        "long_text_as_file_over": 10, "language": "zh",
    },
    "notify": {"channels": [], "callback_secret": ""},
    "web": {"base_url": "", "timezone": "Asia/Shanghai"},
    "storage": {"dir": "data", "result_days": 360, "task_days": 180, "keep_media": False, "min_free_gb": 1.0},
    "log": {"level": "info", "file": "data/logs/daemon.jsonl", "max_mb": 10, "backups": 5},
}  # fmt: skip


# --- keys and defaults -------------------------------------------------------------------------


def test_every_key_has_its_default() -> None:
    """Keys and defaults are exactly those that are promised."""
    made: dict[str, dict[str, Any]] = {}
    for dotted in key_names():
        section, key = dotted.split(".")
        made.setdefault(section, {})[key] = node_at((section, key))["default"]
    assert made == DEFAULTS


def test_defaults_written_out_change_nothing(written: Callable[[str], Path]) -> None:
    """A file that names every key with its default is the same as no file."""
    assert load_settings(None, environ=NO_ENVIRONMENT) == load_settings(
        written(json.dumps(DEFAULTS)), environ=NO_ENVIRONMENT
    )


def test_the_file_in_the_repository_holds_defaults() -> None:
    """The config.json that users start from changes nothing."""
    assert Settings() == load_settings(ROOT / "config.json", environ=NO_ENVIRONMENT)


def test_every_key_is_described() -> None:
    """The schema has a sentence about every key, and refuses unknown ones."""
    described = {dotted for dotted in key_names() if node_at(tuple(dotted.split("."))).get("description", "")[-1:]}
    assert set(key_names()) == described
    assert schema()["additionalProperties"] is False
    assert all(part["additionalProperties"] is False for part in schema()["$defs"].values())


def test_settings_cannot_change() -> None:
    """Assigning to a setting is an error."""
    with pytest.raises(ValueError, match="frozen"):
        Settings().api.port = 1  # type: ignore[misc]


# --- where settings come from ------------------------------------------------------------------


def test_command_line_beats_environment_beats_file(written: Callable[[str], Path]) -> None:
    """Each source overrides single keys of the weaker ones and leaves the rest."""
    path = written('{"api": {"port": 1, "host": "::1"}, "concurrent": {"max_workers": 5, "queue_size": 6}}')
    settings = load_settings(
        path,
        environ={"TRANSCRIBED_API__PORT": "2", "TRANSCRIBED_CONCURRENT__QUEUE_SIZE": "7"},
        overrides={"api.port": 0},
    )
    assert (settings.api.port, settings.api.host) == (0, "::1")
    assert (settings.concurrent.max_workers, settings.concurrent.queue_size) == (5, 7)


def test_comments_byte_order_mark_and_schema_are_no_settings(written: Callable[[bytes], Path]) -> None:
    """Notepad's mark, // comments and $schema are passed over; // inside a string stays."""
    text = '\ufeff// first\r\n{"$schema": "x", // "api": 1\r\n"web": {"base_url": "https://a.example/\\"//b"}}// last'
    settings = load_settings(written(text.encode()), environ=NO_ENVIRONMENT)
    assert settings.web.base_url == 'https://a.example/"//b'


@pytest.mark.parametrize(
    ("variable", "text", "key", "value"),
    [
        ("TRANSCRIBED_API__PORT", "0", "port", 0),
        ("TRANSCRIBED_DOWNLOAD__TIMEOUT_S", "1.5", "timeout_s", 1.5),
        (
            "TRANSCRIBED_DOWNLOAD__ALLOW_HOSTS",
            '["10.0.0.0/8", "nas.local"]',
            "allow_hosts",
            ("10.0.0.0/8", "nas.local"),
        ),
        ("TRANSCRIBED_TRANSCRIBE__MODEL", "1", "model", "1"),
        ("TRANSCRIBED_TRANSCRIBE__BATCH_SIZE", "8", "batch_size", 8),
        ("TRANSCRIBED_TRANSCRIBE__BATCH_SIZE", "auto", "batch_size", "auto"),
        ("TRANSCRIBED_STORAGE__KEEP_MEDIA", "Yes", "keep_media", True),
        ("TRANSCRIBED_STORAGE__DIR", "/srv/x", "dir", Path("/srv/x")),
        ("TRANSCRIBED_LOG__LEVEL", "debug", "level", "debug"),
        ("TRANSCRIBED_API__AUTH_TOKEN", "123456789", "auth_token", (SecretStr("123456789"),)),
        (
            "TRANSCRIBED_API__AUTH_TOKEN",
            '["first-token", "other-token"]',
            "auth_token",
            (SecretStr("first-token"), SecretStr("other-token")),
        ),
    ],
)
def test_environment_is_text_turned_into_values(variable: str, text: str, key: str, value: object) -> None:
    """A variable is read as its setting needs it."""
    section = variable.split("_")[1].lower()
    settings = load_settings(None, environ={variable: text})
    assert value == getattr(getattr(settings, section), key)


def test_environment_that_is_no_setting() -> None:
    """The client's own variables pass; a mistyped setting does not."""
    load_settings(None, environ={"TRANSCRIBED_URL": "x", "TRANSCRIBED_TOKEN": "x", "PATH": "x"})
    (problem,) = problems_of(None, {"TRANSCRIBED_API__PROT": "1"})
    assert "TRANSCRIBED_API__PROT" in problem
    assert "TRANSCRIBED_API__PORT" in problem


def test_mistakes_name_the_source_of_the_value(written: Callable[[str], Path]) -> None:
    """A bad value is told with the file, variable or command line that set it."""
    path = written('{"api": {"max_body_mb": 0}}')
    problems = problems_of(path, {"TRANSCRIBED_LOG__LEVEL": "loud"}, overrides={"api.port": -1})
    assert [
        "api.port = -1 (command line)",
        f"api.max_body_mb = 0 ({path})",
        'log.level = "loud" (TRANSCRIBED_LOG__LEVEL)',
    ] == [problem.partition(": ")[0] for problem in problems]


# --- what the settings mean --------------------------------------------------------------------


def test_one_address_is_the_default_robot() -> None:
    """A webhook that is only an address belongs to the robot named default; none means the inbox."""
    one = load_settings(None, environ={"TRANSCRIBED_WECHAT__WEBHOOK": "https://x.example/?key=1"})
    several = load_settings(
        None,
        environ={
            "TRANSCRIBED_WECHAT__WEBHOOK": '[{"name": "技术群", "url": "https://x"}, {"name": "b", "url": "https://y"}]'
        },
    )
    assert Settings().wechat.robots == ()
    assert [robot.name for robot in one.wechat.robots] == ["default"]
    assert [robot.name for robot in several.wechat.robots] == ["技术群", "b"]


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("127.0.0.1", True), ("127.8.9.10", True), ("::1", True), ("localhost", True), ("LocalHost", True),
        ("0.0.0.0", False), ("::", False), ("192.168.1.2", False), ("example.com", False),
        ("localhost.example.com", False), ("127.0.0.1.example.com", False),
    ],
)  # fmt: skip
def test_loopback_hosts(host: str, loopback: bool) -> None:  # noqa: FBT001 - a column of the table
    """Only hosts that no other machine can reach are loopback."""
    assert loopback == is_loopback_host(host)


def test_exposure_needs_a_chosen_token() -> None:
    """Listening to other machines is refused until a token is configured or made."""
    exposed = load_settings(None, environ=NO_ENVIRONMENT, overrides={"api.host": "0.0.0.0"})
    guarded = load_settings(
        None, environ=NO_ENVIRONMENT, overrides={"api.host": "0.0.0.0", "api.auth_token": "chosen-token"}
    )
    (problem,) = exposure(exposed, lambda _: False)
    assert problem.startswith("api.host")
    assert [] == exposure(exposed, lambda folder: folder == exposed.storage.dir)
    assert [] == exposure(guarded, lambda _: False)
    assert [] == exposure(Settings(), lambda _: False)


def test_a_short_token_is_for_this_machine_only() -> None:
    """A token of a few characters will do on loopback, and is refused where other machines can try it."""
    here = load_settings(None, environ=NO_ENVIRONMENT, overrides={"api.auth_token": "short"})
    assert [] == exposure(here, lambda _: False)
    exposed = load_settings(
        None, environ=NO_ENVIRONMENT, overrides={"api.host": "0.0.0.0", "api.auth_token": ["chosen-token", "short"]}
    )
    (problem,) = exposure(exposed, lambda _: True)
    assert re.match(r"api\.auth_token.* at least 8 characters", problem)


def test_keys_without_effect_are_named_when_set(written: Callable[[str], Path]) -> None:
    """Keys that the configuration sets are named, be it to their default, and each of them is a key."""
    settings = load_settings(
        written('{"llm": {"translate_model": "m", "timeout_s": 300}, "api": {"port": 1}, "notify": {"channels": []}}'),
        environ=NO_ENVIRONMENT,
    )
    assert not_in_effect(Settings()) == ()
    assert not_in_effect(settings) == ("llm.translate_model", "notify.channels")
    assert set(key_names()) >= NOT_IN_EFFECT
