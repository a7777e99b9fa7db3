"""How long the store takes to decide who is next, with many tasks of several owners waiting."""

from __future__ import annotations

import asyncio
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from statistics import median

from benchmarks.figures import AtMost, Figure, percentile
from pipeline.clock import Clock
from pipeline.core.admission import NewTask
from pipeline.core.task import Lane
from pipeline.store import _file, _tasks
from pipeline.store._timers import Timers
from pipeline.store.sqlite import SqliteStore
from stages.route import ROUTE
from tests.contract.examples import task

FEW, MANY, OWNERS = 100, 10_000, 10
CLAIMS = 500
ROUNDS = 5


def measure() -> list[Figure]:
    """Claim one task after the other, out of few and out of many, in turns; without the disk, then with it."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stores:
        few, many = (stores.enter_context(_store(Path(folder), waiting)) for waiting in (FEW, MANY))
        decided = [(_round(few, together=True), _round(many, together=True)) for _ in range(ROUNDS)]
        durable = [_round(many, together=False) for _ in range(ROUNDS)]
    ratios = tuple(median(out_of_many) / median(out_of_few) for out_of_few, out_of_many in decided)
    return [
        Figure(f"who is next, {MANY} waiting / {FEW}, p50", "", ratios, AtMost(2)),
        Figure(f"who is next, {MANY} waiting, p50", "ms", tuple(1000 * median(one) for _, one in decided)),
        Figure(
            f"claim, {MANY} waiting, durable, p99",
            "ms",
            tuple(1000 * percentile(one, 99) for one in durable),
            AtMost(1),
        ),
    ]


@contextmanager
def _store(folder: Path, waiting: int) -> Iterator[sqlite3.Connection]:
    """Fill a store so that after all claims as many wait as is said."""
    path = folder / f"{waiting}.db"
    asyncio.run(_fill(path, waiting + 2 * ROUNDS * CLAIMS))
    with closing(sqlite3.connect(path, isolation_level=None)) as conn:
        _file.prepare(conn, path)
        Timers(Clock()).begin(conn)
        yield conn


async def _fill(path: Path, count: int) -> None:
    store = SqliteStore(path, ROUTE, "bench")
    await store.open()
    for begin in range(0, count, 50):
        names = map(str, range(begin, begin + 50))
        new = [NewTask(task(name, owner=f"owner-{int(name) % OWNERS}"), name) for name in names]
        await store.add_all(new, room=count, force=True)
    await store.close()


def _round(conn: sqlite3.Connection, *, together: bool) -> list[float]:
    """Returns the seconds of every claim; ``together`` makes them durable only after the last."""
    if together:
        conn.execute("BEGIN IMMEDIATE")
    found = [_timed(lambda: _claim(conn, alone=not together)) for _ in range(CLAIMS)]
    if together:
        conn.execute("COMMIT")
    return found


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
