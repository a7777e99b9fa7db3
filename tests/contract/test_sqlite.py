"""What the SQLite store adds to the contract: its file, and what survives in it."""

from __future__ import annotations

import asyncio
import random
import re
import sqlite3
import stat
import sys
from contextlib import closing
from pathlib import Path

import pytest

from pipeline.clock import Clock
from pipeline.core.device import Device, Reading
from pipeline.core.lifecycle import Cause, Settled, cancel
from pipeline.core.messages import Kind, Message
from pipeline.core.task import Lane, Priority, Status
from pipeline.core.transcript import Segment
from pipeline.errors import DataFolderUnusable, Interrupted
from pipeline.store import _file
from pipeline.store._sql import MIGRATIONS, SQL
from pipeline.store._timers import Timers
from pipeline.store.sqlite import SqliteStore
from tests.contract.examples import MADE, NOW, ROUTE, add, add_for, claimed, compose, run, task

CLOSING = Message(None, None, Kind.NOTICE, "text", "cancelled")
REPOSITORY = Path(__file__).parents[2]
COUNTED = "SELECT count(*) FROM task WHERE sequence IS NULL AND status IN ('pending', 'processing', 'retrying')"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the store will be."""
    return tmp_path / "tasks.db"


async def filled(path: Path, count: int = 1) -> None:
    """Make a store with some tasks, and close it."""
    store = SqliteStore(path, ROUTE, "boot")
    await store.open()
    await asyncio.gather(*(add(store, str(number)) for number in range(count)))
    await store.close()


def modes(folder: Path) -> dict[str, int]:
    """Who may do what with each file of a folder."""
    return {file.name: stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()}


def set_mode(path: Path, mode: int) -> None:
    """Say who may do what with a file."""
    path.chmod(mode)


def overwrite(path: Path, content: bytes) -> bytes:
    """Give a file this content, and return it."""
    path.write_bytes(content)
    return content


def content(path: Path) -> bytes:
    """What is in a file."""
    return path.read_bytes()


async def refusal(path: Path) -> str:
    """Open a store that cannot be opened; returns what it says."""
    with pytest.raises(DataFolderUnusable) as caught:
        await SqliteStore(path, ROUTE, "boot").open()
    assert str(path) in caught.value.message
    assert str(path) in caught.value.localized
    return caught.value.message


@pytest.mark.parametrize("lines", random.sample(range(1, 400), 3), ids=["once", "again", "and again"])
async def test_answered_add_survives_kill(path: Path, lines: int) -> None:
    """Every task whose add was answered is there after the process was killed at a random moment."""
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.contract.adds_until_killed", path, cwd=REPOSITORY, stdout=asyncio.subprocess.PIPE
    )
    assert child.stdout is not None
    async with asyncio.timeout(30):
        answered = [await child.stdout.readline() for _ in range(lines)]
        child.kill()
        answered += (await child.stdout.read()).splitlines(keepends=True)
        await child.wait()
    ids = [line.decode().strip() for line in answered if line.endswith(b"\n")]
    store = SqliteStore(path, ROUTE, "after")
    await store.open()
    missing = [task_id for task_id in ids if await store.get(task_id) is None]
    await store.close()
    assert [] == missing
    assert lines <= len(ids)


async def test_file_is_private(path: Path) -> None:
    """Only the owner may read the file and its journal, even if the file was open to others before."""
    await filled(path)
    set_mode(path, 0o644)
    store = SqliteStore(path, ROUTE, "boot")
    await store.open()
    await add(store, "a")
    seen = modes(path.parent)
    await store.close()
    assert dict.fromkeys(("ballast", "tasks.db", "tasks.db-shm", "tasks.db-wal"), 0o600) == seen
    assert {"tasks.db": 0o600} == modes(path.parent)


async def test_folder_that_is_not_there(path: Path) -> None:
    """A missing folder is named."""
    assert "No such file" in await refusal(path / "tasks.db")


async def test_file_that_is_a_folder(path: Path) -> None:
    """A folder in the file's place is named."""
    assert "Is a directory" in await refusal(path.parent)


