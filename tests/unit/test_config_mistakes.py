"""How mistakes in the configuration are told: each by its place, what was found and what is expected."""

from __future__ import annotations

import fnmatch
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings as hypothesis_settings, strategies as st

from pipeline.config import Settings, load_settings
from pipeline.config.schema import key_names
from pipeline.errors import ConfigInvalid
from pipeline.redaction import printable
from tests.unit.configuration import NO_ENVIRONMENT, problems_of

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
        st.sampled_from(sorted(Settings.model_fields)),
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
