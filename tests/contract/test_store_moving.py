"""Moving: who is claimed when, and under which condition a change is stored."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from pipeline.core.lifecycle import Cause, Failed, Settled, rescue, settle
from pipeline.core.retry import RetryPolicy
from pipeline.core.task import Failure, Lane, LayerState, Priority, Stage, Status, TaskWarning, Waiting
from pipeline.task_store import TaskStore
from tests.contract.conftest import SqliteStores
from tests.contract.examples import (
    MADE,
    NOW,
    OWNER,
    ROUTE,
    add,
    add_for,
    claimed,
    keep_until,
    leave,
    run,
    task,
)

FAILURE = Failure("type", Stage.DOWNLOAD, "message", "消息", "hint", retryable=True)


async def claims(store: TaskStore, lane: Lane, now: float = NOW) -> list[str]:
    """Claim until nothing is left."""
    order = []
    while (settled := await store.claim(lane, now)) is not None:
        order.append(settled.task.id)
    return order


async def postpone(store: TaskStore, task_id: str, delay_s: float) -> Settled:
    """Let an attempt of a new task fail with something that passes."""
    await add(store, task_id)
    failed = Failed(task_id, Lane.FETCH, FAILURE, retries=3, times_out=False)
    later = settle(await claimed(store, task_id), failed, ROUTE, RetryPolicy(3, delay_s), NOW, 0.0)
    assert await store.save(later, expected=Status.PROCESSING)
    return later


async def test_claim_gives_a_new_task_to_a_worker(store: TaskStore) -> None:
    """A claimed task is processing, in the store as in the answer."""
    await add(store, "a")
    settled = await store.claim(Lane.FETCH, NOW + 5)
    assert settled == Settled(
        task("a", status=Status.PROCESSING, started_at=NOW + 5, updated_at=NOW + 5), Cause.CLAIMED
    )
    assert settled.task == await store.get("a")


async def test_claim_order(store: TaskStore) -> None:
    """Higher priority goes first, and within one priority whoever came first."""
    for task_id, priority in (("a", 2), ("b", 4), ("c", 1), ("d", 2), ("e", 4)):
        await add(store, task_id, priority=Priority(priority))
    assert ["b", "e", "a", "d", "c"] == [task.id for task in await store.waiting(Lane.FETCH)]
    assert ["b", "e", "a", "d", "c"] == await claims(store, Lane.FETCH)


async def test_text_order_is_the_order_of_transcripts(store: TaskStore) -> None:
    """In the TEXT lane whoever had a transcript first goes first, whatever its priority."""
    for task_id in ("a", "b", "c"):
        await add(store, task_id, priority=Priority.URGENT if task_id == "a" else Priority.LOW)
    for task_id in ("c", "a", "b"):
        await keep_until(store, task_id, Lane.TEXT)
    assert ["c", "a", "b"] == [task.id for task in await store.waiting(Lane.TEXT)]
    assert ["b"] == [task.id for task in await store.waiting(Lane.TEXT, after=2)]
    assert ["c", "a", "b"] == await claims(store, Lane.TEXT)


async def test_no_text_overtakes_an_earlier_transcript(store: TaskStore) -> None:
    """A later transcript waits until the worker that made an earlier one has let go of it, and no longer."""
    for task_id in ("early", "late"):
        await add_for(store, task_id, Lane.ASR)
        await claimed(store, task_id, Lane.ASR)
        await store.enter(task_id, Stage.TRANSCRIBE, NOW)
    for task_id in ("early", "late"):
        await keep_until(store, task_id, Lane.TEXT)
    await leave(store, "late")
    assert await store.claim(Lane.TEXT, NOW) is None
    await leave(store, "early")
    assert ["early", "late"] == await claims(store, Lane.TEXT)


async def test_waiting_is_limited(store: TaskStore) -> None:
    """Only the best are read."""
    for task_id in ("a", "b", "c"):
        await add(store, task_id)
    assert ["a", "b"] == [task.id for task in await store.waiting(Lane.FETCH, limit=2)]


async def test_claim_knows_the_lane(store: TaskStore) -> None:
    """A task is claimed in the lane of its first missing product and in no other."""
    await add_for(store, "a", Lane.ASR)
    assert [] == await claims(store, Lane.FETCH)
    assert await store.claim(Lane.TEXT, NOW, "a") is None
    assert ["a"] == await claims(store, Lane.ASR)


async def test_claim_of_a_certain_task(store: TaskStore) -> None:
    """A task can be claimed by its id, before others, and only once."""
    await add(store, "a")
    await add(store, "b")
    settled = await store.claim(Lane.FETCH, NOW, "b")
    assert settled is not None
    assert "b" == settled.task.id
    assert await store.claim(Lane.FETCH, NOW, "b") is None
    assert await store.claim(Lane.FETCH, NOW, "unknown") is None


async def test_task_in_hand_is_not_waiting(store: TaskStore) -> None:
    """While a worker has a task in hand nobody else gets it, not even for its next lane."""
    await add(store, "a")
    await claimed(store, "a")
    await keep_until(store, "a", Lane.ASR)
    assert [] == await store.waiting(Lane.ASR)
    await leave(store, "a")
    assert ["a"] == [task.id for task in await store.waiting(Lane.ASR)]


async def test_concurrent_claims_give_out_each_task_once(store: TaskStore) -> None:
    """Twenty claims at once on ten tasks give out ten different tasks."""
    for number in range(10):
        await add(store, str(number))
    answers = await asyncio.gather(*(store.claim(Lane.FETCH, NOW) for _ in range(20)))
    assert [str(number) for number in range(10)] == sorted(answer.task.id for answer in answers if answer)


async def test_retrying_task_waits_for_its_time(stores: SqliteStores, store: TaskStore) -> None:
    """A retrying task cannot be claimed before its time, and is the next one due."""
    assert await store.next_due() is None
    await postpone(store, "late", 50.0)
    soon = await postpone(store, "soon", 10.0)
    assert NOW + 10 == soon.task.not_before == await store.next_due()
    stores.machine.uptime_s += 9
    assert [] == await store.waiting(Lane.FETCH)
    assert await store.claim(Lane.FETCH, NOW + 9, "soon") is None
    stores.machine.uptime_s += 1
    assert ["soon"] == [task.id for task in await store.waiting(Lane.FETCH)]
    again = await store.claim(Lane.FETCH, NOW + 10)
    assert again is not None
    assert (Cause.DUE, 2, None, None) == (
        again.cause,
        again.task.attempt,
        again.task.not_before,
        again.task.failure,
    )
    assert NOW + 50 == await store.next_due()


async def test_save_stores_what_changed(store: TaskStore) -> None:
    """Status, stage, failure, attempt, layers, warnings and times of a change are stored."""
    await add(store, "a")
    changed = replace(
        await claimed(store, "a"),
        status=Status.TIMEOUT,
        stage=Stage.DECODE,
        waiting_for=Waiting.DISK,
        attempt=3,
        failure=FAILURE,
        layers=(("transcript", LayerState.FAILED),),
        warnings=(TaskWarning("type", "message", "消息"),),
        updated_at=NOW + 8,
        finished_at=NOW + 9,
    )
    assert await store.save(Settled(changed, Cause.TIMED_OUT), expected=Status.PROCESSING)
    assert changed == await store.get("a")


@pytest.mark.parametrize("status", Status)
async def test_every_status_and_stage_can_be_stored(store: TaskStore, status: Status) -> None:
    """The database knows every status, stage and reason to wait that the core knows."""
    await add(store, "a")
    expected = Status.PENDING
    for stage in Stage:
        for waiting_for in (None, *Waiting):
            changed = task("a", status=status, stage=stage, waiting_for=waiting_for)
            assert await store.save(Settled(changed, Cause.ADVANCED), expected=expected)
            assert changed == await store.get("a")
            expected = status


async def test_save_of_a_task_that_changed_meanwhile(store: TaskStore) -> None:
    """A change that expected another status is not stored, nor are its messages."""
    await add(store, "a")
    before = await claimed(store, "a")
    late = Settled(replace(before, status=Status.COMPLETED), Cause.FINISHED)
    assert not await store.save(late, expected=Status.RETRYING, runs=[run("notice")])
    assert before == await store.get("a")
    assert [] == await store.messages("a")
    assert [] == await store.waiting(Lane.FETCH)


async def test_save_of_an_unknown_task(store: TaskStore) -> None:
    """A change of a task that is gone is not stored."""
    assert not await store.save(Settled(task("a"), Cause.FINISHED), expected=Status.PENDING, runs=[run("notice")])


async def test_one_of_two_racing_saves_is_stored(store: TaskStore) -> None:
    """Of a success and a failure that come at once, one is stored and the other one is told so."""
    await add(store, "a")
    before = await claimed(store, "a")
    changes = [replace(before, status=status) for status in (Status.COMPLETED, Status.FAILED)]
    answers = await asyncio.gather(
        *(store.save(Settled(change, Cause.FINISHED), expected=Status.PROCESSING) for change in changes)
    )
    assert [True, False] == answers
    assert changes[0] == await store.get("a")


async def test_save_announces_in_the_same_step(store: TaskStore) -> None:
    """The runs of a change are stored with it, in their order."""
    await add(store, "a")
    failed = replace(await claimed(store, "a"), status=Status.FAILED)
    runs = [run("one", robot="b"), run("two", robot="a")]
    await store.save(Settled(failed, Cause.FAILED), expected=Status.PROCESSING, runs=runs)
    assert [("b", "one"), ("a", "two")] == [(row.robot, row.message.text) for row in await store.messages("a")]


async def test_percent_is_full_only_when_completed(store: TaskStore) -> None:
    """Completed shows 100 percent, even if nothing was ever measured; failed keeps what it had."""
    for task_id, status in (("good", Status.COMPLETED), ("bad", Status.FAILED)):
        await add(store, task_id)
        changed = replace(await claimed(store, task_id), status=status, stage=Stage.DONE)
        await store.save(Settled(changed, Cause.FINISHED), expected=Status.PROCESSING)
    good, bad = await store.view("good", OWNER), await store.view("bad", OWNER)
    assert good is not None
    assert good.progress is not None
    assert 100.0 == good.progress.percent
    assert bad is not None
    assert bad.progress is None


async def test_orphans_are_what_an_earlier_boot_had_in_hand(stores: SqliteStores) -> None:
    """Only tasks that a worker of an earlier boot had in hand are orphans; a rescue puts them back in their lane."""
    store = await stores.boot("boot 1")
    for task_id in ("waits", "in hand", "came back"):
        await add(store, task_id)
    in_hand = await claimed(store, "in hand")
    await store.keep("in hand", "media", MADE["media"], NOW)
    await claimed(store, "came back")
    await leave(store, "came back")
    assert [] == await store.orphans()

    store = await stores.boot("boot 2")
    orphan = await store.get("in hand")
    assert orphan is not None
    assert orphan.artifacts.media is not None
    assert [orphan] == await store.orphans()
    assert await store.claim(Lane.FETCH, NOW, in_hand.id) is None
    await store.save(rescue(orphan, ROUTE, NOW), expected=Status.PROCESSING)
    assert [] == await store.orphans()
    assert "in hand" == (await claimed(store, "in hand")).id
