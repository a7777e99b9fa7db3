"""What the README tells to type works."""

import functools
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, chdir, contextmanager
from pathlib import Path
from typing import IO

import pytest

from examples.samples import FOLDER
from pipeline.cli import commands
from pipeline.config import Settings, load_settings
from pipeline.config.schema import key_names
from tests.daemon import Daemon
from tests.docs.pages import ROOT, all_fences, fences, inline_code, links, page, sections
from tests.fakes.server import running
from tests.fakes.site import Reply, Site
from tests.fakes.wecom import WeCom

README = page("README.md")
CHINESE = page("README.zh-CN.md")
PAGES = ("README.md", "README.zh-CN.md", "docs/operations.md")
COMMANDS = fences(README, "sh")
CURL = [block for block in COMMANDS if "curl" in block]
(SUBMIT,) = (block for block in COMMANDS if "run_daemon.py submit" in block)
(MODELS,) = (block for block in COMMANDS if "models list" in block)
(LOGS,) = (block for block in COMMANDS if "tail -F" in block)
FOLLOWED = LOGS.splitlines()
CURL_SETTINGS = "fail\nsilent\nshow-error\nmax-time = 90\nnoproxy = *\nwrite-out = \\n\n"
SHELL_TIMEOUT_S = 120


def words_typed(text: str) -> str:
    """Return everything on a page that is meant to be typed."""
    return "\n".join([*fences(text, "sh"), *inline_code(text)])


# ---------------------------------------------------------------------------------------------
# Commands
# ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["README.md", "README.zh-CN.md", "CONTRIBUTING.md"])
def test_make_targets_exist(name: str) -> None:
    """Every make target that a page names is one of the Makefile's."""
    named = set(re.findall(r"\bmake ([a-z]+)\b", words_typed(page(name))))
    assert {"demo", "test"} & named
    assert set() == named - set(re.findall(r"^([a-z]+):", page("Makefile"), re.MULTILINE))


def test_daemon_commands_exist() -> None:
    """Every option and command of run_daemon.py that a page names is known to it."""
    rows = re.findall(r"^\| (`.*?) \|", sections(README)["Commands"], re.MULTILINE)
    typed = re.findall(r"run_daemon\.py (.*)", "\n".join(words_typed(page(name)) for name in PAGES))
    assert len(rows) >= 8
    assert len(typed) >= 8
    for line in (
        *filter(lambda line: "$@" not in line, typed),
        *(command for row in rows for command in inline_code(row) if " " in command),
    ):
        arguments = shlex.split(line, comments=True)
        options = {word for word in arguments if word.startswith("-")}
        assert options <= set(re.findall(r"--?[\w-]+", help_of(*(word for word in arguments if word not in options))))


def test_every_command_is_in_the_table() -> None:
    """The README's table has every command of the command line."""
    named = {command.split()[0] for command in inline_code(sections(README)["Commands"])}
    assert set(commands.COMMANDS) <= named


@functools.cache
def help_of(*commands: str) -> str:
    """Ask a command for its help; one that is not known has none."""
    program = [sys.executable, str(ROOT / "run_daemon.py"), *commands, "--help"]
    return subprocess.run(program, capture_output=True, text=True, check=True).stdout


def test_places_are_the_defaults() -> None:
    """The README names token, log and address as they are without further configuration."""
    settings = Settings()
    assert f"$(cat {settings.storage.dir}/token)" in README
    assert f"tail -F {settings.log.file}\n" in README
    assert f'"http://{settings.api.host}:{settings.api.port}/api/transcribe"' in README


# ---------------------------------------------------------------------------------------------
# Examples
# ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("example", fences(README, "jsonc"))
def test_configurations_are_valid(example: str, tmp_path: Path) -> None:
    """Every configuration the README shows is read without a complaint, once its secrets are there."""
    address = "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=example"
    for name in re.findall(r'{"file": "(.*?)"}', example):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(address, encoding="utf-8")
    config = tmp_path / "config.json"
    config.write_text(example, encoding="utf-8")
    environ = dict.fromkeys(re.findall(r'{"env": "(.*?)"}', example), address)
    with chdir(tmp_path):
        assert load_settings(config, environ=environ) != Settings()


def test_examples_work(tmp_path: Path) -> None:
    """Submit commands and curl examples, typed as they stand at a daemon with a robot, end in the group."""
    if shutil.which("curl") is None:
        pytest.fail("curl is missing: install the package curl, then run the tests again. 缺少 curl。")
    shutil.copy(FOLDER / "en-friday.mp4", tmp_path / "talk.mp4")
    with running(Site()) as site, running(WeCom()) as wecom:
        video = site.serve("/talk.mp4", Reply(file=FOLDER / "en-friday.mp4"))
        daemon = Daemon(
            tmp_path,
            api={"auth_token": ""},
            download={"allow_hosts": [site.address]},
            wechat={"webhook": wecom.webhook("reader")},
        )
        with daemon, ExitStack() as stack:
            logs = [stack.enter_context(followed(daemon, command)) for command in FOLLOWED]
            text = typed_at(daemon, video, SUBMIT)
            accepted = json.loads(typed_at(daemon, video, CURL[0]))
            task_id = accepted["data"]["task_id"]
            shown = typed_at(daemon, video, re.sub(r"(?m)^ID=.*$", f"ID={task_id}", "".join(CURL)))
            typed_at(daemon, video, MODELS)
            assert all(log.readline() for log in logs)
        group = wecom.robot("reader").contents
    assert 2 == text.count("The red ship is from the warm signal.")
    assert "the same work is already there" == accepted["message"]
    assert '"message": "the same work is already there"' in shown
    assert '"status": "completed"' in shown
    assert "The red ship is from the warm signal." in shown
    assert '"number": 2, "of": 2' in shown
    assert '"next_cursor": null' in shown
    assert '"ready": true' in shown
    assert '"delivered": true' in shown
    assert ["(1/2)", "(2/2)"] * 2 == [content[:5] for content in group if content.startswith("(")]


