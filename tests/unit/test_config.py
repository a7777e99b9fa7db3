"""The settings: what the file, the environment and the command line may say, and how mistakes are told."""

from __future__ import annotations

import fnmatch
import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings as hypothesis_settings, strategies as st
from pydantic import SecretStr

from pipeline.config import (
    NOT_IN_EFFECT,
    RobotSettings,
    Settings,
    exposure,
    is_loopback_host,
    load_settings,
    not_in_effect,
    schema,
    secrets_of,
)
from pipeline.config.schema import key_names, node_at
from pipeline.errors import ConfigInvalid
from pipeline.redaction import printable

ROOT = Path(__file__).resolve().parents[2]
NO_ENVIRONMENT: Mapping[str, str] = {}

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


@pytest.fixture
def written(tmp_path: Path) -> Callable[[str | bytes], Path]:
    """Write a configuration file."""

    def write(content: str | bytes) -> Path:
        path = tmp_path / "config.json"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def problems_of(path: Path | None, environ: Mapping[str, str] = NO_ENVIRONMENT, **more: Any) -> list[str]:
    """Load settings that must be refused, and give the problems that were named."""
    with pytest.raises(ConfigInvalid) as refused:
        load_settings(path, environ=environ, **more)
    return refused.value.problems


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


# --- broken files ------------------------------------------------------------------------------

