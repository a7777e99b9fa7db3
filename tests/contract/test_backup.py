"""Copies of the SQLite store, made while it is in use."""

from __future__ import annotations

import asyncio
import sqlite3
import stat
import time
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest

from pipeline.core.transcript import Segment
from pipeline.errors import CommandFailed, Interrupted
from pipeline.store.sqlite import SqliteStore
from tests.contract.examples import OWNER, ROUTE, add, compose, run

LARGE = [Segment(number, number, number + 1.0, "x" * 2000) for number in range(20_000)]


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    """An open store."""
    made = SqliteStore(tmp_path / "tasks.db", ROUTE, "boot")
    await made.open()
    yield made
    await made.close()


async def restored(copy: Path) -> list[str]:
    """Open a copy as a store; returns its tasks, oldest first."""
    store = SqliteStore(copy, ROUTE, "restored")
    await store.open()
    page, _ = await store.page(OWNER, status=None, q=None, since=None, limit=100_000, before=None)
    await store.close()
    return [view.task.id for view in reversed(page)]


def left_in(folder: Path) -> set[str]:
    """The files of a folder that are not the store's own."""
    return {file.name for file in folder.iterdir()} - {"tasks.db", "tasks.db-wal", "tasks.db-shm", "ballast"}


async def test_a_copy_is_the_whole_store_in_one_private_file(store: SqliteStore, tmp_path: Path) -> None:
    """A copy holds everything, what is still in the journal too, in one file that only its owner can read."""
    await compose(store, "a", run("one", "two"))
    copy = tmp_path / "copy.db"
    size_bytes = await store.back_up(copy)
    assert size_bytes == copy.stat().st_size
    assert {"copy.db"} == left_in(tmp_path)
    assert 0o600 == stat.S_IMODE(copy.stat().st_mode)
    assert ["a"] == await restored(copy)


async def test_work_goes_on_while_a_copy_is_made(store: SqliteStore, tmp_path: Path) -> None:
    """Changes meanwhile wait for no more than a step of the copy, and what was stored before its end is in it."""
    await add(store, "large")
    await store.keep_segments("large", LARGE)
    copying = asyncio.create_task(store.back_up(tmp_path / "copy.db"))
    waits, meanwhile = [], []
    while not copying.done():
        began = time.monotonic()
        meanwhile.append(f"t{len(meanwhile)}")
        await add(store, meanwhile[-1])
        waits.append(time.monotonic() - began)
    await copying
    assert len(waits) > 20
    assert max(waits) < 1.0
    held = await restored(tmp_path / "copy.db")
    assert ["large", *meanwhile][: len(held)] == held
    assert 5 < len(held)


async def test_a_file_that_is_there_is_not_overwritten(store: SqliteStore, tmp_path: Path) -> None:
    """A file of that name stays as it is."""
    (tmp_path / "copy.db").write_text("precious")
    with pytest.raises(CommandFailed, match="is there already"):
        await store.back_up(tmp_path / "copy.db")
    assert {"copy.db"} == left_in(tmp_path)
    assert "precious" == (tmp_path / "copy.db").read_text()


async def test_a_place_that_cannot_be_written(store: SqliteStore, tmp_path: Path) -> None:
    """A folder that is not there is named, and the store goes on."""
    with pytest.raises(CommandFailed, match="No such file or directory"):
        await store.back_up(tmp_path / "nowhere" / "copy.db")
    await add(store, "a")


async def test_a_copy_of_a_damaged_store_is_not_kept(store: SqliteStore, tmp_path: Path) -> None:
    """A copy is checked before it gets its name: what is not sound is no backup."""
    await add(store, "a")
    with closing(sqlite3.connect(tmp_path / "tasks.db")) as outside:
        outside.execute("PRAGMA ignore_check_constraints = ON")
        outside.execute("UPDATE task SET percent = 1000")
        outside.commit()
    with pytest.raises(CommandFailed, match="not sound"):
        await store.back_up(tmp_path / "copy.db")
    assert set() == left_in(tmp_path)


async def test_closing_ends_a_copy(store: SqliteStore, tmp_path: Path) -> None:
    """A store that is closed meanwhile leaves no half copy behind."""
    await add(store, "large")
    await store.keep_segments("large", LARGE)
    copying = asyncio.create_task(store.back_up(tmp_path / "copy.db"))
    await add(store, "a")
    await add(store, "b")
    await store.close()
    with pytest.raises(Interrupted):
        await copying
    assert set() == left_in(tmp_path)
