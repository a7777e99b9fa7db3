"""The commands where no daemon runs, as whoever types them sees them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.cli.commands import COMMANDS
from tests.acceptance.commands import DATA_FOLDER, FAILED, FINE, USAGE, findings, run_daemon
from tests.daemon import ROOT
from tests.fakes.site import Site

QUICK_S = 0.5
"""CPU seconds: what it takes where nothing else runs."""


def test_help_is_quick_and_has_examples() -> None:
    """The help comes at once, and so does that of every command, with examples."""
    before = _cpu_of_children_s()
    printed = run_daemon("--help").stdout
    assert _cpu_of_children_s() - before < QUICK_S
    for command, summary in COMMANDS.items():
        assert summary.split(";")[0] in " ".join(printed.split())
        shown = run_daemon(command, "--help")
        assert (FINE, "") == (shown.returncode, shown.stderr)
        assert f"examples:\n  run_daemon.py {command}" in shown.stdout


@pytest.mark.parametrize(
    "arguments", [["submti"], ["submit"], ["logs", "-n", "-3"], ["token", "new", "a b"], ["serve", "--port", "x"]]
)
def test_wrong_usage_ends_with_2(arguments: list[str]) -> None:
    """It says what was expected, without a traceback."""
    done = run_daemon(*arguments)
    assert USAGE == done.returncode
    assert "usage: run_daemon.py" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "command", [["submit", "https://example.com"], ["watch", "1"], ["cancel", "1"], ["retry", "1"]]
)
def test_without_a_daemon_the_start_is_named(tmp_path: Path, command: list[str]) -> None:
    """Nobody answers: it ends with 1 and says in both languages how to start the daemon."""
    config = tmp_path / "config.json"
    config.write_text(
        json.dumps({"storage": {"dir": str(tmp_path / "data")}, "api": {"auth_token": "a-token-of-ours"}})
    )
    gone = run_daemon(*command, "--config", config)
    refused = run_daemon(*command, "--url", "http://127.0.0.1:9", "--token", "some-token")
    for done in (gone, refused):
        assert (FAILED, "") == (done.returncode, done.stdout)
        assert "python run_daemon.py" in done.stderr
        assert "请用" in done.stderr
        assert "Traceback" not in done.stderr


def test_a_python_without_the_packages_is_told_of_the_right_one(tmp_path: Path) -> None:
    """It ends with 2 and names the .venv that has them, without a traceback."""
    for program, *command in (
        ["run_daemon.py"],
        ["run_daemon.py", "doctor"],
        ["run_daemon.py", "submit", "https://example.com"],
        ["test_concurrent.py", "--demo"],
    ):
        bare = [sys.executable, "-S", "-E", str(ROOT / program), *command]
        done = subprocess.run(bare, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert (USAGE, "") == (done.returncode, done.stdout)
        english, chinese = done.stderr.splitlines()
        assert f".venv/bin/python {program}" in english
        assert f".venv/bin/python {program}" in chinese


def test_a_locale_without_chinese_ends_no_command() -> None:
    """What it cannot show is shown as its code."""
    environ = os.environ | {"PYTHONIOENCODING": "latin-1", "PYTHONUTF8": "0"}
    shown = run_daemon("--help", environ=environ)
    assert (FINE, "") == (shown.returncode, shown.stderr)
    assert "\\u4e0b\\u8f7d" in shown.stdout


def test_ctrl_c_ends_what_a_test_in_the_background_starts() -> None:
    """A shell's background command ignores Ctrl-C; what the tests start from there heeds it all the same."""
    show = "import signal; print(signal.getsignal(signal.SIGINT) is signal.default_int_handler)"
    tests = f"import subprocess, sys, tests.conftest; subprocess.run([sys.executable, '-c', {show!r}], check=True)"
    background = ["sh", "-c", "trap '' INT; exec \"$@\"", "sh", sys.executable, "-c", tests]
    assert "True\n" == subprocess.run(background, cwd=ROOT, capture_output=True, text=True, check=True).stdout


def test_logs_show_the_last_lines_of_a_level(tmp_path: Path) -> None:
    """They are readable; -n counts those that are shown, over rotated files too; what is no JSON is shown as it is."""
    config, file = tmp_path / "config.json", tmp_path / "daemon.jsonl"
    config.write_text(json.dumps({"log": {"file": str(file)}}))
    frame = {"filename": "x.py", "lineno": 7, "name": "f"}
    why = [{"exc_type": "ValueError", "exc_value": "no", "frames": [frame]}]
    for older, line in (
        (2, {"ts": "1", "level": "error", "event": "first", "task": "a", "exception": why}),
        (1, {"ts": "2", "level": "info", "event": "second", "took_s": 0.5, "says": "two words"}),
        (1, {"ts": "3", "level": "debug", "event": "third"}),
        (0, {"ts": "4", "level": "warning", "event": "fourth"}),
    ):
        place = file.with_name(f"{file.name}.{older}") if older else file
        with place.open("a") as opened:
            opened.write(json.dumps(line) + "\n")
    with file.open("a") as opened:
        opened.write("no JSON\n")

    def shown(*arguments: str) -> list[str]:
        return run_daemon("logs", "--config", config, *arguments).stdout.splitlines()

    first = ["1 error    first task=a", "    x.py:7 in f", "    ValueError: no"]
    second, third, fourth = '2 info     second took_s=0.5 says="two words"', "3 debug    third", "4 warning  fourth"
    assert [*first, second, third, fourth, "no JSON"] == shown()
    assert [third, fourth, "no JSON"] == shown("-n", "3")
    assert [second, fourth, "no JSON"] == shown("-n", "3", "--level", "info")
    assert first == shown("-n", "1", "--task", "a")


