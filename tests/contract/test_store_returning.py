"""Coming back: who waits behind whom after a failure, who is left alone, and who is blamed for a dead daemon."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pipeline.core.lifecycle import Cause, Failed, Settled, rescue, retry, settle
from pipeline.core.retry import RetryPolicy
from pipeline.core.task import Failure, Lane, Priority, Source, Stage, Status, Task
from pipeline.core.transcript import Segment
from pipeline.ports import Answer
from pipeline.task_store import TaskStore
from tests.contract.conftest import SqliteStores
from tests.contract.examples import MADE, NOW, ROUTE, add, add_for, claimed

FAILURE = Failure("source_unreachable", Stage.DOWNLOAD, "message", "消息", "hint", retryable=True)


async def stored(store: TaskStore, task_id: str) -> Task:
    task = await store.get(task_id)
    assert task is not None
    return task


async def fail(store: TaskStore, task_id: str, lane: Lane = Lane.FETCH) -> Task:
    """Let an attempt fail with something that passes at once."""
    failed = Failed(task_id, lane, FAILURE, retries=3, times_out=False)
    later = settle(await claimed(store, task_id, lane), failed, ROUTE, RetryPolicy(3, 0.0), NOW, 0.0)
    assert await store.save(later, expected=Status.PROCESSING)
    return later.task


async def order(store: TaskStore, lane: Lane) -> list[str]:
    return [task.id for task in await store.waiting(lane)]


async def test_what_failed_waits_behind_all_others_of_its_priority(store: TaskStore) -> None:
    """A task that is tried again goes to the tail of its priority, with its fault counted."""
    for task_id in ("a", "b", "c"):
        await add(store, task_id)
    await add(store, "low", priority=Priority.LOW)
    failed = await fail(store, "a")
    await add(store, "d")
    assert ["b", "c", "a", "d", "low"] == await order(store, Lane.FETCH)
    assert failed == await stored(store, "a")
    assert (("source_unreachable", 1),) == failed.faults


async def test_a_text_that_failed_waits_behind_all_transcripts(store: TaskStore) -> None:
    """A task whose text stage failed, or is wanted again, takes a new place among the transcripts."""
    for task_id in ("a", "b", "c"):
        await add_for(store, task_id, Lane.TEXT)
    await fail(store, "a", Lane.TEXT)
    assert ["b", "c", "a"] == await order(store, Lane.TEXT)
    ended = replace(await claimed(store, "b", Lane.TEXT), status=Status.FAILED)
    assert await store.save(Settled(ended, Cause.FAILED), expected=Status.PROCESSING)
    again = retry(ended, ["proofread"], ROUTE, NOW)
    assert await store.restart(again, expected=Status.FAILED, dropped=["proofread"])
    assert ["c", "a", "b"] == await order(store, Lane.TEXT)


async def test_a_wish_of_the_owner_waits_behind_all_others_too(store: TaskStore) -> None:
    """A finished task that its owner wants done again goes to the tail."""
    for task_id in ("a", "b"):
        await add(store, task_id)
    ended = replace(await claimed(store, "a"), status=Status.FAILED)
    assert await store.save(Settled(ended, Cause.FAILED), expected=Status.PROCESSING)
    assert await store.restart(retry(ended, [], ROUTE, NOW), expected=Status.FAILED, dropped=[])
    assert ["b", "a"] == await order(store, Lane.FETCH)


async def test_hosts_that_are_left_alone_hold_up_nobody_else(store: TaskStore) -> None:
    """Tasks of a host that is left alone keep their place, and others are claimed past them."""
    for task_id, host in (("a", "busy.test:81"), ("b", "free.test"), ("c", "busy.test:81")):
        await add(store, task_id, source=Source(f"http://{host}/{task_id}", f"http://{host}/{task_id}"))
    settled = await store.claim(Lane.FETCH, NOW, hosts_left_alone=["busy.test:81"])
    assert settled is not None
    assert "b" == settled.task.id
    assert await store.claim(Lane.FETCH, NOW, hosts_left_alone=["busy.test:81"]) is None
    assert ["a", "c"] == await order(store, Lane.FETCH)


async def test_tasks_at_work_share_the_blame_for_a_death(stores: SqliteStores) -> None:
    """Only tasks at which work had begun are blamed for the death of their daemon, in equal shares, once."""
    store = await stores.boot("boot 1")
    for task_id in ("a", "b", "idle", "waiting"):
        await add(store, task_id)
    for task_id in ("a", "b", "idle"):
        await claimed(store, task_id)
    for task_id in ("a", "b"):
        await store.begin(task_id)

    store = await stores.boot("boot 2")
    for _ in range(2):
        assert {"a": 0.5, "b": 0.5, "idle": 0.0} == {task.id: task.blame for task in await store.orphans()}
    for task in await store.orphans():
        await store.save(rescue(task, ROUTE, NOW), expected=Status.PROCESSING)
    await claimed(store, "a")
    await store.begin("a")

    store = await stores.boot("boot 3")
    assert {"a": 1.5} == {task.id: task.blame for task in await store.orphans()}


@pytest.mark.parametrize("gain", ["product", "segment", "reply", "failure"])
async def test_whatever_is_stored_forgives(stores: SqliteStores, gain: str) -> None:
    """A product, a segment, a reply or an orderly end takes all blame away, and the work on it is not at risk."""
    store = await stores.boot("boot 1")
    await add_for(store, "a", Lane.ASR)
    await claimed(store, "a", Lane.ASR)
    await store.begin("a")
    store = await stores.boot("boot 2")
    (orphan,) = await store.orphans()
    assert 1.0 == orphan.blame
    await store.save(rescue(orphan, ROUTE, NOW), expected=Status.PROCESSING)
    task = await claimed(store, "a", Lane.ASR)
    await store.begin("a")
    match gain:
        case "product":
            await store.keep("a", "transcript", MADE["transcript"], NOW)
        case "segment":
            await store.keep_segments("a", [Segment(0, 0.0, 1.0, "one")])
        case "reply":
            await store.keep_reply("a", "key", Answer("text", "model"))
        case "failure":
            failed = Failed("a", Lane.ASR, FAILURE, retries=3, times_out=False)
            await store.save(settle(task, failed, ROUTE, RetryPolicy(3, 0.0), NOW, 0.0), expected=Status.PROCESSING)
    assert 0.0 == (await stored(store, "a")).blame
    store = await stores.boot("boot 3")
    assert [0.0] * (gain != "failure") == [task.blame for task in await store.orphans()]


async def test_a_stop_in_order_blames_nobody(stores: SqliteStores) -> None:
    """A daemon that was stopped in order has let go of its tasks, so none of them is blamed."""
    store = await stores.boot("boot 1")
    await add(store, "a")
    task = await claimed(store, "a")
    await store.begin("a")
    assert await store.save(rescue(task, ROUTE, NOW), expected=Status.PROCESSING)
    store = await stores.boot("boot 2")
    assert [] == await store.orphans()
    assert 0.0 == (await stored(store, "a")).blame
