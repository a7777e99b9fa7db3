"""How long the store takes to decide who is next, with many tasks of several owners waiting."""

from __future__ import annotations

import asyncio
import sqlite3
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from benchmarks.figures import Figure
from pipeline.clock import Clock
from pipeline.core.task import Lane
from pipeline.store import _file, _tasks
from pipeline.store._timers import Timers
from pipeline.store.sqlite import SqliteStore
from pipeline.task_store import NewTask
from stages import ROUTE
from tests.contract.examples import task

WAITING, OWNERS = 10_000, 10
CLAIMS = 1000
ROUNDS = 5


def measure() -> list[Figure]:
    """Claim one task after the other; at the end as many wait as the name says. Without the disk, then with it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "claims.db"
        asyncio.run(_fill(path, WAITING + 2 * ROUNDS * CLAIMS))
        with closing(sqlite3.connect(path, isolation_level=None)) as conn:
            _file.prepare(conn, path)
            Timers(Clock()).begin(conn)
            decided = _rounds(conn, together=True)
            durable = _rounds(conn, together=False)
    return [*_figures("in one transaction", decided), *_figures("each durable", durable)]


async def _fill(path: Path, count: int) -> None:
    store = SqliteStore(path, ROUTE, "bench")
    await store.open()
    for begin in range(0, count, 50):
        names = map(str, range(begin, begin + 50))
        new = [NewTask(task(name, owner=f"owner-{int(name) % OWNERS}"), name) for name in names]
        await store.add_all(new, room=count, force=True)
    await store.close()


def _rounds(conn: sqlite3.Connection, *, together: bool) -> list[list[float]]:
    """Returns the seconds of every claim; ``together`` makes them durable only after the last of a round."""
    rounds = []
    for _ in range(ROUNDS):
        if together:
            conn.execute("BEGIN IMMEDIATE")
        rounds.append([_timed(lambda: _claim(conn, alone=not together)) for _ in range(CLAIMS)])
        if together:
            conn.execute("COMMIT")
    return rounds


def _timed(work: Callable[[], None]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _claim(conn: sqlite3.Connection, *, alone: bool) -> None:
    if alone:
        conn.execute("BEGIN IMMEDIATE")
    _tasks.claim(conn, "bench", Lane.FETCH, time.time(), None, hosts_left_alone=())
    if alone:
        conn.execute("COMMIT")


def _figures(how: str, rounds: list[list[float]]) -> list[Figure]:
    return [
        Figure(
            f"claim, {WAITING} waiting of {OWNERS} owners, {how}, p{percent}",
            "ms",
            tuple(1000 * sorted(one)[CLAIMS * percent // 100] for one in rounds),
        )
        for percent in (50, 99)
    ]