BROKEN: dict[str, tuple[str | bytes, list[str]]] = {
    "number out of range": (
        '{"api": {"port": 70000}, "wechat": {"per_minute": 0}}',
        ["api.port = 70000 * from 0 to 65535 * 0 到 65535", "wechat.per_minute = 0 * from 1 to 100000"],
    ),
    "wrong type": (
        '{"api": {"port": "80"}, "concurrent": {"max_workers": true, "queue_size": 1.0}, "web": null}',
        [
            'api.port = "80" * an integer',
            "concurrent.max_workers = true * an integer",
            "concurrent.queue_size = 1.0 * an integer",
            "web * {*",
        ],
    ),
    "no number": (
        '{"scheduler": {"memory_safety_margin": NaN}, "download": {"timeout_s": Infinity, "stall_s": 1e999}}',
        ["download.timeout_s = *", "download.stall_s = *", "scheduler.memory_safety_margin = NaN *"],
    ),
    "unknown keys": (
        '{"api": {"prot": 1}, "concurent": {}, "max_workers": 3, "api.host": "x"}',
        [
            "api.prot * the nearest known one is api.port *",
            "concurent * the nearest known one is concurrent *",
            "max_workers * the nearest known one is concurrent.max_workers *",
            '["api.host"] * the nearest known one is api.host *',
        ],
    ),
    "word out of a choice": (
        '{"log": {"level": "loud"}, "transcribe": {"batch_size": "big", "device": "gpu", "language": "chinese"}}',
        [
            "transcribe.device = * auto, cpu, cuda or cuda:N *",
            "transcribe.language = * zh or en *",
            "transcribe.batch_size = * auto or an integer from 1 to 128 *",
            "log.level = * one of debug, info, warning, error *",
        ],
    ),
    "robots": (
        '{"wechat": {"webhook": [{"name": "a b", "url": "ftp://x"}, {"nmae": "c", "url": "https://x"}]}}',
        [
            "wechat.webhook[0].name = * 1 to 64 letters*",
            "wechat.webhook[0].url = * http:// or https:// *",
            "wechat.webhook[1].name * missing *",
            "wechat.webhook[1].nmae * the nearest known one is wechat.webhook[1].name *",
        ],
    ),
    "two robots of one name": (
        '{"wechat": {"webhook": [{"name": "a", "url": "https://x"}, {"name": "a", "url": "https://y"}]}}',
        ["wechat.webhook = * a different name each *"],
    ),
    "addresses": (
        '{"download": {"allow_hosts": ["10.0.0.1/8"], "allow_ports": [0, 80], "proxy": "proxy:8080"},'
        ' "llm": {"base_url": "http://u:p@h"}}',
        [
            "download.allow_hosts = * '10.0.0.1/8' *",
            "download.allow_ports[0] = 0 *",
            "download.proxy = * socks5:// *",
            "llm.base_url = *",
        ],
    ),
    "places": (
        '{"web": {"timezone": "Mars/North"}, "api": {"host": "127.0.0.1:80"}, "storage": {"dir": ""}}',
        ["api.host = *", "web.timezone = *", "storage.dir = *"],
    ),
    "batch sizes": (
        '{"scheduler": {"min_batch_size": 4}}',
        ["scheduler.min_batch_size (*config.json): * not above scheduler.max_batch_size, which is 3 *"],
    ),
    "endpoint without a model": (
        '{"llm": {"base_url": "https://llm.test/v1", "summary_model": "s"}}',
        ["llm.model (*config.json): * because llm.base_url is set *"],
    ),
    "tokens": (
        '{"api": {"auth_token": ["", "with space", 7]}}',
        ["api.auth_token[0] = *", "api.auth_token[1] = *", "api.auth_token[2] = *"],
    ),
    "repeated keys": (
        '{"api": {"port": 1, "port": 2, "prot": 1}, "llm": {"model": "\\ud800"}}',
        ["api.port * more than once *", "api.prot *", "llm.model = *"],
    ),
    "no object": ("[]", ["*/config.json: * one JSON object *"]),
    "not UTF-8": (b"\xff\xfe{\x00}\x00", ["*/config.json:1:1: * UTF-8 *"]),
    "nothing": ("\n// nothing yet\n", ["*/config.json:1:1: *write at least {}*至少写上 {}*"]),
    "too deep": ("[" * 100_000, ["*/config.json: * brackets too deep *"]),
    "too long a number": ('{"a": ' + "9" * 5000 + "}", ["*/config.json: a number is too long *"]),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_files_have_every_mistake_named(name: str, written: Callable[[str | bytes], Path]) -> None:
    """Each mistake is one problem, with its place, the value and what is expected, in both languages."""
    content, patterns = BROKEN[name]
    problems = problems_of(written(content))
    assert [True] * len(patterns) == [
        fnmatch.fnmatchcase(problem, f"{pattern.replace('[', '[[]')}*")
        for problem, pattern in zip(problems, patterns, strict=True)
    ], problems
    assert all(re.search(r"[\u4e00-\u9fff]", problem) for problem in problems)


def test_no_mistake_hides_another(written: Callable[[str], Path]) -> None:
    """How keys go together, and who could reach the daemon, is told beside what is wrong by itself."""
    file = written(json.dumps({
        "api": {"host": "0.0.0.0", "prot": 1},
        "scheduler": {"min_batch_size": 4, "max_retries": -1},
        "llm": {"base_url": "https://llm.test/v1", "timeout_s": "long"},
    }))  # fmt: skip
    alone = ["api.prot", "scheduler.max_retries", "llm.timeout_s"]
    together = ["scheduler.min_batch_size", "llm.model"]
    assert [*alone, *together] == [problem.partition(" ")[0] for problem in problems_of(file)]
    listening = problems_of(file, has_made_tokens=lambda _: False)
    assert [*alone, *together, "api.host"] == [problem.partition(" ")[0] for problem in listening]


def test_what_nobody_knows_is_not_held_against_others(written: Callable[[str], Path]) -> None:
    """A key that goes with one that is wrong, or that may stand in a file that cannot be read, is no mistake."""
    values = '{"scheduler": {"min_batch_size": 4, "max_batch_size": "5"}, "api": {"host": "0.0.0.0", "auth_token": 7}}'
    wrong = problems_of(written(values), has_made_tokens=lambda _: False)
    assert ["api.auth_token", "scheduler.max_batch_size"] == [problem.partition(" ")[0] for problem in wrong]
    environ = {"TRANSCRIBED_API__HOST": "0.0.0.0", "TRANSCRIBED_LLM__BASE_URL": "https://llm.test/v1"}
    (unread,) = problems_of(written(values[:-1]), environ, has_made_tokens=lambda _: False)
    assert "not valid JSON" in unread
    (open_without,) = problems_of(None, {"TRANSCRIBED_API__HOST": "0.0.0.0"}, has_made_tokens=lambda _: False)
    assert "api.auth_token" in open_without


def test_syntax_errors_show_their_place(written: Callable[[str], Path]) -> None:
    """File, line and column, the line, and a caret under the character."""
    path = written('{\n  // a comment\n  "api": {"port": 80 "host": "::1"}\n}')
    (problem,) = problems_of(path)
    head, line, caret = problem.split("\n")
    assert head.startswith(f"{path}:3:22: ")
    assert line == '      "api": {"port": 80 "host": "::1"}'
    assert line.index('"host"') == caret.index("^")


SLIPS = {
    "comma": ('{"api": {}\n"log": {}}', "2:1", "a comma, *缺少逗号"),
    "trailing comma": ('{"api": {},}', "1:12", "* no comma stands behind *没有逗号"),
    "trailing comma of a list": ('{"web": [1,]}', "1:12", "a value *一个值"),
    "colon": ('{"api" {}}', "1:8", "a colon *缺少冒号"),
    "quotation mark": ('{"api": {"host": "a', "1:18", "* quotation mark *双引号"),
    "line end": ('{"api": {"host": "a\n"}}', "1:20", "* its line*在本行结束"),
    "backslash": (r'{"storage": {"dir": "C:\data"}}', "1:24", r"* backslash *写作 \\"),
    "behind the end": ("{}\n}", "2:1", "* behind *之后"),
    "encoding": ('{\n"api": {"host": "主'.encode() + b'\xff"}}', "2:19", "* UTF-8 *"),
}


@pytest.mark.parametrize("name", SLIPS)
def test_usual_slips_are_explained_in_both_languages(name: str, written: Callable[[str | bytes], Path]) -> None:
    """What the parser says in English is told in words that say what to correct, with the same place and a caret."""
    content, place, words = SLIPS[name]
    path = written(content)
    (problem,) = problems_of(path)
    head, _, caret = problem.split("\n")
    assert fnmatch.fnmatchcase(head, f"{path}:{place}: {'' if name == 'encoding' else '*JSON: '}{words}*")
    assert "^" == caret.strip()


def test_syntax_errors_show_no_secret(written: Callable[[str], Path]) -> None:
    """In the line that is shown, every word that may be part of a secret is masked, however it is quoted."""
    for line in (
        '"auth_token": "planted-secret-1" "port": 1',
        "'auth_token': 'planted-secret-1'",
        '"auth_token": planted-secret-1',
        '"auth_token": "planted-secret-1',
        '"auth_token": "planted-secret-1"，',
    ):
        (problem,) = problems_of(written('{"api": {' + line + "}}"))
        assert "planted" not in problem
        assert "auth_token" in problem


def test_a_syntax_error_hides_no_mistake_elsewhere(written: Callable[[str], Path]) -> None:
    """The environment is checked even if the file cannot be read."""
    problems = problems_of(written("{"), {"TRANSCRIBED_API__PORT": "x"})
    assert len(problems) == 2


def test_a_missing_file_is_a_mistake(tmp_path: Path) -> None:
    """A file that is named must be there, and be a file."""
    assert "there is no such file" in problems_of(tmp_path / "absent.json")[0]
    assert "cannot be read" in problems_of(tmp_path)[0]


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.just("planted-secret-2"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["env", "file", "name", "url"]), inner),
    max_leaves=4,
)


