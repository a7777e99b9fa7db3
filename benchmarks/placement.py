"""How long it takes to decide which waiting task goes to which device, with few and with many tasks waiting."""

from __future__ import annotations

import asyncio
import sqlite3
import tempfile
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from benchmarks.figures import AtMost, Figure, percentile
from pipeline.clock import Clock
from pipeline.core.admission import NewTask
from pipeline.core.device import Device
from pipeline.core.memory import Footprint
from pipeline.core.placement import Candidate, Need, Promise, Rules, Site
from pipeline.core.planner import plan
from pipeline.core.products import Artifacts, Audio, MediaFile, MediaInfo
from pipeline.core.task import Lane, Options
from pipeline.store import _file, _tasks
from pipeline.store._timers import Timers
from pipeline.store.sqlite import SqliteStore
from stages.route import ROUTE
from tests.contract.examples import task

FEW, MANY = 100, 10_000
MODELS = ("small", "medium", "large-v3")
CARD = Device("cuda:0", "a card", 3, 24_000)
SITES = (
    Site(CARD, 24_000, 0, 2, {"small": Promise(5200, ("float16",))}, frozenset({"small"}), 16),
    Site(replace(CARD, id="cuda:1"), 24_000, 0, 3, {"medium": Promise(9000, ("float16",))}, frozenset({"medium"}), 16),
)
"""Two cards at work, on one of which a task has just ended."""
NEED = (Need(("float16",), Footprint(2000.0, 200.0), 16),)
DECISIONS = 200
"""Each gives one task to a device, so that of the few two hundred more wait at first."""
ROUNDS = 5


def measure() -> list[Figure]:
    """Decide and claim, in turns with few and with many waiting for three models."""
    with tempfile.TemporaryDirectory() as folder:
        few, many = _waiting(Path(folder) / "few.db", FEW), _waiting(Path(folder) / "many.db", MANY)
        with closing(few), closing(many):
            rounds = [(_decisions(few), _decisions(many)) for _ in range(ROUNDS)]
    return [
        _figure("decision, 100 waiting, p50", [percentile(decided, 50) for (decided, _), _ in rounds]),
        _figure("decision, 10,000 waiting, p50", [percentile(decided, 50) for _, (decided, _) in rounds]),
        Figure(
            "decision, 10,000 waiting / 100",
            "×",
            tuple(percentile(much, 50) / percentile(little, 50) for (little, _), (much, _) in rounds),
            AtMost(2),
        ),
        _figure("decision, 10,000 waiting, p99", [percentile(decided, 99) for _, (decided, _) in rounds]),
        Figure(
            "decision and durable claim, 10,000 waiting, p99",
            "ms",
            tuple(1000 * percentile(whole, 99) for _, (_, whole) in rounds),
            AtMost(1),
        ),
    ]


def _figure(name: str, seconds: list[float]) -> Figure:
    return Figure(name, "ms", tuple(1000 * one for one in seconds))


def _waiting(path: Path, count: int) -> sqlite3.Connection:
    """Make a store in which so many tasks wait for a device, and those that are to be claimed besides."""
    asyncio.run(_fill(path, count + ROUNDS * DECISIONS))
    conn = sqlite3.connect(path, isolation_level=None)
    _file.prepare(conn, path)
    Timers(Clock()).begin(conn)
    return conn


async def _fill(path: Path, count: int) -> None:
    store = SqliteStore(path, ROUTE, "bench")
    await store.open()
    known = Artifacts(MediaInfo("generic", "1", "A talk"), MediaFile("media", 1), Audio("audio", 60.0))
    for begin in range(0, count, 50):
        numbers = range(begin, min(count, begin + 50))
        new = [
            NewTask(task(str(number), options=Options(MODELS[number % len(MODELS)]), artifacts=known), str(number))
            for number in numbers
        ]
        await store.add_all(new, room=count, force=True)
    await store.close()


def _decisions(conn: sqlite3.Connection) -> tuple[list[float], list[float]]:
    """Returns the seconds of every decision, and of every decision together with a claim that is durable."""
    decided, whole = [], []
    for _ in range(DECISIONS):
        began = time.perf_counter()
        waiting = _tasks.waiting_for_devices(conn, 1)
        candidates = [Candidate(one.task_id, one.model, one.priority) for one in waiting]
        first = plan(candidates, SITES, lambda _device, _model: NEED, Rules()).placements[0]
        decided.append(time.perf_counter() - began)
        conn.execute("BEGIN IMMEDIATE")
        _tasks.claim(conn, "bench", Lane.ASR, time.time(), first.task_id, device=first.device)
        conn.execute("COMMIT")
        whole.append(time.perf_counter() - began)
    return decided, whole