def test_logs_end_quietly_when_nobody_reads_on(tmp_path: Path) -> None:
    """In a pipe whose reader leaves, as in ``logs | head``, the command ends without a word."""
    (tmp_path / "daemon.jsonl").write_text('{"ts": "", "level": "info", "event": "one of many"}\n' * 20_000)
    config = tmp_path / "config.json"
    config.write_text(json.dumps({"log": {"file": str(tmp_path / "daemon.jsonl")}}))
    command = [sys.executable, str(ROOT / "run_daemon.py"), "logs", "-n", "20000", "--config", str(config)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as logs:
        assert b"one of many" in logs.stdout.readline()
        logs.stdout.close()
        assert b"" == logs.stderr.read()


def test_logs_before_the_first_start(tmp_path: Path) -> None:
    """Without a log it says so and ends with 1."""
    config = tmp_path / "config.json"
    config.write_text(json.dumps({"log": {"file": str(tmp_path / "daemon.jsonl")}}))
    done = run_daemon("logs", "--config", config)
    assert (FAILED, True) == (done.returncode, str(tmp_path / "daemon.jsonl") in done.stderr)


def test_a_damaged_file_of_tokens_is_left_alone(tmp_path: Path) -> None:
    """It is named with 3, and what is in it stays; so is a data folder that is none."""
    config = tmp_path / "config.json"
    config.write_text(json.dumps({"storage": {"dir": str(tmp_path)}}))
    (tmp_path / "tokens.json").write_text("{half")
    done = run_daemon("token", "new", "phone", "--config", config)
    assert (DATA_FOLDER, "") == (done.returncode, done.stdout)
    assert str(tmp_path / "tokens.json") in done.stderr
    assert "{half" == (tmp_path / "tokens.json").read_text()
    config.write_text(json.dumps({"storage": {"dir": str(tmp_path / "tokens.json")}}))
    assert DATA_FOLDER == run_daemon("token", "new", "phone", "--config", config).returncode


def test_doctor_names_what_does_not_work_with_its_cure(tmp_path: Path, site: Site) -> None:
    """A taken port, an open folder, an endpoint that is not there and the rest: each has its severity and a cure."""
    (tmp_path / "data").mkdir(mode=0o755)
    (tmp_path / "data").chmod(0o755)
    config = tmp_path / "config.json"
    key = "sk-0123456789abcdef"
    config.write_text(json.dumps({
        "api": {"port": site.port},
        "storage": {"dir": str(tmp_path / "data"), "min_free_gb": 900_000},
        "transcribe": {"model": "no-such-model-of-ours", "device": "cpu"},
        "llm": {"base_url": "http://127.0.0.1:9/v1", "api_key": key, "model": "m"},
        "wechat": {"webhook": "https://example.com/robot"},
        "log": {"file": str(tmp_path / "data" / "log.jsonl")},
    }))  # fmt: skip
    code, found = findings(config)
    assert FAILED == code
    severities = {name: found[name]["severity"] for name in ("disk", "data", "port", "model", "llm", "wecom")}
    assert {
        "disk": "error", "data": "warning", "port": "error", "model": "warning", "llm": "error", "wecom": "warning",
    } == severities  # fmt: skip
    for finding in found.values():
        assert (finding["severity"] == "fine") == (finding["cure"] == finding["cure_zh"] == "")
    assert key not in str(found)


def test_an_invalid_configuration_is_named_by_every_command(tmp_path: Path) -> None:
    """Each ends with 2 and names every mistake, without a traceback."""
    config = tmp_path / "config.json"
    config.write_text(json.dumps({"api": {"port": "x"}, "log": {"levle": "info"}}))
    for command in (["doctor"], ["token", "list"], ["submit", "https://example.com"]):
        done = run_daemon(*command, "--config", config)
        assert USAGE == done.returncode
        assert "api.port" in done.stderr
        assert "log.levle" in done.stderr
        assert "Traceback" not in done.stderr


def _cpu_of_children_s() -> float:
    spent = os.times()
    return spent.children_user + spent.children_system
