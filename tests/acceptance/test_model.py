"""The speech model: missing, damaged, or its process killed in the middle of its work."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from examples.scoring import error_rate
from tests.acceptance.commands import Terminal
from tests.acceptance.conftest import Start
from tests.acceptance.rows import rows
from tests.daemon import ROOT, Client, Daemon
from tests.fakes import media
from tests.fakes.site import Reply, Site

ENGINE = b"pipeline.engine.asr_host"
SENTENCES = 70
WORST_ERROR_RATE = 0.01
"""Less than one sentence of them all."""
FEW = 10
"""Segments that are stored when the engine is killed, at least."""


@pytest.fixture
def _no_hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Let programs find neither the hub nor anything that was fetched from it."""
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:1")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hub"))


def serve_short(site: Site, number: int) -> str:
    """Serve a recording of one sentence."""
    return site.serve(f"/{number}.wav", Reply(body=media.speech(media.story(number, 1))))


def alter(file: Path) -> None:
    """Change one byte in the middle of a file."""
    with file.open("r+b") as opened:
        opened.seek(file.stat().st_size // 2)
        [byte] = opened.read(1)
        opened.seek(-1, os.SEEK_CUR)
        opened.write(bytes([byte ^ 1]))


@pytest.mark.usefixtures("_no_hub")
async def test_a_missing_model_fails_only_the_tasks_that_need_it(site: Site, start: Start) -> None:
    """The daemon starts, says loudly what to do, fails tasks for this model with the cure, and goes on with others."""
    daemon = start(transcribe={"model": "auto", "models": ["demo"], "device": "cpu"})
    told = daemon.console.wait(lambda lines: any("model is missing" in line for line in lines), 30)
    assert any("models fetch small" in line for line in told)
    async with Client(daemon) as client:
        ids = [await client.submit(serve_short(site, 0)), await client.submit(serve_short(site, 1), model="demo")]
        without, with_demo = [await client.finished(task_id) for task_id in ids]
        status, answer = await client.get("/readyz")
    assert ("failed", "model_missing", "transcribe") == (
        without["status"], without["error"]["type"], without["error"]["stage"],
    )  # fmt: skip
    assert "models fetch small" in without["error"]["hint"]
    assert ("completed", "demo") == (with_demo["status"], with_demo["model"])
    [lack] = answer["data"]["missing"]
    assert (503, "model:small") == (status, lack["what"])
    assert "models fetch small" in lack["message"]


FIRST, NEWEST = "c" * 40, "d" * 40


def serve_as_hub(site: Site, repository: str, commit: str = FIRST, bytes_per_s: float | None = None) -> None:
    """Play the hub, whose newest revision has the bundled model's files in this repository."""
    files = [file for file in (ROOT / "models" / "demo").iterdir() if file.suffix in {".bin", ".json"}]
    about = {"id": repository, "sha": commit}
    for revision in ("main", commit):
        site.serve(f"/api/models/{repository}/revision/{revision}", Reply(body=json.dumps(about).encode()))
    tree = [
        {"type": "file", "path": file.name, "oid": f"{number}", "size": file.stat().st_size}
        for number, file in enumerate(files)
    ]
    site.serve(f"/api/models/{repository}/tree/{commit}", Reply(body=json.dumps(tree).encode()))
    for entry, file in zip(tree, files, strict=True):
        headers = {"ETag": f'"{entry["oid"]}"', "X-Repo-Commit": commit}
        site.serve(
            f"/{repository}/resolve/{commit}/{file.name}", Reply(file=file, headers=headers, bytes_per_s=bytes_per_s)
        )


async def test_a_model_that_is_not_here_is_fetched(
    site: Site, start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The daemon fetches it for its tasks, and the command for whoever asks; both show how far they are.

    From then on it stays at its revision. Damaged, it is not used; the command fetches that revision again, and another
    command the newest one.
    """
    monkeypatch.setenv("HF_ENDPOINT", site.url)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hub"))
    serve_as_hub(site, "Systran/faster-whisper-small")
    daemon = start(transcribe={"model": "small", "device": "cpu"})
    async with Client(daemon) as client:
        state = await client.finished(await client.submit(serve_short(site, 3)))
    assert ("completed", "small") == (state["status"], state["model"])
    lines = [line for line in daemon.log() if line["event"] in {"fetching model", "model is here"}]
    assert [None, 100] == [lines[0].get("percent"), lines[-2].get("percent")]
    assert "model is here" == lines[-1]["event"]
    serve_as_hub(site, "Systran/faster-whisper-base", bytes_per_s=100_000)
    with Terminal("models", "fetch", "base") as terminal:
        terminal.wait_for(" of 2 MB")
        assert -signal.SIGINT == terminal.interrupt()
    serve_as_hub(site, "Systran/faster-whisper-base")
    with Terminal("models", "fetch", "base") as terminal:
        assert 0 == terminal.end()
    assert "0.0 %  fetching" in terminal.shown
    assert re.search(r"100\.0 %  fetching (\d+) of \1 MB", terminal.shown)
    assert str(tmp_path / "hub") in terminal.shown.splitlines()[-1]

    daemon.stop()
    [weights] = (tmp_path / "hub").glob("**/*-small/snapshots/*/model.bin")
    alter(weights)
    daemon.start()
    async with Client(daemon) as client:
        state = await client.finished(await client.submit(serve_short(site, 4)))
    assert ("failed", "model_corrupt") == (state["status"], state["error"]["type"])
    assert "damaged (small: model.bin has changed)" in _models(daemon, "list").stdout
    site.serve("/api/models/Systran/faster-whisper-small/revision/main", Reply(status=404))  # it is kept at its own
    assert 0 == _models(daemon, "fetch", "small").returncode
    assert str(weights.parent) in _models(daemon, "list").stdout
    serve_as_hub(site, "Systran/faster-whisper-small", NEWEST)
    assert NEWEST in _models(daemon, "update", "small").stdout
    assert FIRST in _models(daemon, "update", "small", "--revision", FIRST).stdout
    assert FIRST in _models(daemon, "fetch", "small").stdout


@pytest.mark.usefixtures("_no_hub")
def test_models_are_listed_and_fetched_by_name(tmp_path: Path) -> None:
    """The list tells what is here and how to get what is not; a name that nobody knows is an error in two languages."""
    daemon = Daemon(tmp_path / "unused", transcribe={"model": "auto", "models": ["demo"], "device": "cpu"})
    listed = _models(daemon, "list")
    missing, here = listed.stdout.splitlines()
    assert (0, "") == (listed.returncode, listed.stderr)
    assert missing.startswith("auto = small ")
    assert "models fetch small" in missing
    assert here.split() == ["demo", str(ROOT / "models" / "demo")]
    assert 0 == _models(daemon, "fetch", "demo").returncode
    folder = _models(daemon, "update", "demo")
    assert (1, "") == (folder.returncode, folder.stdout)
    assert "demo is a folder" in folder.stderr
    unknown = _models(daemon, "fetch", "nonsense")
    assert (1, "") == (unknown.returncode, unknown.stdout)
    assert "nonsense" in unknown.stderr
    assert "Traceback" not in unknown.stderr
    assert "本机没有语音模型" in unknown.stderr


def _models(daemon: Daemon, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "run_daemon.py", "--config", str(daemon.config), "models", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)


async def test_a_damaged_model_fails_only_the_tasks_that_need_it(site: Site, start: Start, tmp_path: Path) -> None:
    """Weights that are cut off, or have one other byte, are ``model_corrupt``, with the cure; another model goes on."""
    cut, altered = tmp_path / "cut", tmp_path / "altered"
    for damaged in (cut, altered):
        shutil.copytree(ROOT / "models" / "demo", damaged)
    (cut / "SHA256SUMS").unlink()
    os.truncate(cut / "model.bin", (cut / "model.bin").stat().st_size // 2)
    alter(altered / "model.bin")
    daemon = start(transcribe={"model": "demo", "models": [str(cut), str(altered)]})
    async with Client(daemon) as client:
        ids = {damaged: await client.submit(serve_short(site, 0), model=str(damaged)) for damaged in (cut, altered)}
        with_demo = await client.submit(serve_short(site, 2))
        for damaged, task_id in ids.items():
            state = await client.finished(task_id)
            error = state["error"]
            assert ("failed", "model_corrupt", "transcribe", 1) == (
                state["status"], error["type"], error["stage"], state["attempt"],
            )  # fmt: skip
            assert f"models fetch {damaged}" in error["hint"]
        assert "model.bin has changed" in error["message"]
        assert "completed" == (await client.finished(with_demo))["status"]


async def test_a_killed_engine_goes_on_from_the_last_stored_segment(site: Site, start: Start) -> None:
    """Its task takes a second attempt, keeps the segments it had, and neither loses nor repeats a sentence."""
    spoken = media.story(4, SENTENCES)
    url = site.serve("/long.wav", Reply(body=media.speech(spoken)))
    daemon = start(scheduler={"retry_delay_s": 0.0})
    async with Client(daemon) as client:
        task_id = await client.submit(url)
        stored = await _stored_segments(client, daemon, task_id)
        os.kill(_engine_of(daemon), signal.SIGKILL)
        state = await client.finished(task_id)
        segments = (await client.result(task_id, layer="raw"))["segments"]
    assert ("completed", 2) == (state["status"], state["attempt"])
    assert len(stored) < SENTENCES
    assert [text for (text,) in stored] == [segment["text"] for segment in segments[: len(stored)]]
    heard = "".join(segment["text"] for segment in segments)
    assert error_rate(media.text_of(spoken), heard, "en") < WORST_ERROR_RATE


async def _stored_segments(client: Client, daemon: Daemon, task_id: str) -> list[tuple[str]]:
    """Wait until some segments of a task are stored; returns their texts."""
    async with asyncio.timeout(60):
        while True:
            state = await client.get(f"/api/task/{task_id}", wait=0.05)
            assert state[1]["data"]["status"] == "processing"
            stored = rows(daemon, "SELECT text FROM segment ORDER BY id")
            if len(stored) >= FEW:
                return stored


def _engine_of(daemon: Daemon) -> int:
    """The process id of the engine, by its command line."""
    [pid] = [pid for pid in daemon.processes() if ENGINE in Path(f"/proc/{pid}/cmdline").read_bytes()]
    return pid
