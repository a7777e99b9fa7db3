"""Accepting: what is stored, what is the same work, and how much fits."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import replace

import pytest

from pipeline.core.admission import (
    KEY_LIFE_S,
    Accepted,
    Added,
    AlreadyThere,
    KeyTaken,
    NewTask,
    NoRoom,
    Replayed,
    RequestKey,
)
from pipeline.core.lifecycle import Cause, Settled
from pipeline.core.products import Artifacts, MediaFile
from pipeline.core.task import Failure, Lane, LayerState, Options, Priority, Source, Stage, Status, TaskWarning, Waiting
from pipeline.task_store import TaskStore
from tests.contract.conftest import SqliteStores
from tests.contract.examples import MEDIA, NOW, add, add_for, claimed, keep_until, task

RICH = task(
    "rich",
    source=Source("http://site.test/?v=1&名=值", "http://site.test/?v=1", "http://media.test/a.mp4"),
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
    artifacts=Artifacts(media=MEDIA, file=MediaFile("media", 12_345)),
    started_at=NOW + 1.123456789,
    finished_at=NOW + 2,
)


async def test_added_task_reads_back_equal(store: TaskStore) -> None:
    """A task with every field filled reads back as the same value."""
    assert (Added(),) == await store.add_all([NewTask(RICH, "work")], room=1, force=False)
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
    await keep_until(store, "old", None)
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
    assert NoRoom(1, 1) == await add(store, "b", work="work", room=1, force=True)
    assert await store.get("b") is None


async def test_room_counts_tasks_without_a_transcript(store: TaskStore) -> None:
    """A task takes room until its transcript is stored or it has come to its end."""
    await add_for(store, "waits", Lane.ASR)
    await add_for(store, "heard", Lane.TEXT)
    await add(store, "failed")
    failed = replace(await claimed(store, "failed"), status=Status.FAILED)
    await store.save(Settled(failed, Cause.FAILED), expected=Status.PROCESSING)
    assert NoRoom(1, 1) == await add(store, "new", room=1)
    assert Added() == await add(store, "new", room=2)


async def test_many_at_once_fill_the_room_exactly(store: TaskStore) -> None:
    """Of 50 tasks at once with room for 7, exactly 7 are stored and the others leave nothing behind."""
    answers = await asyncio.gather(*(add(store, str(number), room=7) for number in range(50)))
    assert Counter({NoRoom(7, 1): 43, Added(): 7}) == Counter(answers)
    stored = [await store.get(str(number)) for number in range(50)]
    assert [answer == Added() for answer in answers] == [task is not None for task in stored]


async def test_many_equal_at_once_make_one(store: TaskStore) -> None:
    """Of 50 equal submissions at once one is stored and 49 are given its id."""
    answers = await asyncio.gather(*(add(store, str(number), work="work") for number in range(50)))
    assert Counter({AlreadyThere("0", Status.PENDING): 49, Added(): 1}) == Counter(answers)


# ---------------------------------------------------------------------------------------------
# Several at once
# ---------------------------------------------------------------------------------------------


def new(*works: str) -> list[NewTask]:
    """A task for each of these works, with ids in alphabetical order."""
    return [NewTask(task(f"new-{number}"), work) for number, work in enumerate(works)]


async def test_several_are_stored_in_order(store: TaskStore) -> None:
    """Several tasks are stored at once, in their order; work that is there, or comes twice, is stored once."""
    await add(store, "old", work="b")
    expected = (Added(), AlreadyThere("old", Status.PENDING), Added(), AlreadyThere("new-0", Status.PENDING))
    assert expected == await store.add_all(new("a", "b", "c", "a"), room=3, force=False)
    assert ["old", "new-0", "new-2"] == [each.id for each in await store.waiting(Lane.FETCH)]


async def test_several_are_stored_whole_or_not_at_all(store: TaskStore) -> None:
    """Unless there is room for every new one, nothing is stored."""
    await add(store, "old")
    assert NoRoom(1, 2) == await store.add_all(new("a", "b"), room=2, force=False)
    assert ["old"] == [each.id for each in await store.waiting(Lane.FETCH)]


async def test_several_that_are_there_need_no_room(store: TaskStore) -> None:
    """Several tasks whose work is all there are given back although there is no room."""
    await add(store, "old", work="a")
    there = AlreadyThere("old", Status.PENDING)
    assert (there, there) == await store.add_all(new("a", "a"), room=1, force=False)


async def test_several_forced(store: TaskStore) -> None:
    """Force stores each of several, be the work there or not."""
    await add(store, "old", work="a")
    assert (Added(), Added()) == await store.add_all(new("a", "a"), room=3, force=True)


async def test_products_of_a_new_task_are_not_made_again(store: TaskStore) -> None:
    """A task that comes with products waits for the lane that makes the first one it lacks."""
    known = Artifacts(media=MEDIA, file=MediaFile("media", 1))
    await add(store, "fetch", artifacts=known)
    step = await claimed(store, "fetch")
    assert known == step.artifacts


# ---------------------------------------------------------------------------------------------
# Requests with a key
# ---------------------------------------------------------------------------------------------

KEY = RequestKey("owner", "key", "body")


async def test_answer_is_remembered_with_the_tasks(stores: SqliteStores) -> None:
    """A request is answered as before, also by a later boot, and a second time nothing is stored."""
    store = await stores.boot("boot 1")
    await add(store, "old", work="b", client_ref="r")
    first = await store.add_all(new("a", "b"), room=9, force=False, key=KEY)
    assert (Added(), AlreadyThere("old", Status.PENDING)) == first
    store = await stores.boot("boot 2")
    known = Replayed(
        (Accepted("new-0", Status.PENDING, None, None), Accepted("old", Status.PENDING, "old", None)),
    )
    assert known == await store.recall(KEY)
    assert known == await store.add_all(new("c"), room=0, force=True, key=KEY)
    assert ["old", "new-0"] == [each.id for each in await store.waiting(Lane.FETCH)]


async def test_key_stands_for_one_body_of_one_owner(store: TaskStore) -> None:
    """A key with another body is taken; of another owner it is another key."""
    await store.add_all(new("a"), room=9, force=False, key=KEY)
    other = replace(KEY, body="other")
    assert KeyTaken() == await store.recall(other)
    assert KeyTaken() == await store.add_all(new("b"), room=9, force=False, key=other)
    assert await store.recall(replace(other, owner="stranger")) is None


async def test_key_without_room_is_not_remembered(store: TaskStore) -> None:
    """What was refused for want of room leaves its key free."""
    assert NoRoom(0, 1) == await store.add_all(new("a"), room=0, force=False, key=KEY)
    assert await store.recall(KEY) is None


async def test_key_is_forgotten_after_a_day(stores: SqliteStores, store: TaskStore) -> None:
    """A key is remembered for 24 hours; the next one then removes it, and it may name another request."""
    await store.add_all(new("a"), room=9, force=False, key=KEY)
    stores.machine.uptime_s += KEY_LIFE_S - 1
    assert await store.recall(KEY)
    stores.machine.uptime_s += 1
    assert await store.recall(KEY) is None
    tomorrow = [NewTask(task("later", created_at=NOW + KEY_LIFE_S), "b")]
    other = replace(KEY, body="other")
    assert (Added(),) == await store.add_all(tomorrow, room=9, force=False, key=other)
    assert KeyTaken() == await store.recall(KEY)


async def test_same_key_many_times_at_once(store: TaskStore) -> None:
    """Of 50 requests of one key at once one stores its task, and 49 get its answer."""
    requests = ([NewTask(task(str(number)), str(number))] for number in range(50))
    answers = await asyncio.gather(*(store.add_all(each, room=9, force=True, key=KEY) for each in requests))
    told = Replayed((Accepted("0", Status.PENDING, None, None),))
    assert Counter({told: 49, (Added(),): 1}) == Counter(answers)
