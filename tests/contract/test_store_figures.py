"""Figures: what is counted, and that it is counted once."""

from __future__ import annotations

from pipeline.core.figures import Durations
from pipeline.core.lifecycle import Delivery, finish
from pipeline.core.task import Lane, Status
from pipeline.task_store import TaskStore
from tests.contract.conftest import SqliteStores
from tests.contract.examples import MADE, NOW, add, add_for, claimed, compose, run


async def test_durations_outlive_their_tasks(stores: SqliteStores) -> None:
    """A stage counts once for each product, a task when it is completed; removing the task changes neither."""
    store = await stores.boot("boot 1")
    for task_id, took_s in (("a", 1.5), ("b", 2.5)):
        await add(store, task_id)
        await claimed(store, task_id)
        for _ in range(2):
            await store.keep(task_id, "media", MADE["media"], NOW, took_s)
    await compose(store, "c", run("text"))
    composed = await store.get("c")
    assert composed
    assert await store.save(finish(composed, NOW + 60, Delivery()), expected=Status.PROCESSING)
    assert await store.delete("c")
    figures = await (await stores.boot("boot 2")).figures()
    assert {"captions": Durations(2, 4.0)} == figures.stages
    assert Durations(1, 60.0) == figures.whole
    assert 2 == sum(figures.tasks.values())


async def test_prepared_are_those_that_wait_for_a_device(store: TaskStore) -> None:
    """Only fetched tasks that nobody has in hand are prepared; the oldest unfinished task is the one accepted first."""
    for number in range(3):
        await add_for(store, f"asr{number}", Lane.ASR, created_at=NOW + number)
    await add(store, "fetch", created_at=NOW + 9)
    await claimed(store, "asr0", Lane.ASR)
    assert 2 == await store.prepared()
    assert NOW == (await store.figures()).oldest_at
