"""The SQLite store's file under a newer release, and under an older one."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from pipeline.clock import Clock
from pipeline.errors import DataFolderUnusable
from pipeline.store import _file
from pipeline.store._sql import MIGRATIONS
from pipeline.store.sqlite import SqliteStore
from tests.contract.examples import ROUTE, task
from tests.contract.files import COUNTED, content, filled, modes, refusal


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
