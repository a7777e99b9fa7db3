"""Delivering: the order of messages, their states, and when a task's messages have come to rest."""

from __future__ import annotations

import pytest

from pipeline.core.lifecycle import Delivery, cancel, finish
from pipeline.core.messages import Kind, Message, MessageRow, MessageState, Outgoing, Run, Write
from pipeline.core.moment import Moment
from pipeline.task_store import TaskStore
from tests.contract.conftest import SqliteStores
from tests.contract.examples import NOW, add, claimed, compose, keep_until, run

PLANNED, SENDING, SENT = MessageState.PLANNED, MessageState.SENDING, MessageState.SENT
REFUSED, IN_DOUBT = MessageState.REFUSED, MessageState.IN_DOUBT
HELD = Delivery(held=True)
CONTINUED = Message(None, None, Kind.CONTINUATION, "text", "continued")


async def head(store: TaskStore, robot: str | None) -> Outgoing:
    """The message at the head of the robot's lane."""
    outgoing = await store.next_message(robot)
    assert outgoing is not None
    return outgoing


async def bring_to_rest(store: TaskStore, robot: str | None, state: MessageState = SENT) -> str:
    """Send the robot's next message; returns its text."""
    outgoing = await head(store, robot)
    assert await store.mark(outgoing.id, SENDING, NOW, expected=outgoing.state)
    assert await store.mark(outgoing.id, state, NOW, expected=SENDING)
    return outgoing.message.text


async def everything(store: TaskStore, robot: str | None) -> list[str]:
    """Send all the robot's messages; returns their texts."""
    texts = []
    while await store.next_message(robot) is not None:
        texts.append(await bring_to_rest(store, robot))
    return texts


async def at_rest(store: TaskStore, *paused: str) -> list[tuple[str, Delivery]]:
    """The tasks whose messages have come to rest, and how."""
    return [(task.id, delivery) for task, delivery in await store.delivered(paused)]


async def test_message_reads_back_equal(store: TaskStore) -> None:
    """Every kind of message is frozen as it was composed, with number and without."""
    plain = tuple(Message(n, len(Kind), kind, "markdown", f"({n}) 文😀") for n, kind in enumerate(Kind, start=1))
    messages = (*plain, Message(9, 9, Kind.FILE, "text", "(9/9) name.txt", "文" * 10_000))
    notice = Message(None, None, Kind.NOTICE, "text", "notice")
    await compose(store, "a", Run("robot", messages), Run(None, (notice,)))
    expected = [MessageRow(message, "robot", PLANNED, None) for message in messages]
    assert [*expected, MessageRow(notice, None, PLANNED, None)] == await store.messages("a")
    assert Outgoing(1, "a", messages[0], PLANNED, 0, begins_run=True) == await store.next_message("robot")


async def test_runs_go_out_whole_in_the_order_of_composition(store: TaskStore) -> None:
    """At each robot, run follows run, in the order in which they were composed."""
    for task_id in ("b", "a", "c"):
        await compose(store, task_id, run(f"{task_id}1", f"{task_id}2", robot="x"), run(f"{task_id}3", robot="y"))
    assert ["b1", "b2", "a1", "a2", "c1", "c2"] == await everything(store, "x")
    assert ["b3", "a3", "c3"] == await everything(store, "y")
    assert [] == await everything(store, None)


async def test_lanes_are_robots_with_unsent_messages(store: TaskStore) -> None:
    """A robot has a lane while something of its is unsent, the longest waiting first."""
    assert {} == await store.lanes()
    await compose(store, "a", run("a", robot="z"), run("b"), run("c", "d", robot="y"))
    await compose(store, "b", run("e", robot="y"))
    assert [("z", 1), (None, 1), ("y", 3)] == list((await store.lanes()).items())
    await bring_to_rest(store, None)
    await bring_to_rest(store, "z", REFUSED)
    assert {"y": 3} == await store.lanes()


async def test_run_begins_with_its_first_message(store: TaskStore) -> None:
    """A run has not begun until its first message was handed to the robot, also if that one is put off."""
    await compose(store, "a", run("one", "two"), run("three", robot="r"))
    first = await store.next_message(None)
    assert first
    assert first.begins_run
    for state, begins in ((SENDING, False), (PLANNED, True), (SENDING, False), (SENT, None)):
        outgoing = await store.next_message(None)
        assert outgoing
        await store.mark(outgoing.id, state, NOW, expected=outgoing.state)
        if begins is not None:
            head = await store.next_message(None)
            assert head
            assert begins == head.begins_run
    second = await store.next_message(None)
    assert second
    assert ("two", False) == (second.message.text, second.begins_run)


async def test_run_holds_up_those_behind_it_at_its_robot(store: TaskStore) -> None:
    """A message tells whether other runs of its robot wait for the end of its own."""
    await compose(store, "a", run("a1", "a2", robot="x"), run("a3", robot="y"))
    assert not (await head(store, "x")).holds_up
    await compose(store, "b", run("b1", robot="x"))
    assert [True, False] == [(await head(store, robot)).holds_up for robot in "xy"]
    assert ["a1", "a2"] == [await bring_to_rest(store, "x") for _ in "12"]
    assert not (await head(store, "x")).holds_up


