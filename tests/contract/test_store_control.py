"""What an owner may ask for: the end of a task, its restart, its messages once more."""

from __future__ import annotations

from pipeline.core.lifecycle import Delivery, cancel, finish, redeliver, retry
from pipeline.core.messages import Kind, Message, MessageState
from pipeline.core.progress import Progress, Reading
from pipeline.core.task import Lane, Stage, Status, Task
from pipeline.core.transcript import Segment
from pipeline.task_store import TaskStore
from tests.contract.conftest import SqliteStores
from tests.contract.examples import MADE, NOW, OWNER, ROUTE, add, claimed, compose, keep_until, run

CLOSING = Message(None, None, Kind.NOTICE, "text", "cancelled")


async def stored(store: TaskStore, task_id: str) -> Task:
    task = await store.get(task_id)
    assert task is not None
    return task


async def end(store: TaskStore, task_id: str) -> bool:
    task = await stored(store, task_id)
    return await store.end(cancel(task, NOW), expected=task.status, closing=CLOSING)


async def again(store: TaskStore, task_id: str, *dropped: str) -> bool:
    task = await stored(store, task_id)
    return await store.restart(retry(task, dropped, ROUTE, NOW), expected=task.status, dropped=dropped)


async def send(store: TaskStore, robot: str | None) -> None:
    outgoing = await store.next_message(robot)
    assert outgoing is not None
    await store.mark(outgoing.id, MessageState.SENDING, NOW, expected=outgoing.state)
    await store.mark(outgoing.id, MessageState.SENT, NOW, expected=MessageState.SENDING)


async def texts(store: TaskStore, task_id: str) -> list[str]:
    return [row.message.text for row in await store.messages(task_id)]


async def complete(store: TaskStore, task_id: str) -> None:
    for robot in await store.lanes():
        while await store.next_message(robot) is not None:
            await send(store, robot)
    task = await stored(store, task_id)
    assert await store.save(finish(task, NOW, Delivery()), expected=task.status)


async def test_an_ended_task_is_left_by_its_worker(store: TaskStore) -> None:
    """An ended task keeps nothing its worker brings, and starts again only after its worker has let go."""
    await add(store, "a")
    await claimed(store, "a")
    assert await end(store, "a")
    assert not await store.enter("a", ROUTE[0].name, NOW)
    assert not await store.keep("a", "media", MADE["media"], NOW)
    assert not await again(store, "a")
    await store.release("a")
    assert await again(store, "a")
    assert Status.RETRYING == (await stored(store, "a")).status


async def test_an_end_is_decided_once(store: TaskStore) -> None:
    """An end is stored only if the status is still as expected."""
    await add(store, "a")
    pending = await stored(store, "a")
    await claimed(store, "a")
    assert not await store.end(cancel(pending, NOW), expected=pending.status, closing=CLOSING)
    assert Status.PROCESSING == (await stored(store, "a")).status


async def test_an_end_drops_runs_that_have_not_begun_and_closes_those_that_have(store: TaskStore) -> None:
    """An end drops runs that have not begun, closes those that have, and leaves those that are complete."""
    await compose(store, "a", run("a1", "a2", robot="r"), run("b1", robot="s"), run("c1", "c2", robot="q"))
    await send(store, "r")
    await send(store, "s")
    assert await end(store, "a")
    assert ["a1", "cancelled", "b1"] == await texts(store, "a")
    assert {"r": 1} == await store.lanes()


async def test_an_ended_task_in_hand_of_a_dead_boot_is_an_orphan(stores: SqliteStores) -> None:
    """An ended task that was in hand when the daemon died is among the orphans, so that it is let go."""
    store = await stores.boot("one")
    await add(store, "a")
    await claimed(store, "a")
    await end(store, "a")
    store = await stores.boot("two")
    assert ["a"] == [task.id for task in await store.orphans()]


async def test_a_restart_forgets_what_is_dropped(store: TaskStore) -> None:
    """A restart forgets what is dropped, of a dropped transcript its number, segments and language too."""
    await compose(store, "a", run("one"))
    await store.keep_segments("a", [Segment(0, 0.0, 1.0, "text")], "en")
    await complete(store, "a")
    assert await again(store, "a", "transcript", "proofread", "summary", "messages")
    task = await stored(store, "a")
    assert (None, None, MADE["audio"].product) == (task.sequence, task.artifacts.transcript, task.artifacts.audio)
    assert (None, ()) == (task.heard_language, await store.segments("a"))
    settled = await store.claim(Lane.ASR, NOW)
    assert settled is not None
    await keep_until(store, "a", None)
    assert (await stored(store, "a")).sequence == 2


