"""What is kept and for how long: old texts, old tasks, and what its owner does not want any more."""

from __future__ import annotations

from pipeline.core.admission import AlreadyThere
from pipeline.core.lifecycle import Delivery, Settled, cancel, finish, retry
from pipeline.core.messages import Kind, Message, MessageState
from pipeline.core.task import LayerState, Status, Task
from pipeline.core.transcript import Segment
from pipeline.task_store import Retired, TaskStore
from tests.contract.examples import MADE, NOW, OWNER, ROUTE, add, claimed, compose, run

DAY_S = 86_400.0
OLD = NOW - 100 * DAY_S
CLOSING = Message(None, None, Kind.NOTICE, "text", "cancelled")


async def stored(store: TaskStore, task_id: str) -> Task:
    task = await store.get(task_id)
    assert task is not None
    return task


async def listed(store: TaskStore) -> list[str]:
    page, _ = await store.page(OWNER, status=None, q=None, since=None, limit=50, before=None)
    return [view.task.id for view in page]


async def complete(store: TaskStore, task_id: str, finished_at: float) -> None:
    """Bring a new task to its end, with a segment and a sent message."""
    await compose(store, task_id, run("text"))
    await store.keep_segments(task_id, [Segment(0, 0.0, 1.0, "text")])
    await send(store)
    await store.save(finish(await stored(store, task_id), finished_at, Delivery()), expected=Status.PROCESSING)


async def send(store: TaskStore) -> None:
    outgoing = await store.next_message(None)
    assert outgoing is not None
    await store.mark(outgoing.id, MessageState.SENDING, OLD, expected=outgoing.state)
    await store.mark(outgoing.id, MessageState.SENT, OLD, expected=MessageState.SENDING)


async def end(store: TaskStore, task_id: str, finished_at: float) -> None:
    task = await stored(store, task_id)
    assert await store.end(cancel(task, finished_at), expected=task.status, closing=CLOSING)


async def retire(store: TaskStore, *, texts_days: int, tasks_days: int, limit: int = 100) -> Retired:
    return await store.retire(texts_before=NOW - texts_days * DAY_S, tasks_before=NOW - tasks_days * DAY_S, limit=limit)


async def test_an_old_text_goes_and_its_task_stays(store: TaskStore) -> None:
    """Of a task whose text is too old only what it was called is left; it is no longer the same work."""
    await complete(store, "old", OLD)
    await complete(store, "new", NOW)
    assert Retired((), ("old",), 0) == await retire(store, texts_days=90, tasks_days=180)
    task = await stored(store, "old")
    assert task.text_is_removed
    assert MADE["media"].product == task.artifacts.media
    assert (None, None, None) == (task.artifacts.transcript, task.artifacts.proofread, task.artifacts.messages)
    assert () == await store.segments("old")
    assert [] == await store.messages("old")
    assert ["new", "old"] == await listed(store)
    assert AlreadyThere("new", Status.COMPLETED) == await add(store, "again", work="new")
    await add(store, "anew", work="old")
    assert not (await stored(store, "new")).text_is_removed
    assert Retired((), (), 0) == await retire(store, texts_days=90, tasks_days=180)


async def test_an_old_task_is_not_listed_while_its_text_is_kept(store: TaskStore) -> None:
    """A task too old for lists, whose text is kept, is still there under its id; started again it is listed again."""
    await complete(store, "old", OLD)
    assert Retired((), (), 1) == await retire(store, texts_days=360, tasks_days=90)
    assert [] == await listed(store)
    task = await stored(store, "old")
    assert not task.text_is_removed
    assert await store.view("old", OWNER) is not None
    assert AlreadyThere("old", Status.COMPLETED) == await add(store, "again", work="old")
    assert await store.restart(retry(task, ["messages"], ROUTE, NOW), expected=task.status, dropped=["messages"])
    assert ["old"] == await listed(store)


async def test_a_task_too_old_for_both_is_removed_whole(store: TaskStore) -> None:
    """A task goes whole when neither it nor its text is to be kept, and one without a text with the first."""
    await complete(store, "both", OLD)
    await add(store, "no text")
    await end(store, "no text", OLD)
    await complete(store, "new", NOW)
    assert Retired(("both",), (), 0) == await retire(store, texts_days=90, tasks_days=90, limit=1)
    assert Retired(("no text",), (), 0) == await retire(store, texts_days=360, tasks_days=90)
    assert ["new"] == await listed(store)
    assert await store.get("both") is None


async def test_what_is_unfinished_or_unsent_is_kept(store: TaskStore) -> None:
    """However old it is, a task is kept that has not finished, or that a worker or a robot still has to do with."""
    await add(store, "waiting", created_at=OLD)
    await add(store, "in hand", created_at=OLD)
    await claimed(store, "in hand")
    await end(store, "in hand", OLD)
    await compose(store, "held", run("text", robot="gone"))
    await store.save(finish(await stored(store, "held"), OLD, Delivery(held=True)), expected=Status.PROCESSING)
    assert Retired((), (), 0) == await retire(store, texts_days=1, tasks_days=1)
    await store.release("in hand")
    assert Retired(("in hand",), (), 0) == await retire(store, texts_days=1, tasks_days=1)


async def test_a_task_without_its_text_is_done_again_from_its_start(store: TaskStore) -> None:
    """Done again from any stage, a task whose text was removed makes everything anew."""
    await complete(store, "old", OLD)
    await retire(store, texts_days=90, tasks_days=180)
    task = await stored(store, "old")
    again = retry(task, ["messages"], ROUTE, NOW)
    assert {LayerState.PENDING, LayerState.DISABLED} == {state for _, state in again.task.layers}
    assert await store.restart(again, expected=task.status, dropped=["messages"])
    assert not (await stored(store, "old")).text_is_removed


async def test_a_finished_task_is_deleted_with_all_that_belongs_to_it(store: TaskStore) -> None:
    """A deleted task is gone with its messages, and its id is free of everything."""
    await complete(store, "a", NOW)
    assert await store.delete("a")
    assert await store.get("a") is None
    assert () == await store.segments("a")
    assert [] == await store.messages("a")
    assert not await store.delete("a")


async def test_an_unfinished_task_is_not_deleted(store: TaskStore) -> None:
    """A task that has not finished stays."""
    await add(store, "a")
    assert not await store.delete("a")
    assert Status.PENDING == (await stored(store, "a")).status


async def test_a_worker_of_a_deleted_task_brings_nothing_back(store: TaskStore) -> None:
    """Whatever the worker of a cancelled and deleted task still brings is dropped without an error."""
    await add(store, "a")
    task = await claimed(store, "a")
    await end(store, "a", NOW)
    assert await store.delete("a")
    await store.keep_segments("a", [Segment(0, 0.0, 1.0, "text")])
    assert not await store.enter("a", ROUTE[0].name, NOW)
    assert not await store.keep("a", "media", MADE["media"], NOW)
    assert not await store.save(Settled(task, "advanced"), expected=Status.PROCESSING)
    await store.release("a")
    assert () == await store.segments("a")
