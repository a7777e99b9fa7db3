"""``backup``: a copy of the store while the daemon works, and without one."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

from tests.acceptance.commands import DATA_FOLDER, FAILED, FINE, run_daemon
from tests.acceptance.conftest import Start
from tests.acceptance.videos import serve_story
from tests.daemon import Client, Daemon
from tests.fakes.site import Site

BACKUPS, SUBMITS = 5, 200


def sound(copy: Path) -> set[str]:
    """Check a copy; returns the ids of its tasks."""
    with closing(sqlite3.connect(copy)) as conn:
        assert [("ok",)] == conn.execute("PRAGMA integrity_check").fetchall()
        return {task_id for (task_id,) in conn.execute("SELECT id FROM task")}


async def test_backups_under_load_are_sound_and_complete(tmp_path: Path, site: Site, start: Start) -> None:
    """Made while tasks come in, every copy is sound and has all that was accepted before; a daemon starts from it."""
    held = serve_story(site, 0, hold="captions")
    daemon = start(concurrent={"queue_size": 1000})
    accepted: list[str] = []

    async def submit(client: Client) -> None:
        while len(accepted) < SUBMITS:
            accepted.append(await client.submit(f"{held.url}?{len(accepted)}"))

    async with Client(daemon) as client:
        submitting = asyncio.create_task(submit(client))
        for number in range(BACKUPS):
            before, copy = set(accepted), tmp_path / f"copy-{number}.db"
            made = await asyncio.to_thread(run_daemon, "--config", daemon.config, "backup", copy)
            assert (FINE, f"{copy}\n") == (made.returncode, made.stdout), made.stderr
            assert before <= sound(copy)
        await submitting
        again = await asyncio.to_thread(run_daemon, "--config", daemon.config, "backup", copy)
        assert FAILED == again.returncode
        assert "is there already" in again.stderr
    daemon.kill()

    after = tmp_path / "after.db"
    made = await asyncio.to_thread(run_daemon, "--config", daemon.config, "backup", after)
    assert FINE == made.returncode, made.stderr
    assert set(accepted) == sound(after)

    held.gate.open()
    other = Daemon(tmp_path / "other", download={"allow_hosts": [site.address]}, concurrent={"queue_size": 1000})
    other.data.mkdir()
    after.rename(other.data / "transcribed.db")
    with other:
        async with Client(other) as client:
            assert "completed" == (await client.finished(accepted[0]))["status"]


def test_a_backup_without_a_database(tmp_path: Path) -> None:
    """Where there is no database nothing is made, not even a data folder; one that is damaged is named."""
    daemon = Daemon(tmp_path / "daemon")
    nothing = run_daemon("--config", daemon.config, "backup", tmp_path / "copy.db")
    assert (FAILED, False) == (nothing.returncode, daemon.data.exists())
    assert "no database yet" in nothing.stderr
    daemon.data.mkdir()
    (daemon.data / "transcribed.db").write_bytes(b"not a database at all " * 300)
    damaged = run_daemon("--config", daemon.config, "backup", tmp_path / "copy.db")
    assert DATA_FOLDER == damaged.returncode
    assert "not a database" in damaged.stderr
    assert "Traceback" not in damaged.stderr
    assert not (tmp_path / "copy.db").exists()
