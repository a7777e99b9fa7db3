"""Races for the end of a task: whoever comes first wins, and the other one is told."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable

from pipeline.core.lifecycle import Delivery, Failed, Settled, Succeeded, cancel, finish, settle
from pipeline.core.messages import Kind, Message, MessageState
from pipeline.core.retry import RetryPolicy
from pipeline.core.task import Failure, Lane, Stage, Status, Task
from pipeline.ports import Made
from pipeline.task_store import TaskStore
from tests.contract.examples import NOW, ROUTE, add, claimed, keep_until, leave, run

RACES = 500
CLOSING = Message(None, None, Kind.NOTICE, "text", "cancelled")
FAILURE = Failure("media_invalid", Stage.DECODE, "message", "消息", "hint", retryable=False)


async def stored(store: TaskStore, task_id: str) -> Task:
    task = await store.get(task_id)
    assert task is not None
    return task


async def in_hand(store: TaskStore, task_id: str) -> Settled:
    """A task whose worker fails for good."""
    await add(store, task_id)
    task = await claimed(store, task_id)
    failed = Failed(task_id, Lane.FETCH, FAILURE, retries=0, times_out=False)
    return settle(task, failed, ROUTE, RetryPolicy(3, 5.0), NOW, 0.0)


async def on_the_way(store: TaskStore, task_id: str) -> Settled:
    """A task whose worker comes back with success."""
    await add(store, task_id)
    task = await claimed(store, task_id)
    return settle(task, Succeeded(task_id, Lane.FETCH), ROUTE, RetryPolicy(3, 5.0), NOW, 0.0)


async def delivered(store: TaskStore, task_id: str) -> Settled:
    """A task whose last message was sent."""
    await add(store, task_id)
    await claimed(store, task_id)
    await keep_until(store, task_id, None, messages=Made((run("only", robot=task_id),)))
    await leave(store, task_id)
    outgoing = await store.next_message(task_id)
    assert outgoing is not None
    for expected, state in ((outgoing.state, MessageState.SENDING), (MessageState.SENDING, MessageState.SENT)):
        await store.mark(outgoing.id, state, NOW, expected=expected)
    return finish(await stored(store, task_id), NOW, Delivery())


KINDS = (in_hand, on_the_way, delivered)


async def race(store: TaskStore, number: int, rng: random.Random) -> None:
    task_id = f"task-{number}"
    change = await KINDS[number % len(KINDS)](store, task_id)
    before = await stored(store, task_id)
    cancelled = cancel(before, NOW)
    moves: list[Awaitable[bool]] = [
        store.save(change, expected=before.status),
        store.end(cancelled, expected=before.status, closing=CLOSING),
    ]
    first_is_ours = rng.random() < 0.5
    ours, theirs = await asyncio.gather(*moves) if first_is_ours else reversed(await asyncio.gather(*moves[::-1]))
    after = await stored(store, task_id)
    texts = [row.message.text for row in await store.messages(task_id)]
    if change.task.status.final:
        assert ours != theirs
        assert (change if ours else cancelled).task.status is after.status
        assert (not ours) == (Status.CANCELLED is after.status)
    else:  # not an end: the cancel comes through either way
        assert theirs
        assert Status.CANCELLED is after.status
    assert CLOSING.text not in texts or Status.CANCELLED is after.status


async def test_five_hundred_races_with_a_cancel_have_one_winner_each(store: TaskStore) -> None:
    """A cancel that meets an end, by failure or by the last message, leaves exactly one final status, and it stays."""
    rng = random.Random(4)  # noqa: S311 - the same choices every time are wanted
    for begin in range(0, RACES, 50):
        await asyncio.gather(*(race(store, number, rng) for number in range(begin, begin + 50)))
