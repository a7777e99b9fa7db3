"""What the SQLite store adds to the contract: its file, and what survives in it."""

from __future__ import annotations

import asyncio
import random
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import pytest

from pipeline.errors import Interrupted
from pipeline.store import _file
from pipeline.store.sqlite import SqliteStore
from tests.contract.examples import ROUTE, add
from tests.contract.files import content, filled, modes, overwrite, refusal

REPOSITORY = Path(__file__).parents[2]


def set_mode(path: Path, mode: int) -> None:
    """Say who may do what with a file."""
    path.chmod(mode)


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
