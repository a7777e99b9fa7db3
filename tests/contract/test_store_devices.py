"""Who waits for a device, model by model, and what models were measured to take there."""

from __future__ import annotations

from dataclasses import replace

from pipeline.core.lifecycle import Failed, settle
from pipeline.core.memory import MOST_PEAKS, ModelOnDevice, Peak
from pipeline.core.retry import RetryPolicy
from pipeline.core.task import Failure, Lane, Options, Priority, Stage, Status
from pipeline.task_store import TaskStore, Waiter
from tests.contract.conftest import SqliteStores
from tests.contract.examples import NOW, ROUTE, add_for, claimed, task

FAILURE = Failure("type", Stage.TRANSCRIBE, "message", "消息", "hint", retryable=True)
WHERE = ModelOnDevice("A card", "small", "float16")


async def add(
    store: TaskStore, task_id: str, model: str, priority: Priority = Priority.NORMAL, **changes: float
) -> None:
    options = replace(task(task_id).options, model=model)
    await add_for(store, task_id, Lane.ASR, options=options, priority=priority, **changes)


async def heads(store: TaskStore, each: int) -> list[str]:
    return [found.task_id for found in await store.waiting_for_devices(each)]


async def test_no_models_backlog_hides_another_model(store: TaskStore) -> None:
    """Of every model the first few are given, best first over all of them; who is in hand or fetched does not count."""
    for number in range(50):
        await add(store, f"small{number}", "small")
    await add(store, "large0", "large")
    await add(store, "urgent", "small", Priority.URGENT)
    await add(store, "other0", "other")
    assert ["urgent", "small0", "large0", "other0"] == await heads(store, 2)
    await claimed(store, "urgent", Lane.ASR)
    assert ["small0", "small1", "large0", "other0"] == await heads(store, 2)
    await add_for(store, "fetched", Lane.FETCH, options=Options("unheard of"))
    await add_for(store, "heard", Lane.TEXT, options=Options("unheard of"))
    assert ["small0", "large0", "other0"] == await heads(store, 1)


async def test_who_may_not_start_yet_is_no_head(stores: SqliteStores, store: TaskStore) -> None:
    """A task that is to be tried later lets those behind it go first, until its time has come."""
    await add(store, "later", "small")
    stored = await claimed(store, "later", Lane.ASR)
    failed = Failed("later", Lane.ASR, FAILURE, retries=3, times_out=False)
    settled = settle(stored, failed, ROUTE, RetryPolicy(3, 10.0), NOW, 0.0)
    assert await store.save(settled, expected=Status.PROCESSING)
    await add(store, "now", "small")
    assert ["now"] == await heads(store, 2)
    stores.machine.uptime_s += 10
    assert {"now", "later"} == set(await heads(store, 2))


async def test_a_task_with_which_an_engine_has_died_is_marked(store: TaskStore) -> None:
    """It is told what decides where a task goes: its model, its priority, whether it is to be alone."""
    await add(store, "a", "small", Priority.HIGH)
    stored = await claimed(store, "a", Lane.ASR)
    died = Failed("a", Lane.ASR, FAILURE, retries=3, times_out=False, crashed=True)
    assert await store.save(settle(stored, died, ROUTE, RetryPolicy(3, 0.0), NOW, 0.0), expected=Status.PROCESSING)
    await add(store, "b", "small", Priority.HIGH)
    expected = [
        Waiter("b", "small", Priority.HIGH, is_suspect=False, waiting_for=None),
        Waiter("a", "small", Priority.HIGH, is_suspect=True, waiting_for=None),
    ]
    assert sorted(expected, key=lambda one: one.task_id) == sorted(
        await store.waiting_for_devices(5), key=lambda one: one.task_id
    )


async def test_nobody_waits(store: TaskStore) -> None:
    """Without waiting tasks there are none."""
    assert [] == await heads(store, 3)


async def test_measurements_outlive_the_daemon(stores: SqliteStores) -> None:
    """The latest fifty of a model on a device are kept, in order; others are not touched."""
    store = await stores.boot("boot 1")
    other = replace(WHERE, compute_type="int8_float16")
    await store.note_peak(other, Peak(8, 3000), NOW)
    for number in range(MOST_PEAKS + 5):
        await store.note_peak(WHERE, Peak(4, number), NOW)
    kept = tuple(Peak(4, number) for number in range(5, MOST_PEAKS + 5))
    assert {WHERE: kept, other: (Peak(8, 3000),)} == await (await stores.boot("boot 2")).peaks()
