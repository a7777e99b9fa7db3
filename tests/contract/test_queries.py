"""What the SQLite store's tables promise beside their rows: indexes, counts and views."""

from __future__ import annotations

import asyncio
import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from pipeline.clock import Clock
from pipeline.core.device import Device, Reading
from pipeline.core.lifecycle import Cause, Settled, cancel
from pipeline.core.messages import Kind, Message
from pipeline.core.task import Lane, Priority, Status
from pipeline.core.transcript import Segment
from pipeline.store import _file
from pipeline.store._sql import SQL
from pipeline.store._timers import Timers
from pipeline.store.sqlite import SqliteStore
from tests.contract.examples import MADE, NOW, ROUTE, add, add_for, claimed, compose, run, task
from tests.contract.files import COUNTED, filled

CLOSING = Message(None, None, Kind.NOTICE, "text", "cancelled")
HOT = {
    "same_work": "task_same_work",
    "waiting_by_priority": "task_waiting",
    "waiting_by_sequence": "task_waiting_for_text",
    "next_due": "task_due",
    "orphans": "task_in_hand",
    "next_message": "message_unsent",
    "recent_writes": "written_to",
    "delivered": "task_delivering",
    "page": "task_of_owner",
    "position": "task_first_start",
    "positions": "task_first_start",
    "message_figures": "run_of_task",
    "messages_of_task": "run_of_task",
    "ended_figures": "task_ended",
    "count_prepared": "task_waiting",
    "lane_figures": "task_turn",
}


@pytest.mark.parametrize(("name", "index"), HOT.items())
async def test_hot_query_uses_its_index(path: Path, name: str, index: str) -> None:
    """What runs often reads neither the whole table nor sorts it."""
    await filled(path)
    with closing(sqlite3.connect(path)) as conn:
        conn.row_factory = sqlite3.Row
        Timers(Clock()).begin(conn)
        parameters = dict.fromkeys(re.findall(r":(\w+)", SQL[name]))
        plan = "\n".join(row[3] for row in conn.execute(f"EXPLAIN QUERY PLAN {SQL[name]}", parameters))
    assert f"INDEX {index}" in plan
    assert "SCAN task\n" not in f"{plan}\n"
    assert "TEMP B-TREE FOR ORDER BY" not in plan or name == "messages_of_task"


async def test_what_takes_room_is_counted_as_it_changes(path: Path) -> None:
    """However tasks came, moved, ended, came back and went, as many are kept count of as there are."""
    store = SqliteStore(path, ROUTE, "boot")
    await store.open()
    await asyncio.gather(*(add(store, name) for name in "abcde"))
    await add_for(store, "heard", Lane.TEXT)
    await claimed(store, "c")
    for name in "ab":
        assert await store.end(cancel(task(name), NOW), expected=Status.PENDING, closing=CLOSING)
    assert await store.restart(Settled(task("b"), Cause.RETRIED), expected=Status.CANCELLED, dropped=())
    assert await store.delete("a")
    await store.close()
    with closing(sqlite3.connect(path)) as conn:
        assert [(4,)] == conn.execute(COUNTED).fetchall()
        assert [(4,)] == conn.execute("SELECT count FROM unfinished").fetchall()


async def test_deleting_a_task_leaves_nothing_of_it(path: Path) -> None:
    """Products, segments, runs and messages go with their task."""
    store = SqliteStore(path, ROUTE, "boot")
    await store.open()
    await compose(store, "a", run("1"))
    await store.keep_segments("a", [Segment(0, 0.0, 1.0, "text")])
    await store.close()
    rest = """SELECT (SELECT count(*) FROM artifact), (SELECT count(*) FROM segment),
                     (SELECT count(*) FROM run), (SELECT count(*) FROM message)"""
    with closing(sqlite3.connect(path)) as conn:
        _file.prepare(conn, path)
        before = tuple(conn.execute(rest).fetchone())
        conn.execute("DELETE FROM task")
        after = tuple(conn.execute(rest).fetchone())
    assert ((len(MADE), 1, 1, 1), (0, 0, 0, 0)) == (before, after)


VIEWS = {
    "tasks": "task_id status priority created_at started_at completed_at progress error_message client_ip source_lang "
    "target_lang via_eng file_count total_file_size",
    "task_queue": "id task_id priority created_at assigned_gpu assigned_at",
    "gpu_status": "gpu_id device_name memory_total memory_used memory_free utilization temperature is_available "
    "current_task_id",
}


@pytest.mark.parametrize("view", VIEWS)
async def test_view_has_its_columns(path: Path, view: str) -> None:
    """The tables of the united systems are there as views, with the same columns."""
    await filled(path)
    with closing(sqlite3.connect(path)) as conn:
        found = conn.execute(f"SELECT * FROM {view}").description  # noqa: S608 - a name of ours
        assert VIEWS[view].split() == [column[0] for column in found]


async def test_views_show_tasks_queue_and_devices(path: Path) -> None:
    """While the store is open, the views show its tasks, those that are unfinished, and the devices."""
    store = SqliteStore(path, ROUTE, "boot")
    await store.open()
    await compose(store, "a", run("1"))
    await add(store, "b", priority=Priority.HIGH)
    await store.note_devices([Device("cpu", "CPU", 1)], NOW)
    await store.note_devices([Device("cuda:0", "A card", 2, 8192), Device("cuda:1", "Another", 2, 8192)], NOW)
    await store.note_readings([Reading("cuda:0", 8192, 1192, utilization=37.0, temperature=61.0)], NOW)
    await store.note_readings([Reading("cuda:1", fault="GPU is lost")], NOW)
    await add_for(store, "c", Lane.ASR)
    await store.claim(Lane.ASR, NOW + 0.25, "c", device="cuda:0")
    await store.end(cancel(task("b"), NOW + 0.5), expected=Status.PENDING, closing=CLOSING)
    with closing(sqlite3.connect(path)) as conn:
        shown = conn.execute("SELECT task_id, status, completed_at, total_file_size FROM tasks ORDER BY 1").fetchall()
        queue = conn.execute(
            "SELECT task_id, priority, assigned_gpu, assigned_at FROM task_queue ORDER BY 1"
        ).fetchall()
        gpus = conn.execute("SELECT * FROM gpu_status").fetchall()
    await store.close()
    assert [
        ("a", "processing", None, 12_345),
        ("b", "cancelled", "2027-01-15T08:00:00.500Z", None),
        ("c", "processing", None, 12_345),
    ] == shown
    assert [("a", 2, None, None), ("c", 2, "cuda:0", "2027-01-15T08:00:00.250Z")] == queue
    assert [
        ("cuda:0", "A card", 8192, 1192, 7000, 37.0, 61.0, 1, "c"),
        ("cuda:1", "Another", 8192, None, None, None, None, 0, None),
    ] == gpus
