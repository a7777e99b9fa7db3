"""Files that were damaged or are held by others: every fault has its name, and none looks like an empty store."""

from __future__ import annotations

import asyncio
import random
import sqlite3
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from pipeline.core.task import Lane
from pipeline.core.transcript import Segment
from pipeline.errors import DataFolderUnusable
from pipeline.refusals import DbBusy
from pipeline.store import _changes
from pipeline.store.sqlite import SqliteStore
from tests.contract.examples import NOW, OWNER, ROUTE, add, compose, run
from tests.contract.files import content, overwrite

PAGE = 4096
TASKS = 100
FLIPS = 40


@pytest.fixture
async def store(path: Path) -> AsyncIterator[SqliteStore]:
    """An open store."""
    made = SqliteStore(path, ROUTE, "boot")
    await made.open()
    yield made
    made.wait_no_longer()
    await made.close()


async def fill(store: SqliteStore, words: int = 10) -> None:
    """Store tasks with all that belongs to them, each segment with so many words."""
    await asyncio.gather(*(compose(store, str(number), run("one", "two")) for number in range(TASKS)))
    for number in range(TASKS):
        segments = [Segment(place, place, place + 1.0, f"text {place} " * words) for place in range(20)]
        await store.keep_segments(str(number), segments)


@contextmanager
def held(path: Path) -> Iterator[None]:
    """Hold the database as an outside tool does that writes."""
    with closing(sqlite3.connect(path, isolation_level=None)) as outside:
        outside.execute("BEGIN EXCLUSIVE")
        yield
        outside.execute("ROLLBACK")


async def test_while_another_program_holds_the_file_reading_goes_on(store: SqliteStore, path: Path) -> None:
    """What is asked for is answered as busy after some seconds, what is under way waits, and reading takes no time."""
    await add(store, "a")
    with held(path):
        began = time.monotonic()
        asked, under_way = asyncio.create_task(add(store, "b")), asyncio.create_task(store.claim(Lane.FETCH, NOW))
        longest_s = 0.0
        while not asked.done():
            asked_at = time.monotonic()
            assert await store.view("a", OWNER) is not None
            longest_s = max(longest_s, time.monotonic() - asked_at)
            await asyncio.wait({asked}, timeout=0.1)
        with pytest.raises(DbBusy):
            await asked
        assert _changes.BUSY_S <= time.monotonic() - began < _changes.BUSY_S + 15
        assert longest_s < _changes.BUSY_S / 2
        assert not under_way.done()
    async with asyncio.timeout(10):
        assert await under_way is not None
    assert await store.get("b") is None


async def test_a_page_that_is_damaged_in_operation(store: SqliteStore, path: Path) -> None:
    """Whoever comes upon damage is told the file and the cure, and so is who waits for that."""
    await fill(store, words=500)  # more than SQLite keeps in memory
    await store.close()
    watching = SqliteStore(path, ROUTE, "boot")
    await watching.open()
    waiting = asyncio.create_task(watching.until_broken())
    whole = content(path)
    overwrite(path, whole[:PAGE] + b"\xff" * (len(whole) - PAGE))
    with pytest.raises(DataFolderUnusable, match="restore a backup"):
        await asyncio.gather(*(watching.segments(str(number)) for number in range(TASKS)))
    with pytest.raises(DataFolderUnusable, match=str(path)):
        await waiting
    await watching.close()


async def test_a_row_that_nobody_wrote(store: SqliteStore, path: Path) -> None:
    """A row whose content makes no sense is damage too, not an empty task."""
    await add(store, "a")
    with closing(sqlite3.connect(path)) as outside, outside:
        outside.execute("UPDATE task SET options = '{\"model\": 1}'")
    with pytest.raises(DataFolderUnusable, match="Options"):
        await store.get("a")


async def test_flipped_bytes(store: SqliteStore, path: Path) -> None:
    """With any byte of its file flipped a store is refused by name, or has all its tasks, each whole or refused."""
    await fill(store)
    await store.close()
    whole, refused = content(path), 0
    for flip in range(FLIPS):
        place = random.Random(flip).randrange(len(whole))  # noqa: S311 - a seed, so that it can be repeated
        overwrite(path, whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
        refused += await _refused_or_whole(path)
    assert 0 < refused


async def _refused_or_whole(path: Path) -> bool:
    store = SqliteStore(path, ROUTE, "boot")
    try:
        await store.open()
        page, _ = await store.page(OWNER, status=None, q=None, since=None, limit=2 * TASKS, before=None)
        found = [await store.view(str(number), OWNER) for number in range(TASKS)]
    except DataFolderUnusable:
        return True
    finally:
        await store.close()
    assert TASKS == len(page)
    assert TASKS == sum(view is not None for view in found)
    return False


async def test_a_lost_journal(store: SqliteStore, path: Path) -> None:
    """Without its journal a store has what was in the file by its start: it is never empty because of that."""
    await fill(store)
    await store.close()
    again = SqliteStore(path, ROUTE, "boot")
    await again.open()
    await add(again, "in the journal")
    copy = path.with_name("without.db")
    overwrite(copy, content(path))
    await again.close()
    left = SqliteStore(copy, ROUTE, "after")
    await left.open()
    page, _ = await left.page(OWNER, status=None, q=None, since=None, limit=2 * TASKS, before=None)
    await left.close()
    assert TASKS == len(page)
