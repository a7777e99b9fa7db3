"""The commands beside a daemon that runs, as whoever types them sees them."""

from __future__ import annotations

import json
import os
import re
import stat
import subprocess
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from tests.acceptance.commands import FAILED, FINE, USAGE, Terminal, at, findings, run_daemon
from tests.acceptance.rows import rows
from tests.acceptance.videos import Video, serve_story
from tests.daemon import Client, Daemon
from tests.fakes import media
from tests.fakes.server import running
from tests.fakes.site import Site

HEED_S = 2.0

_numbers = count(100)

Done = subprocess.CompletedProcess[str]


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    """Run a video site for all tests of this file."""
    with running(Site()) as site:
        yield site


@pytest.fixture(scope="module")
def daemon(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """Run one daemon for all tests of this file; each submits videos of its own."""
    folder = tmp_path_factory.mktemp("commands")
    with Daemon(folder, download={"allow_hosts": [site.address]}, log={"level": "info"}) as daemon:
        yield daemon


@pytest.fixture
def video(site: Site) -> Video:
    """Serve a story that no other test has."""
    return serve_story(site, next(_numbers))


@pytest.fixture
def held(site: Site) -> Video:
    """Serve a story whose download waits for its gate."""
    return serve_story(site, next(_numbers), hold="download")


def task_ids(printed: str) -> list[str]:
    return re.findall(r"\b[0-9a-z]{26}\b", printed)


# ---------------------------------------------------------------------------------------------
# Submit, watch, cancel, retry
# ---------------------------------------------------------------------------------------------


def test_submit_names_the_task_and_watch_prints_its_text(video: Video, daemon: Daemon) -> None:
    """Without a terminal, progress is plain lines on standard error and the text alone is on standard output."""
    submitted = at(daemon, "submit", video.url, "--language", "en", "--priority", "high", "--title", "My talk")
    (task_id,) = task_ids(submitted.stdout)
    assert f"{task_id}  {video.url}\n" == submitted.stdout
    watched = at(daemon, "watch", task_id)
    assert FINE == watched.returncode
    assert "\x1b" not in watched.stderr
    assert "My talk" in watched.stderr
    assert "100.0 %  done" in watched.stderr
    assert watched.stdout.strip()
    again = at(daemon, "submit", video.url, "--language", "en", "--title", "My talk", "--wait")
    assert watched.stdout == again.stdout
    assert "already there" in again.stderr
    other = at(daemon, "submit", video.url, "--language", "en", "--force")
    assert task_id not in other.stdout


def test_a_file_of_this_machine_is_sent(daemon: Daemon, tmp_path: Path) -> None:
    """It is called by its name, whatever is in it, and takes the same options as an address."""
    file = tmp_path / '我的 "talk".wav'
    file.write_bytes(media.speech(media.story(next(_numbers), 2)))
    how = ["--language", "en", "--no-summary", "--priority", "high", "--force", "--word-times", "--sequential"]
    done = at(daemon, "submit", str(file), "--wait", *how)
    assert (FINE, True) == (done.returncode, bool(done.stdout.strip()))
    assert '我的 "talk"' in done.stderr
    (task_id,) = task_ids(done.stderr)
    assert (task_id, 1, 1) in rows(
        daemon, "SELECT id, options ->> '$.word_times', options ->> '$.sequential' FROM task"
    )
    refused = at(daemon, "submit", str(file), "--model", "no-such-model")
    assert (FAILED, "") == (refused.returncode, refused.stdout)
    assert "transcribe.models" in refused.stderr
    mistyped = at(daemon, "submit", str(tmp_path / "talk.wav"))
    assert (FAILED, "") == (mistyped.returncode, mistyped.stdout)
    assert "no such file" in mistyped.stderr


def test_submit_and_wait_moves_bars_in_a_terminal(held: Video, video: Video, daemon: Daemon) -> None:
    """The bars are drawn over one another, never fall, and at the end the text stands below them."""
    with Terminal("submit", "--config", daemon.config, "--wait", held.url, video.url) as terminal:
        terminal.wait_for("100.0 %  done")
        assert held.name in terminal.shown
        held.gate.open()
        assert FINE == terminal.end()
    shown = terminal.shown
    assert shown.count("\x1b[2A") >= 2
    for name in (held.name, video.name):
        percents = [float(percent) for percent in re.findall(rf"  {name} .*?([\d.]+) %", shown)]
        assert len(percents) >= 3
        assert sorted(percents) == percents
        assert 100.0 == percents[-1]
    bars, _, texts = shown.rpartition("%  done")
    assert len(re.findall(r"── story-\d+ · [0-9a-z]{26}", texts)) == 2
    assert "█" in bars


def test_one_refused_address_does_not_keep_the_others_back(video: Video, daemon: Daemon) -> None:
    """It is named with its reason, the others are submitted, and the exit code says that not all went well."""
    done = at(daemon, "submit", "ftp://example.com/a", video.url)
    assert FAILED == done.returncode
    assert 1 == len(task_ids(done.stdout))
    assert "ftp://example.com/a: " in done.stderr
    assert re.search("[\u4e00-\u9fff]", done.stderr)


def test_a_failure_is_told_with_its_cure(site: Site, daemon: Daemon) -> None:
    """What is waited for and fails ends with 1, and says why and what to do."""
    done = at(daemon, "submit", "--wait", site.url + "/gone.wav")
    assert (FAILED, "") == (done.returncode, done.stdout)
    assert "gone.wav: failed: " in done.stderr
    unknown = at(daemon, "watch", "0123456789")
    assert FAILED == unknown.returncode
    assert "Traceback" not in unknown.stderr


async def test_cancel_and_retry(site: Site, held: Video, daemon: Daemon) -> None:
    """A cancelled task ends at once; retried, it is completed; each says how it stands, and what cannot be is named."""
    async with Client(daemon) as client:
        task_id = await client.submit(held.url)
        await site.until(lambda _: held.gate.held > 0)
        with Terminal("watch", "--config", daemon.config, task_id) as terminal:
            terminal.wait_for("download")
            cancelled = at(daemon, "cancel", task_id, "no-such-task")
            assert FAILED == terminal.end()
        assert (FAILED, f"{task_id}  cancelled\n") == (cancelled.returncode, cancelled.stdout)
        assert "no-such-task: " in cancelled.stderr
        assert "no-such-task: " in at(daemon, "watch", task_id, "no-such-task").stderr
        assert "older version" not in cancelled.stderr
        held.gate.open()
        retried = at(daemon, "retry", task_id)
        assert (FINE, f"{task_id}  retrying\n") == (retried.returncode, retried.stdout)
        assert "completed" == (await client.finished(task_id))["status"]
        assert FAILED == at(daemon, "cancel", task_id).returncode
        assert FINE == at(daemon, "retry", task_id, "--from", "summarize").returncode
        assert "completed" == (await client.finished(task_id))["status"]


def test_ctrl_c_leaves_the_task_to_the_daemon(held: Video, daemon: Daemon) -> None:
    """Whoever stops watching is told how to go on; the task is not touched."""
    with Terminal("submit", "--config", daemon.config, "--wait", held.url) as terminal:
        terminal.wait_for("download")
        assert FAILED == terminal.interrupt()
    (task_id,) = set(task_ids(terminal.shown))
    assert f"run_daemon.py watch {task_id}" in terminal.shown
    assert "Traceback" not in terminal.shown
    held.gate.open()
    assert FINE == at(daemon, "watch", task_id).returncode


def test_a_daemon_elsewhere_is_named_by_options_or_environment(video: Video, daemon: Daemon, tmp_path: Path) -> None:
    """Address and token are enough, no configuration is read; an address without a token is asked for one."""
    nowhere = str(tmp_path / "no-config.json")
    bare = {name: value for name, value in os.environ.items() if not name.startswith("TRANSCRIBED_")}
    submit = ["submit", "--config", nowhere, video.url]

    def with_environment(**environ: str) -> Done:
        return run_daemon(*submit, environ=bare | environ)

    assert FINE == run_daemon(*submit, "--url", daemon.url, "--token", daemon.token).returncode
    assert FINE == with_environment(TRANSCRIBED_URL=daemon.url + "/", TRANSCRIBED_TOKEN=daemon.token).returncode
    lacking = with_environment(TRANSCRIBED_URL=daemon.url)
    assert (FAILED, True) == (lacking.returncode, "--token" in lacking.stderr)
    wrong = run_daemon(*submit, "--url", daemon.url, "--token", "wrong-token")
    assert (FAILED, True) == (wrong.returncode, "token new" in wrong.stderr)
    assert USAGE == with_environment().returncode


def test_the_daemons_secrets_need_not_be_known_where_commands_are_typed(video: Video, daemon: Daemon) -> None:
    """In a terminal without the variable that holds the webhook, only the daemon itself and its check ask for it."""
    config = json.loads(daemon.config.read_text())
    config["wechat"] = {"webhook": {"env": "A_WEBHOOK_OF_ANOTHER_TERMINAL"}}
    beside = daemon.folder / "with-webhook.json"
    beside.write_text(json.dumps(config))
    (task_id,) = task_ids(run_daemon("submit", "--config", beside, video.url).stdout)
    for command in (["watch", task_id], ["logs", "-n", "1"], ["token", "list"], ["models", "list"]):
        assert FINE == run_daemon(*command, "--config", beside).returncode
    for command in (["serve"], ["doctor"], ["--check-config"]):
        done = run_daemon(*command, "--config", beside)
        assert (USAGE, True) == (done.returncode, "A_WEBHOOK_OF_ANOTHER_TERMINAL" in done.stderr)


# ---------------------------------------------------------------------------------------------
# Logs
# ---------------------------------------------------------------------------------------------


def test_logs_tell_a_task_as_its_story(held: Video, video: Video, daemon: Daemon) -> None:
    """Followed in a terminal, the log of one task reads from submit to last message, and of nothing else."""
    (task_id,) = task_ids(at(daemon, "submit", held.url).stdout)
    with Terminal("logs", "--config", daemon.config, "-f", "--task", task_id) as terminal:
        terminal.wait_for("accepted")
        assert FINE == at(daemon, "submit", "--wait", video.url).returncode
        held.gate.open()
        terminal.wait_for("cause=finished")
        assert FINE == terminal.interrupt()
    assert {task_id} == set(task_ids(terminal.shown))
    story = [line for line in terminal.shown.split("\n") if task_id in line]
    places = [next(number for number, line in enumerate(story) if words in line) for words in (
        "accepted", "cause=claimed", "stage done stage=download", "cause=placed", "stage done stage=transcribe",
        "stage done stage=summarize", "message sent", "cause=finished",
    )]  # fmt: skip
    assert sorted(places) == places
    assert (0, len(story) - 1) == (places[0], places[-1])


def test_logs_without_such_a_line(daemon: Daemon) -> None:
    """Of a task that nobody knows there is nothing to show, and that is said."""
    done = at(daemon, "logs", "--task", "no-such-task")
    assert (FINE, "", True) == (done.returncode, done.stdout, "no such line" in done.stderr)


# ---------------------------------------------------------------------------------------------
# Tokens
# ---------------------------------------------------------------------------------------------


async def status_with(client: Client, token: str) -> int:
    async with client.session.get("/api/tasks", headers={"Authorization": f"Bearer {token}"}) as answer:
        return answer.status


async def test_a_token_works_at_once_and_ends_at_once(daemon: Daemon) -> None:
    """Made and revoked while the daemon runs; shown once; only its digest is stored, in a private file."""
    made = at(daemon, "token", "new", "phone")
    token = made.stdout.strip()
    assert (FINE, True) == (made.returncode, token.startswith("tr_"))
    async with Client(daemon) as client:
        assert (200, 200) == (await status_with(client, token), await status_with(client, daemon.token))
        assert "phone\n" == at(daemon, "token", "list").stdout
        file = daemon.data / "tokens.json"
        assert (0o600, False) == (stat.S_IMODE(file.stat().st_mode), token in file.read_text())
        assert FAILED == at(daemon, "token", "new", "phone").returncode
        assert FAILED == at(daemon, "token", "revoke", "laptop").returncode
        assert 200 == await status_with(client, token)
        assert FINE == at(daemon, "token", "revoke", "phone").returncode
        began = time.monotonic()
        assert (401, 200) == (await status_with(client, token), await status_with(client, daemon.token))
        assert time.monotonic() - began < HEED_S
        assert "" == at(daemon, "token", "list").stdout
    everything = " ".join([*daemon.console.items(), *(str(line) for line in daemon.log())])
    assert token not in everything


# ---------------------------------------------------------------------------------------------
# Doctor
# ---------------------------------------------------------------------------------------------


def test_doctor_finds_a_working_daemon_fine(daemon: Daemon) -> None:
    """Beside a daemon that runs, everything it needs is found, and no error; lines say the same as JSON."""
    code, found = findings(daemon.config)
    needed = {"config", "python", "sqlite", "disk", "data", "log", "port", "gpu", "device", "model", "yt-dlp"}
    assert FINE == code
    assert needed | {"javascript", "llm", "wecom"} == found.keys() - {"cublas"}
    assert daemon.url in found["port"]["message"]
    assert {"fine"} == {found[name]["severity"] for name in needed - {"yt-dlp", "sqlite"}}  # these two may be old
    lines = run_daemon("doctor", "--config", daemon.config)
    assert FINE == lines.returncode
    for name, finding in found.items():
        assert f"{finding['severity']:<8} {name}" in lines.stdout