def test_every_command_is_typed_by_a_test() -> None:
    """What stands in a block to be typed is typed by the test above, or is one of the two that make everything else."""
    typed = [SUBMIT, MODELS, LOGS, *CURL]
    left = "".join(block for block in COMMANDS if block not in typed).splitlines()
    assert ["make demo", "make run"] == [line.partition("#")[0].strip() for line in left]


def typed_at(daemon: Daemon, video: str, commands: str) -> str:
    """Type commands into a shell beside this daemon's data folder; returns what they print if none failed."""
    commands = as_here(daemon, video, commands)
    (daemon.folder / ".curlrc").write_text(CURL_SETTINGS, encoding="utf-8")
    done = subprocess.run(
        ["sh", "-eu", "-c", commands],  # noqa: S607 - the shell of whoever reads the README
        cwd=daemon.folder,
        env=environment_at(daemon),
        capture_output=True,
        text=True,
        check=False,
        timeout=SHELL_TIMEOUT_S,
    )
    assert 0 == done.returncode, f"{commands}\n{done.stderr}"
    return done.stdout


@contextmanager
def followed(daemon: Daemon, command: str) -> Iterator[IO[str]]:
    """Type a command that goes on for ever; gives what it prints, and ends it."""
    shell = ["sh", "-eu", "-c", as_here(daemon, "", command)]
    with subprocess.Popen(
        shell, cwd=daemon.folder, env=environment_at(daemon), stdout=subprocess.PIPE, text=True, process_group=0
    ) as process:
        watchdog = threading.Timer(SHELL_TIMEOUT_S, os.killpg, (process.pid, signal.SIGKILL))
        watchdog.start()
        try:
            yield process.stdout
        finally:
            watchdog.cancel()
            os.killpg(process.pid, signal.SIGKILL)


def as_here(daemon: Daemon, video: str, commands: str) -> str:
    """Put this daemon, this video and the model that is here for those of the page."""
    program = f"{shlex.quote(sys.executable)} {shlex.quote(str(ROOT / 'run_daemon.py'))}"
    for shown, real in (
        ("http://127.0.0.1:8000", daemon.url),
        ("https://example.com/talk.mp4", video),
        (".venv/bin/python run_daemon.py", program),
        ("models fetch small", "models fetch demo"),
    ):
        commands = commands.replace(shown, real)
    assert "example.com" not in commands
    return commands


def environment_at(daemon: Daemon) -> dict[str, str]:
    """A terminal that knows nothing of ours but where curl finds its settings."""
    return {"PATH": os.environ["PATH"], "CURL_HOME": str(daemon.folder)}


# ---------------------------------------------------------------------------------------------
# Errors
# ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", [README, CHINESE], ids=["English", "Chinese"])
def test_errors_are_called_by_their_names(text: str) -> None:
    """Every error that the page tells what to do about stands on the page of errors, and its settings are settings."""
    told = section_with(text, "source_forbidden")
    named = [code for row in re.findall(r"(?m)^\| (.*?) \|", told) for code in inline_code(row)]
    types = {code for code in named if re.fullmatch(r"[a-z]+(_[a-z]+)+|unauthorized", code)}
    assert len(types) > 25
    assert set() == types - set(inline_code(page("docs/errors.md")))
    keys = {code for code in inline_code(told) if re.fullmatch(r"[a-z]+\.[a-z_]+", code)}
    assert set() == keys - set(key_names())


def section_with(text: str, words: str) -> str:
    """Return the section with a table that has these words."""
    return next(section for section in sections(text).values() if f"| `{words}`" in section)


# ---------------------------------------------------------------------------------------------
# The Chinese page
# ---------------------------------------------------------------------------------------------


def test_chinese_page_has_the_same_code() -> None:
    """Both READMEs have the same blocks of code, comments included, and as many sections."""
    assert all_fences(README) == all_fences(CHINESE)
    assert len(sections(README)) == len(sections(CHINESE))


def test_chinese_page_names_the_same() -> None:
    """The Chinese README names in code all that the English one names, and ticks the same boxes."""
    assert set() == set(inline_code(README)) - set(inline_code(CHINESE))
    assert re.findall(r"(?m)^- \[.\]", README) == re.findall(r"(?m)^- \[.\]", CHINESE)


def test_chinese_page_links_the_same() -> None:
    """Each README links the other, and both link the same files."""
    english, chinese = ({link for link in links(text) if not link.startswith("#")} for text in (README, CHINESE))
    assert {"README.zh-CN.md"} == english - chinese
    assert {"README.md"} == chinese - english
