"""Accepting: what is stored, what is the same work, and how much fits."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import replace

import pytest

from pipeline.core.lifecycle import Cause, Settled
from pipeline.core.task import (
    Failure,
    Lane,
    LayerState,
    Options,
    Priority,
    Source,
    Stage,
    Status,
    TaskWarning,
    Waiting,
)
from pipeline.ports import Added, AlreadyThere, NoRoom, TaskStore
from tests.contract.conftest import SqliteStores
from tests.contract.examples import NOW, add, add_for, claimed, task

RICH = task(
    "rich",
    source=Source("http://site.test/?v=1&名=值", "http://site.test/?v=1"),
    options=Options(
        "demo",
        "zh",
        "词 words",
        "prompt",
        proofread=False,
        summarize=False,
        script="keep",
        notify="all",
        robots=("团队", "b"),
        title="标题 😀",
        author="author",
        description="text",
    ),
    priority=Priority.URGENT,
    client_ref="7",
    waiting_for=Waiting.MODEL,
    attempt=2,
    max_attempts=3,
    warnings=(TaskWarning("type", "message", "消息"),),
    failure=Failure("type", Stage.DECODE, "message", "消息", "hint", retryable=True),
    layers=(("transcript", LayerState.PARTIAL), ("summary", LayerState.DISABLED)),
    started_at=NOW + 1.123456789,
    finished_at=NOW + 2,
)


async def test_added_task_reads_back_equal(store: TaskStore) -> None:
    """A task with every field filled reads back as the same value."""
    assert Added() == await store.add(RICH, "work", room=1, force=False)
    assert RICH == await store.get("rich")


async def test_added_task_is_there_after_a_restart(stores: SqliteStores) -> None:
    """A task that was added is there at the next boot."""
    await add(await stores.boot("boot 1"), "a")
    assert task("a") == await (await stores.boot("boot 2")).get("a")


async def test_unknown_task(store: TaskStore) -> None:
    """An id that was never given has no task."""
    assert await store.get("a") is None


@pytest.mark.parametrize("status", Status)
async def test_same_work(store: TaskStore, status: Status) -> None:
    """Work that is waiting, running or completed is given back; work that came to nothing is done anew."""
    await add(store, "old", work="work")
    settled = Settled(task("old", status=status), Cause.CLAIMED)
    await store.save(settled, expected=Status.PENDING)
    fruitless = status in {Status.FAILED, Status.CANCELLED, Status.TIMEOUT}
    assert (Added() if fruitless else AlreadyThere("old", status)) == await add(store, "new", work="work")


async def test_same_work_is_the_newest(store: TaskStore) -> None:
    """Of several tasks with the same work the newest is given back."""
    await add(store, "a", work="work")
    await add(store, "b", work="work", force=True)
    assert AlreadyThere("b", Status.PENDING) == await add(store, "c", work="work")


async def test_same_work_when_full(store: TaskStore) -> None:
    """The same work is given back even when there is no room."""
    await add(store, "a", work="work", room=1)
    assert AlreadyThere("a", Status.PENDING) == await add(store, "b", work="work", room=1)


async def test_force_needs_room_too(store: TaskStore) -> None:
    """Force makes a second task of the same work, but no room."""
    await add(store, "a", work="work")
    assert NoRoom(1) == await add(store, "b", work="work", room=1, force=True)
    assert await store.get("b") is None


async def test_room_counts_tasks_without_a_transcript(store: TaskStore) -> None:
    """A task takes room until its transcript is stored or it has come to its end."""
    await add_for(store, "waits", Lane.ASR)
    await add_for(store, "heard", Lane.TEXT)
    await add(store, "failed")
    failed = replace(await claimed(store, "failed"), status=Status.FAILED)
    await store.save(Settled(failed, Cause.FAILED), expected=Status.PROCESSING)
    assert NoRoom(1) == await add(store, "new", room=1)
    assert Added() == await add(store, "new", room=2)


async def test_many_at_once_fill_the_room_exactly(store: TaskStore) -> None:
    """Of 50 tasks at once with room for 7, exactly 7 are stored and the others leave nothing behind."""
    answers = await asyncio.gather(*(add(store, str(number), room=7) for number in range(50)))
    assert Counter({NoRoom(7): 43, Added(): 7}) == Counter(answers)
    stored = [await store.get(str(number)) for number in range(50)]
    assert [answer == Added() for answer in answers] == [task is not None for task in stored]


async def test_many_equal_at_once_make_one(store: TaskStore) -> None:
    """Of 50 equal submissions at once one is stored and 49 are given its id."""
    answers = await asyncio.gather(*(add(store, str(number), work="work") for number in range(50)))
    assert Counter({AlreadyThere("0", Status.PENDING): 49, Added(): 1}) == Counter(answers)