async def test_file_that_is_no_database(path: Path) -> None:
    """A file of another kind is refused and left as it is."""
    before = overwrite(path, b"not a database at all " * 100)
    assert "file is not a database: restore a backup" in await refusal(path)
    assert before == content(path)


async def test_damaged_file(path: Path) -> None:
    """A file with a torn page is refused, not repaired and not replaced."""
    await filled(path, 200)
    good = content(path)
    middle = len(good) // 2
    damaged = overwrite(path, good[:middle] + bytes(range(256)) * 16 + good[middle + 4096 :])
    assert "restore a backup" in await refusal(path)
    assert damaged == content(path)


async def test_truncated_file(path: Path) -> None:
    """A file that lost its end is refused."""
    await filled(path, 200)
    overwrite(path, content(path)[: -3 * 4096])
    assert "restore a backup" in await refusal(path)


async def test_missing_file_beside_its_journal(path: Path) -> None:
    """A journal whose file is gone is a loss to be told, not a new beginning."""
    overwrite(path.with_name("tasks.db-wal"), b"journal")
    assert "its journal tasks.db-wal is there" in await refusal(path)
    assert ["tasks.db-wal"] == list(modes(path.parent))


async def test_newer_version(path: Path) -> None:
    """A file of a newer release is refused and left as it is."""
    await filled(path)
    with closing(sqlite3.connect(path)) as outside:
        outside.execute("PRAGMA user_version = 99")
    assert "version 99 is from a newer release" in await refusal(path)


async def test_migration_keeps_a_copy_and_the_rows(path: Path) -> None:
    """A newer release brings the file to its version, and keeps the older one beside it."""
    await filled(path)
    with closing(sqlite3.connect(path)) as conn:
        _file.prepare(conn, path, [*MIGRATIONS, "ALTER TABLE task ADD COLUMN further TEXT;"])
        assert [("0", None)] == [tuple(row) for row in conn.execute("SELECT id, further FROM task")]
    copy = path.with_name(f"tasks.v{len(MIGRATIONS)}.db")
    assert 0o600 == modes(path.parent)[copy.name]
    store = SqliteStore(copy, ROUTE, "boot")
    await store.open()
    stored = await store.get("0")
    await store.close()
    assert task("0") == stored


async def test_writes_of_the_last_minute_outlive_the_migration(path: Path) -> None:
    """What the older release noted at its messages is the pace of each robot in the newer one."""
    before = next(number for number, script in enumerate(MIGRATIONS) if "CREATE TABLE written" in script)
    with closing(sqlite3.connect(path)) as conn:
        _file.prepare(conn, path, MIGRATIONS[:before])
        conn.execute("PRAGMA foreign_keys = OFF")
        conn.executemany(
            """INSERT INTO message (run_id, robot, kind, format, text, bytes, state, sending_at, changed_at)
               VALUES (1, ?, 'text', 'text', 'a', 1, 'sent', ?, 0)""",
            [("r", 1000.0), ("r", 1050.0), (None, 1055.0), ("q", 1080.0), ("q", None)],
        )
        conn.commit()
        _file.prepare(conn, path, MIGRATIONS)
        written = conn.execute("SELECT robot, at FROM written ORDER BY id").fetchall()
    assert [("r", 1050.0), ("q", 1080.0)] == [tuple(row) for row in written]


async def test_failed_migration_leaves_the_file_as_it_was(path: Path) -> None:
    """A migration happens whole or not at all."""
    await filled(path)
    with closing(sqlite3.connect(path)) as conn, pytest.raises(DataFolderUnusable, match="no such table: absent"):
        _file.prepare(conn, path, [*MIGRATIONS, "CREATE TABLE half (a); DROP TABLE absent;"])
    await filled(path)
    with closing(sqlite3.connect(path)) as conn:
        assert [] == conn.execute("SELECT name FROM sqlite_schema WHERE name = 'half'").fetchall()