async def test_message_in_doubt_stays_at_the_head(store: TaskStore) -> None:
    """What is in doubt is not passed over, and a message put off is tried again with its count of attempts."""
    await compose(store, "a", run("one", "two"))
    first = await head(store, None)
    await store.mark(first.id, SENDING, NOW, expected=PLANNED)
    await store.mark(first.id, IN_DOUBT, NOW, expected=SENDING, why="timeout")
    assert (first.id, IN_DOUBT, 1) == ((again := await head(store, None)).id, again.state, again.attempts)
    await store.mark(first.id, SENDING, NOW, expected=IN_DOUBT)
    await store.mark(first.id, PLANNED, NOW, expected=SENDING, why="45009")
    assert (first.id, PLANNED, 2) == ((again := await head(store, None)).id, again.state, again.attempts)


async def test_refused_message_is_passed_over(store: TaskStore) -> None:
    """After a refused message its run goes on."""
    await compose(store, "a", run("one", "two"))
    await bring_to_rest(store, None, REFUSED)
    assert "two" == (await head(store, None)).message.text


async def test_mark_of_a_message_that_changed_meanwhile(store: TaskStore) -> None:
    """A change that expected another state is not stored."""
    await compose(store, "a", run("one"))
    assert not await store.mark(1, SENT, NOW, expected=SENDING)
    assert not await store.mark(99, SENT, NOW, expected=PLANNED)
    assert [PLANNED] == [row.state for row in await store.messages("a")]


async def test_time_of_sending_is_noted(store: TaskStore) -> None:
    """A message shows when it was sent."""
    await compose(store, "a", run("one"))
    await store.mark(1, SENDING, NOW + 1, expected=PLANNED)
    await store.mark(1, SENT, NOW + 2, expected=SENDING)
    assert [NOW + 2] == [row.sent_at for row in await store.messages("a")]


async def test_writes_to_a_robot_outlive_restart_and_message(stores: SqliteStores) -> None:
    """Every write to a robot is known after a restart, until it is forgotten, even if its message is gone."""
    store = await stores.boot("boot 1")
    first, second, third = (Moment(NOW + at, 100.0 + at, "this start") for at in (0, 1, 2))
    begun = await store.note_write("x", first, forget=0)
    await store.note_write("y", second, forget=begun)
    later = await store.note_write("x", second, forget=0)
    store = await stores.boot("boot 2")
    assert [Write(begun, first), Write(later, second)] == await store.recent_writes("x")
    latest = await store.note_write("x", third, forget=begun)
    assert [Write(later, second), Write(latest, third)] == await store.recent_writes("x")
    assert [second] == [write.moment for write in await store.recent_writes("y")]


async def test_what_a_dead_boot_was_sending_is_in_doubt(stores: SqliteStores) -> None:
    """At the next boot exactly the messages that were on their way to robots are in doubt; the inbox has no doubts."""
    store = await stores.boot("boot 1")
    await compose(store, "a", run("1", "2", "3", robot="x"), run("4", robot="y"), run("5"))
    await bring_to_rest(store, "x")
    for robot in ("x", "y", None):
        await store.mark((await head(store, robot)).id, SENDING, NOW, expected=PLANNED)
    store = await stores.boot("boot 2")
    assert 2 == await store.doubt_unfinished_sends(NOW + 1)
    assert [SENT, IN_DOUBT, PLANNED, IN_DOUBT, PLANNED] == [row.state for row in await store.messages("a")]
    assert 0 == await store.doubt_unfinished_sends(NOW + 1)


async def test_delivered_when_every_message_came_to_rest(store: TaskStore) -> None:
    """A task is delivered when its last message is sent or refused, and not while one is in doubt."""
    await compose(store, "a", run("one", robot="x"), run("two", robot="y"))
    await compose(store, "b", run("three", robot="x"))
    await bring_to_rest(store, "x")
    assert [] == await store.delivered([])
    await bring_to_rest(store, "y", IN_DOUBT)
    assert [] == await store.delivered([])
    await bring_to_rest(store, "y", REFUSED)
    assert [("a", Delivery(refused=True, doubted=True))] == await at_rest(store)


async def test_paused_robot_holds_its_messages_without_holding_the_task(store: TaskStore) -> None:
    """A task whose unsent messages all belong to paused robots is delivered, and marked as held."""
    await compose(store, "a", run("one", robot="x"), run("two", robot="y"))
    await compose(store, "b", run("three", robot="z"))
    assert [] == await store.delivered(["y"])
    await bring_to_rest(store, "x")
    assert [("a", HELD)] == await at_rest(store, "y", "?")
    assert [("a", HELD), ("b", HELD)] == await at_rest(store, "y", "z")


async def test_inbox_is_never_paused(store: TaskStore) -> None:
    """A message to the inbox holds its task until it is sent, whatever is paused."""
    await compose(store, "a", run("one"))
    assert [] == await store.delivered(["x"])


