"""What 10,000 waiting tasks cost: submits, lists, memory, backups meanwhile, and the next start."""

from __future__ import annotations

import asyncio
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable
from contextlib import closing
from pathlib import Path

from benchmarks.figures import ROOT, Figure, percentile
from tests.daemon import Client, Daemon, Json
from tests.fakes.server import running
from tests.fakes.site import Reply, Site

QUEUED = 10_000
PER_SECOND = 200
LISTS = 200
BACKUPS = 100


def measure() -> list[Figure]:
    """Fill one daemon at a fixed pace while backups are made, and look at lists."""
    with running(Site()) as site, tempfile.TemporaryDirectory() as folder:
        url = site.serve("/held.wav", Reply(gate=site.gate("never")))
        daemon = Daemon(
            Path(folder) / "daemon",
            download={"allow_hosts": [site.address]},
            concurrent={"max_workers": 1, "queue_size": QUEUED},
            log={"level": "info"},
        )
        daemon.start()
        figures = asyncio.run(_fill(daemon, url, Path(folder)))
        figures.append(Figure(f"memory, {QUEUED} queued", "MiB", (daemon.rss_mb(),)))
        daemon.stop()
    return figures


async def _fill(daemon: Daemon, url: str, folder: Path) -> list[Figure]:
    async with Client(daemon) as client:
        filling = asyncio.create_task(_submit(client, url))
        backups = [await asyncio.to_thread(_back_up, daemon, folder / f"{number}.db") for number in range(BACKUPS)]
        submits = await filling
        lists = [await _timed(client.get("/api/tasks", limit=50)) for _ in range(LISTS)]
    assert backups == sorted(backups)
    submit = f"submit, {PER_SECOND}/s up to {QUEUED} queued, with {BACKUPS} backups"
    return [
        Figure(f"{submit}, p50", "ms", (1000 * percentile(submits, 50),)),
        Figure(f"{submit}, p99", "ms", (1000 * percentile(submits, 99),)),
        Figure(f"list of 50, {QUEUED} queued, p99", "ms", (1000 * percentile(lists, 99),)),
        Figure("tasks in the last of the backups, all of them sound", "", (backups[-1],)),
    ]


async def _submit(client: Client, url: str) -> list[float]:
    """Submit at fixed moments, whether or not earlier answers have come; returns seconds from due to answered."""
    loop = asyncio.get_running_loop()
    begin = loop.time() + 0.5

    async def submit(number: int) -> float:
        due = begin + number / PER_SECOND
        await asyncio.sleep(due - loop.time())
        await client.submit(f"{url}?{number}")
        return loop.time() - due

    return await asyncio.gather(*(submit(number) for number in range(QUEUED)))


async def _timed(asking: Awaitable[tuple[int, Json]]) -> float:
    began = time.monotonic()
    status, _ = await asking
    assert status == 200
    return time.monotonic() - began


def _back_up(daemon: Daemon, copy: Path) -> int:
    """Make a backup and check it; returns how many tasks are in it."""
    command = [sys.executable, str(ROOT / "run_daemon.py"), "--config", str(daemon.config), "backup", str(copy)]
    subprocess.run(command, check=True, capture_output=True, cwd=ROOT)
    with closing(sqlite3.connect(copy)) as conn:
        assert conn.execute("PRAGMA quick_check").fetchall() == [("ok",)]
        count: int = conn.execute("SELECT count(*) FROM task").fetchone()[0]
    copy.unlink()
    return count