def test_no_temporary_file_that_could_outlive_a_kill(path: Path) -> None:
    """However much a savepoint may have to take back, SQLite keeps it in no file."""
    with closing(sqlite3.connect(path, isolation_level=None)) as conn:
        _file.prepare(conn, path)
        conn.execute("CREATE TABLE page (content TEXT)")
        conn.executemany("INSERT INTO page VALUES (?)", [("x" * 3000,)] * 100)
        conn.execute("BEGIN IMMEDIATE")
        conn.execute("SAVEPOINT unit")
        conn.execute("UPDATE page SET content = upper(content)")
        opened = {file.readlink().name for file in Path("/proc/self/fd").iterdir() if file.is_symlink()}
        assert [] == [name for name in opened if name.startswith("etilqs")]
        conn.execute("ROLLBACK TO unit")
        assert [("x" * 3000,)] == [tuple(row) for row in conn.execute("SELECT DISTINCT content FROM page")]


async def test_settings_of_the_connection(path: Path) -> None:
    """The connection is as safe as the settings promise."""
    with closing(sqlite3.connect(path)) as conn:
        _file.prepare(conn, path)
        names = (
            "journal_mode",
            "synchronous",
            "foreign_keys",
            "busy_timeout",
            "trusted_schema",
            "cell_size_check",
            "temp_store",
        )
        expected = {
            "journal_mode": "wal",
            "synchronous": 2,
            "foreign_keys": 1,
            "busy_timeout": 50,
            "trusted_schema": 0,
            "cell_size_check": 1,
            "temp_store": 2,
        }
        assert expected == {name: conn.execute(f"PRAGMA {name}").fetchone()[0] for name in names}


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


async def test_closed_store_takes_no_more(path: Path) -> None:
    """After it is closed, a store says so; closing it twice is fine."""
    store = SqliteStore(path, ROUTE, "boot")
    with pytest.raises(Interrupted):
        await store.get("a")
    await store.open()
    await store.close()
    await store.close()
    with pytest.raises(Interrupted):
        await add(store, "a")


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


V3 = Path(__file__).with_name("store-v3.sql")


def dump(path: Path) -> dict[str, list[dict[str, object]]]:
    """Read every row of the tables that version 3 had."""
    with closing(sqlite3.connect(path)) as conn:
        conn.row_factory = sqlite3.Row
        tables = ("task", "artifact", "segment", "run", "message", "transcript_counter")
        return {table: [dict(row) for row in conn.execute(f"SELECT * FROM {table}")] for table in tables}  # noqa: S608 - names of ours


async def test_a_store_of_version_3_keeps_all_its_rows(path: Path) -> None:
    """A store of version 3 is brought up to date with every row, and the copy that an older release knows is kept."""
    with closing(sqlite3.connect(path)) as conn:
        conn.executescript(V3.read_text(encoding="utf-8"))
    before = dump(path)
    late = max(row["not_before"] or 0.0 for row in before["task"])  # its retries wait for another century
    store = SqliteStore(path, ROUTE, "boot", Clock(wall=lambda: late))
    await store.open()
    await store.close()
    after = dump(path)
    for table, rows in before.items():
        kept = [name for name in rows[0] if name in after[table][0]]
        assert [[row[name] for name in kept] for row in rows] == [[row[name] for name in kept] for row in after[table]]
    with closing(sqlite3.connect(path)) as conn:
        assert [conn.execute(COUNTED).fetchone()] == conn.execute("SELECT count FROM unfinished").fetchall()
    copy = path.with_name("tasks.v3.db")
    assert before == dump(copy)
    with closing(sqlite3.connect(copy)) as conn:
        _file.prepare(conn, copy, MIGRATIONS[:3])


async def test_an_older_release_refuses_the_store(path: Path) -> None:
    """A release that knows less leaves a newer store as it is, and says so."""
    await filled(path)
    before = content(path)
    with closing(sqlite3.connect(path)) as conn, pytest.raises(DataFolderUnusable, match="from a newer release"):
        _file.prepare(conn, path, MIGRATIONS[:3])
    assert before == content(path)


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
