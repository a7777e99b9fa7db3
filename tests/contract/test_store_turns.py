"""Turns: within a priority every owner is served in turn, however many tasks another one has waiting."""

from __future__ import annotations

import asyncio
import tempfile
from collections import Counter, defaultdict
from pathlib import Path

import pytest
from hypothesis import given, settings, strategies as st

from pipeline.core.lifecycle import Failed, Interrupted, retry, settle
from pipeline.core.retry import RetryPolicy
from pipeline.core.task import Failure, Lane, Priority, Stage, Status
from pipeline.task_store import TaskStore
from tests.contract.conftest import STORES, SqliteStores
from tests.contract.examples import NOW, ROUTE, add, add_for, claimed
from tests.contract.test_store_moving import claims

FAILURE = Failure("type", Stage.DOWNLOAD, "message", "消息", "hint", retryable=True)


async def waiting(store: TaskStore, lane: Lane = Lane.FETCH) -> list[str]:
    return [task.id for task in await store.waiting(lane)]


async def add_many(store: TaskStore, owner: str, count: int, lane: Lane = Lane.FETCH) -> None:
    for number in range(count):
        await add_for(store, f"{owner}{number}", lane, owner=owner)


@pytest.mark.parametrize("lane", [Lane.FETCH, Lane.ASR])
async def test_newcomer_is_served_next_but_one(store: TaskStore, lane: Lane) -> None:
    """Behind another owner's hundred, of which some are served, a newcomer's first starts second at the latest."""
    await add_many(store, "a", 100, lane)
    for _ in range(30):
        await store.claim(lane, NOW)
    await add_many(store, "b", 3, lane)
    assert ["a30", "b0", "a31", "b1", "a32", "b2", "a33"] == (await waiting(store, lane))[:7]
    assert ["a30", "b0", "a31", "b1", "a32", "b2", "a33"] == (await claims(store, lane))[:7]


async def test_turns_are_within_a_priority(store: TaskStore) -> None:
    """A newcomer's normal task waits for every high one; turns of one priority say nothing of another."""
    for number in range(3):
        await add(store, f"a{number}", owner="a", priority=Priority.HIGH)
    await add(store, "b0", owner="b")
    await add(store, "a3", owner="a")
    await add(store, "c0", owner="c", priority=Priority.HIGH)
    assert ["a0", "c0", "a1", "a2", "b0", "a3"] == await claims(store, Lane.FETCH)


async def test_who_comes_again_and_again_does_not_keep_others_waiting(store: TaskStore) -> None:
    """An owner who sends the next task whenever one has started gets every second turn, not every one."""
    await add_many(store, "a", 4)
    order = []
    for number in range(4):
        await add(store, f"b{number}", owner="b")
        for _ in range(2):
            settled = await store.claim(Lane.FETCH, NOW)
            assert settled
            order.append(settled.task.id)
    assert ["a0", "b0", "a1", "b1", "a2", "b2", "a3", "b3"] == order


async def test_each_lane_has_turns_of_its_own(store: TaskStore) -> None:
    """What an owner was served in one lane counts for nothing in the next."""
    await add_many(store, "a", 3, Lane.ASR)
    await add_many(store, "b", 1, Lane.ASR)
    assert ["a0", "b0", "a1", "a2"] == await waiting(store, Lane.ASR)


async def test_turns_outlive_a_restart(stores: SqliteStores) -> None:
    """A later boot goes on where the one before stopped, and who is interrupted keeps his turn."""
    store = await stores.boot("boot 1")
    await add_many(store, "a", 4)
    await add_many(store, "b", 2)
    interrupted = await claimed(store, "a0")
    outcome = settle(interrupted, Interrupted("a0", Lane.FETCH), ROUTE, RetryPolicy(3, 1.0), NOW, 0.0)
    assert await store.save(outcome, expected=Status.PROCESSING)
    store = await stores.boot("boot 2")
    await add(store, "c0", owner="c")
    assert ["a0", "b0", "a1", "b1", "c0", "a2", "a3"] == await waiting(store)


async def test_failed_attempt_goes_to_the_end_of_its_owners_line(store: TaskStore) -> None:
    """A task that is tried again, by itself or by request, stands behind those its owner already had waiting."""
    await add_many(store, "a", 3)
    await add_many(store, "b", 1)
    failed = Failed("a0", Lane.FETCH, FAILURE, retries=3, times_out=False)
    later = settle(await claimed(store, "a0"), failed, ROUTE, RetryPolicy(3, 0.0), NOW, 0.0)
    assert await store.save(later, expected=Status.PROCESSING)
    assert ["b0", "a1", "a2", "a0"] == await waiting(store)
    for_good = settle(await claimed(store, "a1"), failed, ROUTE, RetryPolicy(0, 0.0), NOW, 0.0)
    assert await store.save(for_good, expected=Status.PROCESSING)
    assert await store.restart(retry(for_good.task, (), ROUTE, NOW), expected=Status.FAILED, dropped=())
    assert ["b0", "a2", "a0", "a1"] == await waiting(store)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.sampled_from([*"aaabbc", None, None, None]), max_size=60))
@pytest.mark.parametrize("kind", STORES)
def test_nobody_is_served_more_than_twice_before_another(kind: str, steps: list[str | None]) -> None:
    """While an owner waits, every other one is served at most twice; each owner's tasks are served in their order."""
    asyncio.run(_serve(kind, steps))


async def _serve(kind: str, steps: list[str | None]) -> None:
    """Let owners come (by name) and workers (None), and check every claim."""
    lines: defaultdict[str, list[str]] = defaultdict(list)
    overtaken: defaultdict[str, Counter[str]] = defaultdict(Counter)
    with tempfile.TemporaryDirectory() as folder:
        stores = STORES[kind](Path(folder))
        store = await stores.boot("boot")
        for number, owner in enumerate(steps):
            if owner is not None:
                lines[owner].append(f"{owner}{number}")
                await add(store, f"{owner}{number}", owner=owner)
            elif (settled := await store.claim(Lane.FETCH, NOW)) is not None:
                task = settled.task
                assert lines[task.owner].pop(0) == task.id
                overtaken[task.owner].clear()
                for other in (name for name, line in lines.items() if line and name != task.owner):
                    overtaken[other][task.owner] += 1
                    assert overtaken[other][task.owner] <= 2
        await stores.end()
