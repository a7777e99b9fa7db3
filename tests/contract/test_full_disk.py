"""What the SQLite store does on a full disk, a real one."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from pipeline.core.lifecycle import cancel
from pipeline.core.messages import Kind, Message
from pipeline.core.task import Lane, Status, Task, Waiting
from pipeline.core.transcript import Segment
from pipeline.errors import DataFolderUnusable, Interrupted
from pipeline.failures import DiskFull
from pipeline.store._ballast import RESERVE, SHARE, Ballast
from pipeline.store.sqlite import SqliteStore
from tests.contract.examples import NOW, OWNER, ROUTE, add, claimed
from tests.disk import Disk

DISK_BYTES = 16 * 1024 * 1024
BALLAST_BYTES = DISK_BYTES // SHARE
TIGHT_BYTES = BALLAST_BYTES // RESERVE
CLOSING = Message(None, None, Kind.NOTICE, "text", "cancelled")
LARGE = [Segment(number, number, number + 1.0, "x" * 1000) for number in range(8000)]


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    """A small disk in memory."""
    with Disk(tmp_path / "disk", DISK_BYTES) as disk:
        yield disk


@pytest.fixture
async def store(disk: Disk) -> AsyncIterator[SqliteStore]:
    """An open store on that disk."""
    made = SqliteStore(disk.folder / "tasks.db", ROUTE, "boot")
    await made.open()
    yield made
    made.wait_no_longer()
    await made.close()


async def crowded(store: SqliteStore, disk: Disk) -> asyncio.Task[None]:
    """Fill the disk while a worker has a task, and let it store what finds no room, until it waits."""
    await add(store, "ended")
    await store.end(cancel(await task(store, "ended"), NOW), expected=Status.PENDING, closing=CLOSING)
    await add(store, "a")
    await claimed(store, "a")
    disk.fill()
    keeping = asyncio.create_task(store.keep_segments("a", LARGE))
    async with asyncio.timeout(10):
        while await waiting_for(store, "a") is not Waiting.DISK:
            assert not keeping.done()
    return keeping


async def task(store: SqliteStore, task_id: str) -> Task:
    stored = await store.get(task_id)
    assert stored is not None
    return stored


async def waiting_for(store: SqliteStore, task_id: str) -> Waiting | None:
    view = await store.view(task_id, OWNER)
    assert view is not None
    return view.task.waiting_for


async def test_work_under_way_waits_for_room_and_loses_nothing(store: SqliteStore, disk: Disk) -> None:
    """What finds no room waits, and its task says so; with room again it is stored by itself."""
    keeping = await crowded(store, disk)
    page, _ = await store.page(OWNER, status=None, q=None, since=None, limit=50, before=None)
    assert {"a": Waiting.DISK, "ended": None} == {view.task.id: view.task.waiting_for for view in page}
    assert not keeping.done()
    disk.clear()
    async with asyncio.timeout(10):
        await keeping
    assert len(LARGE) == len(await store.segments("a"))
    assert await waiting_for(store, "a") is None


async def test_new_work_is_refused_on_a_full_disk(store: SqliteStore, disk: Disk) -> None:
    """New work is refused before the disk is full to its last byte, and taken again when there is room."""
    disk.fill(left_bytes=TIGHT_BYTES // 2)
    with pytest.raises(DiskFull):
        await add(store, "a")
    assert await store.get("a") is None
    disk.clear()
    await add(store, "a")


async def test_small_changes_find_room_in_the_ballast(store: SqliteStore, disk: Disk) -> None:
    """On a full disk, what comes to its end is stored, and a task can be deleted, in the room of the ballast."""
    await add(store, "a")
    await claimed(store, "a")
    disk.fill()
    await store.keep_segments("a", LARGE[:500])
    assert await store.end(cancel(await task(store, "a"), NOW), expected=Status.PROCESSING, closing=CLOSING)
    assert await store.delete("a")
    assert not (disk.folder / "ballast").exists()
    disk.clear()
    await store.adapt_to_disk()
    assert BALLAST_BYTES == (disk.folder / "ballast").stat().st_size


async def test_what_is_large_does_not_keep_back_what_is_small(store: SqliteStore, disk: Disk) -> None:
    """While one change waits for room, a small one handed in with it is stored."""
    keeping = await crowded(store, disk)
    keeping.cancel()
    _, released = await asyncio.gather(
        asyncio.wait({asyncio.create_task(store.keep_segments("a", LARGE))}, timeout=3), store.release("a")
    )
    assert released is None


async def test_an_ending_daemon_waits_no_longer(store: SqliteStore, disk: Disk) -> None:
    """When the daemon is about to end, what waits gives up at once, and what was stored is whole."""
    keeping = await crowded(store, disk)
    store.wait_no_longer()
    with pytest.raises(Interrupted):
        await keeping
    await store.close()
    disk.clear()
    with closing(sqlite3.connect(disk.folder / "tasks.db")) as conn:
        assert [("ok",)] == conn.execute("PRAGMA integrity_check").fetchall()
        assert {"a", "ended"} == {row[0] for row in conn.execute("SELECT id FROM task")}


async def test_a_store_opens_on_a_full_disk_after_a_crash(disk: Disk) -> None:
    """What a dead daemon left as ballast is room enough to open the store again, and to go on."""
    before = SqliteStore(disk.folder / "tasks.db", ROUTE, "before")
    await before.open()
    await add(before, "a")
    await before.close()
    Ballast(disk.folder / "ballast").adapt()
    disk.fill()
    after = SqliteStore(disk.folder / "tasks.db", ROUTE, "after")
    await after.open()
    assert await after.claim(Lane.FETCH, NOW) is not None
    await after.close()


async def test_without_any_room_the_store_says_so(disk: Disk) -> None:
    """A store that cannot be opened for want of room is named, and left as it is."""
    before = SqliteStore(disk.folder / "tasks.db", ROUTE, "before")
    await before.open()
    await add(before, "a")
    await before.close()
    disk.fill()
    with pytest.raises(DataFolderUnusable, match=r"tasks\.db: "):
        await SqliteStore(disk.folder / "tasks.db", ROUTE, "after").open()
    disk.clear()
    after = SqliteStore(disk.folder / "tasks.db", ROUTE, "after")
    await after.open()
    assert await after.get("a") is not None
    await after.close()