async def test_task_without_messages_is_delivered(store: TaskStore) -> None:
    """A task whose reader wanted no messages has nothing to wait for."""
    await compose(store, "a")
    assert [("a", Delivery())] == await at_rest(store)


async def test_task_in_hand_is_not_delivered(store: TaskStore) -> None:
    """A task that is not composed, or that a worker still has in hand, is not delivered."""
    await add(store, "new")
    await add(store, "in hand")
    await claimed(store, "in hand")
    await keep_until(store, "in hand", None)
    await everything(store, None)
    assert [] == await store.delivered([])


async def test_notice_is_dropped_where_its_robot_has_unsent_messages(store: TaskStore) -> None:
    """A notice is dropped where its robot has unsent messages, so that it never stands between waiting runs."""
    await compose(store, "waiting", run("one", robot="busy"))
    await add(store, "told")
    await store.announce("told", [run("late", robot="busy"), run("news", robot="idle"), run("inbox")], NOW)
    assert ["news", "inbox"] == [row.message.text for row in await store.messages("told")]


async def test_notice_of_a_task_that_has_ended_is_dropped(store: TaskStore) -> None:
    """Nothing is announced of a task that was cancelled, or deleted, while the notice was on its way."""
    await add(store, "ended")
    task = await store.get("ended")
    assert task
    assert await store.end(cancel(task, NOW), expected=task.status, closing=CONTINUED)
    for gone in (False, True):
        assert not gone or await store.delete("ended")
        await store.announce("ended", [run("news")], NOW)
        assert [] == await store.messages("ended")


async def test_completed_task_warns_of_held_messages_as_long_as_there_are_some(store: TaskStore) -> None:
    """When the last held message of a completed task is sent or refused, its warnings say what is then true."""
    await compose(store, "a", run("one", "two", robot="x"))
    [(task, delivery)] = await store.delivered(["x"])
    assert await store.save(finish(task, NOW, delivery), expected=task.status)
    for state, expected in ((SENT, ["delivery_interrupted"]), (REFUSED, ["wecom_refused"])):
        await bring_to_rest(store, "x", state)
        stored = await store.get("a")
        assert stored
        assert expected == [warning.type for warning in stored.warnings]


async def test_rest_of_a_closed_run_goes_out_behind_the_runs_that_wait(store: TaskStore) -> None:
    """A closed run lets others pass; its rest follows, unchanged, behind a continuation and before later runs."""
    await compose(store, "a", run("a1", "a2", "a3", robot="x"))
    await compose(store, "b", run("b1", "b2", robot="x"))
    await bring_to_rest(store, "x")
    assert await store.close_run((await head(store, "x")).id, CONTINUED, NOW)
    await compose(store, "c", run("c1", robot="x"))
    closed = [(row.message.number, row.message.text, row.state) for row in await store.messages("a")]
    assert [(1, "a1", SENT), (None, "continued", PLANNED), (2, "a2", PLANNED), (3, "a3", PLANNED)] == closed
    assert ["b1", "b2"] == [await bring_to_rest(store, "x") for _ in "12"]
    rest = await head(store, "x")
    assert ("continued", True) == (rest.message.text, rest.begins_run)
    assert ["continued", "a2", "a3", "c1"] == await everything(store, "x")


async def test_rest_of_a_run_can_be_closed_again(store: TaskStore) -> None:
    """What was continued once may have to be continued once more."""
    await compose(store, "a", run("a1", "a2", "a3", robot="x"))
    await bring_to_rest(store, "x")
    assert await store.close_run((await head(store, "x")).id, CONTINUED, NOW)
    assert ["continued", "a2"] == [await bring_to_rest(store, "x") for _ in "12"]
    assert await store.close_run((await head(store, "x")).id, CONTINUED, NOW)
    assert ["continued", "a3"] == await everything(store, "x")
    assert [("a", Delivery())] == await at_rest(store)


async def test_only_a_planned_message_closes_its_run(store: TaskStore) -> None:
    """A run whose next message is gone, on its way or in doubt stays as it is."""
    await compose(store, "a", run("a1", "a2", robot="x"))
    first = await head(store, "x")
    assert not await store.close_run(99, CONTINUED, NOW)
    for state in (SENDING, IN_DOUBT):
        await store.mark(first.id, state, NOW, expected=(await head(store, "x")).state)
        assert not await store.close_run(first.id, CONTINUED, NOW)
    assert ["a1", "a2"] == await everything(store, "x")


async def test_refused_time_adds_up(store: TaskStore) -> None:
    """How long a message was refused is added up over its tries."""
    await compose(store, "a", run("a1", robot="x"))
    for refused_s in (0.0, 5.0, 7.5):
        message = await head(store, "x")
        await store.mark(message.id, SENDING, NOW, expected=PLANNED)
        await store.mark(message.id, PLANNED, NOW, expected=SENDING, refused_s=refused_s)
    assert (await head(store, "x")).refused_s == pytest.approx(12.5)