async def test_a_restart_goes_on_from_the_percent_there_was(store: TaskStore) -> None:
    """Only the 100 % of a completed task is taken back; of the stage that is begun again nothing is done yet."""
    await compose(store, "whole", run("one"))
    await complete(store, "whole")
    assert await again(store, "whole", "summary", "messages")
    await add(store, "part")
    await claimed(store, "part")
    await store.note_progress({"part": Progress(40.0, Reading(Stage.CAPTIONS, 0.5))}, NOW)
    assert await end(store, "part")
    await store.release("part")
    assert await again(store, "part")
    whole, part = await store.view("whole", OWNER), await store.view("part", OWNER)
    assert whole is not None
    assert part is not None
    assert Progress(100 * 5 / 7, Reading(Stage.SUMMARIZE, 0.0)) == whole.progress
    assert Progress(40.0, Reading(Stage.CAPTIONS, 0.0)) == part.progress


async def test_messages_go_out_once_more_unchanged(store: TaskStore) -> None:
    """Messages go out once more, unchanged, one latest run for each robot, without notices."""
    await compose(store, "a", run("1", "2", robot="r"), run("3"))
    await store.announce("a", [run("unrelated", robot="idle")], NOW)
    await complete(store, "a")
    for times in (2, 3):
        task = await stored(store, "a")
        assert await store.send_again(redeliver(task, NOW), expected=task.status)
        assert times == (await texts(store, "a")).count("1")
        assert {"r", "idle", None} == set(await store.lanes())
        await complete(store, "a")


async def test_a_run_is_closed_once(store: TaskStore) -> None:
    """A task that is begun anew and ended once more says nothing of a run that was closed the first time."""
    await compose(store, "a", run("a1", "a2", robot="r"))
    await send(store, "r")
    assert await end(store, "a")
    await send(store, "r")
    assert await again(store, "a")
    assert await end(store, "a")
    assert ["a1", "cancelled"] == await texts(store, "a")
    assert await store.next_message("r") is None


async def test_a_closed_run_is_one_run_to_its_owner(store: TaskStore) -> None:
    """A run whose rest was moved is closed by one notice, behind what readers have seen last, and sent again whole."""
    continued = Message(None, None, Kind.CONTINUATION, "text", "continued")
    for task_id, sent in (("not yet", 0), ("begun", 2)):
        await compose(store, task_id, run("1", "2", "3", robot=task_id))
        await send(store, task_id)
        rest = await store.next_message(task_id)
        assert rest
        await store.close_run(rest.id, continued, NOW)
        for _ in range(sent):
            await send(store, task_id)
        assert await end(store, task_id)
    assert ["1", "cancelled"] == await texts(store, "not yet")
    assert ["1", "continued", "2", "cancelled"] == await texts(store, "begun")
    await compose(store, "done", run("1", "2", "3", robot="r"))
    await send(store, "r")
    rest = await store.next_message("r")
    assert rest
    await store.close_run(rest.id, continued, NOW)
    while await store.next_message("r") is not None:
        await send(store, "r")
    task = await stored(store, "done")
    assert await store.save(finish(task, NOW, Delivery()), expected=task.status)
    task = await stored(store, "done")
    assert await store.send_again(redeliver(task, NOW), expected=task.status)
    assert ["1", "continued", "2", "3", "1", "2", "3"] == await texts(store, "done")


async def test_a_first_message_in_doubt_may_have_been_seen(store: TaskStore) -> None:
    """A run whose first message is in doubt has begun: it is closed by a notice."""
    await compose(store, "a", run("1", "2", robot="r"))
    first = await store.next_message("r")
    assert first
    await store.mark(first.id, MessageState.SENDING, NOW, expected=MessageState.PLANNED)
    await store.mark(first.id, MessageState.IN_DOUBT, NOW, expected=MessageState.SENDING)
    assert await end(store, "a")
    assert ["cancelled"] == await texts(store, "a")