@hypothesis_settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    tree=st.dictionaries(
        st.sampled_from(sorted(DEFAULTS)),
        VALUES | st.dictionaries(st.sampled_from([key.split(".")[1] for key in key_names()]), VALUES),
    )
)
def test_any_tree_is_taken_or_refused_cleanly(written: Callable[[str], Path], tree: dict[str, Any]) -> None:
    """Whatever the file says, the answer is settings or named problems, which are text that can be printed."""
    try:
        load_settings(written(json.dumps(tree)), environ=NO_ENVIRONMENT)
        problems = []
    except ConfigInvalid as refused:
        problems = refused.problems
    assert [printable(problem) for problem in problems] == problems


# --- secrets -----------------------------------------------------------------------------------

SECRET = "planted-secret-3"
WITH_SECRETS = {
    "api": {"auth_token": SECRET},
    "download": {"proxy": f"http://u:{SECRET}@proxy"},
    "llm": {"api_key": SECRET},
    "notify": {"channels": [f"tgram://{SECRET}"], "callback_secret": SECRET},
    "wechat": {"webhook": f"https://qyapi.example/send?key={SECRET}"},
}


def test_secrets_are_not_shown(written: Callable[[str], Path]) -> None:
    """Neither the text of the settings nor their dump holds a secret."""
    settings = load_settings(written(json.dumps(WITH_SECRETS)), environ=NO_ENVIRONMENT)
    assert SECRET not in f"{settings!r} {settings} {settings.model_dump_json()}"


def test_secrets_can_be_listed(written: Callable[[str], Path]) -> None:
    """Every secret the settings hold is given, so that the log can hide it."""
    settings = load_settings(written(json.dumps(WITH_SECRETS)), environ=NO_ENVIRONMENT)
    assert {
        SECRET,
        f"http://u:{SECRET}@proxy",
        f"tgram://{SECRET}",
        f"https://qyapi.example/send?key={SECRET}",
    } == set(secrets_of(settings))


def test_problems_show_no_secret(written: Callable[[str], Path]) -> None:
    """A secret that is refused, or stands where it does not belong, is masked."""
    tree = {
        "api": {"auth_token": [f"{SECRET} with space"]},
        "llm": SECRET,
        "notify": {"callback_secret": [SECRET], "secret": SECRET},
        "wechat": {"webhook": f"ftp://{SECRET}"},
        "web": {"base_url": f"https://u:{SECRET}@x"},
    }
    problems = problems_of(written(json.dumps(tree)))
    assert len(problems) == 6
    assert SECRET not in "".join(problems)


def test_secrets_can_be_kept_elsewhere(written: Callable[[str], Path], tmp_path: Path) -> None:
    """A secret may stand in an environment variable or in a file of its own, in a list too."""
    kept = tmp_path / "key"
    kept.write_text("in-a-file-01\n")
    tree = {
        "api": {"auth_token": [{"env": "MY_TOKEN"}, "as-it-stands"]},
        "llm": {"api_key": {"file": str(kept)}},
        "wechat": {"webhook": {"env": "MY_ROBOT"}},
    }
    environ = {"MY_TOKEN": "in-a-variable", "MY_ROBOT": "https://x.example/?key=1"}
    settings = load_settings(written(json.dumps(tree)), environ=environ)
    assert (SecretStr("in-a-variable"), SecretStr("as-it-stands")) == settings.api.tokens
    assert SecretStr("in-a-file-01") == settings.llm.api_key
    assert (RobotSettings(name="default", url="https://x.example/?key=1"),) == settings.wechat.robots


@pytest.mark.parametrize("place", [{"env": "ABSENT"}, {"env": "EMPTY"}, {"file": "/absent/key"}])
def test_secrets_that_are_not_there_are_mistakes(place: dict[str, str], written: Callable[[str], Path]) -> None:
    """A variable or file that is missing or empty is named; it does not count as no secret."""
    (problem,) = problems_of(written(json.dumps({"api": {"auth_token": place}})), {"EMPTY": ""})
    assert problem.startswith("api.auth_token = ")
    assert next(iter(place.values())) in problem


def test_a_command_beside_the_daemon_needs_none_of_its_secrets(written: Callable[[str], Path]) -> None:
    """Where secrets are not asked for, those that are not there count as not set; the others and all mistakes stay."""
    absent, there = {"env": "ABSENT"}, {"env": "MY_TOKEN"}
    robots = [{"name": "team", "url": absent}, {"name": "family", "url": "https://x.example/?key=1"}]
    path = written(json.dumps({
        "api": {"auth_token": [absent, there]},
        "llm": {"api_key": {"file": "/absent/key"}},
        "wechat": {"webhook": robots},
    }))  # fmt: skip
    environ = {"MY_TOKEN": "in-a-variable"}
    settings = load_settings(path, environ=environ, all_secrets=False)
    assert (SecretStr("in-a-variable"),) == settings.api.tokens
    assert SecretStr("") == settings.llm.api_key
    assert ["family"] == [robot.name for robot in settings.wechat.robots]
    assert 3 == len(problems_of(path, environ))
    mistyped = {**environ, "TRANSCRIBED_WECHAT__WEBHOOK": '{"evn": "ABSENT"}'}
    with pytest.raises(ConfigInvalid, match=r"wechat\.webhook"):
        load_settings(path, environ=mistyped, all_secrets=False)


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
