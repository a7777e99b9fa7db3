"""Delivering: the order of messages, their states, and when a task's messages have come to rest."""

from __future__ import annotations

from pipeline.core.messages import Kind, Message, MessageState, Run
from pipeline.ports import MessageRow, Outgoing, TaskStore
from tests.contract.conftest import SqliteStores
from tests.contract.examples import NOW, add, claimed, compose, keep_until, run

PLANNED, SENDING, SENT = MessageState.PLANNED, MessageState.SENDING, MessageState.SENT
REFUSED, IN_DOUBT = MessageState.REFUSED, MessageState.IN_DOUBT


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


async def test_message_reads_back_equal(store: TaskStore) -> None:
    """Every kind of message is frozen as it was composed, with number and without."""
    messages = tuple(Message(n, len(Kind), kind, "markdown", f"({n}) 文😀") for n, kind in enumerate(Kind, start=1))
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


async def test_recent_sends_are_writes_to_this_robot(stores: SqliteStores) -> None:
    """The writes of the last minute are known after a restart, whatever became of them, oldest first."""
    store = await stores.boot("boot 1")
    await compose(store, "a", run("1", "2", "3", "4", robot="x"), run("other", robot="y"), run("inbox"))
    for at in (10, 30, 20):
        message = await head(store, "x")
        await store.mark(message.id, SENDING, NOW + at, expected=PLANNED)
        await store.mark(message.id, REFUSED, NOW + at + 5, expected=SENDING)
    await bring_to_rest(store, None)
    store = await stores.boot("boot 2")
    assert [NOW + 20, NOW + 30] == await store.recent_sends("x", NOW + 20)
    assert [] == await store.recent_sends("y", 0)
    assert [NOW] == await store.recent_sends(None, 0)


async def test_what_a_dead_boot_was_sending_is_in_doubt(stores: SqliteStores) -> None:
    """At the next boot exactly the messages that were on their way are in doubt."""
    store = await stores.boot("boot 1")
    await compose(store, "a", run("1", "2", "3", robot="x"), run("4", robot="y"))
    await bring_to_rest(store, "x")
    for robot in ("x", "y"):
        await store.mark((await head(store, robot)).id, SENDING, NOW, expected=PLANNED)
    store = await stores.boot("boot 2")
    assert 2 == await store.doubt_unfinished_sends(NOW + 1)
    assert [SENT, IN_DOUBT, PLANNED, IN_DOUBT] == [row.state for row in await store.messages("a")]
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
    assert [("a", False)] == [(task.id, held) for task, held in await store.delivered([])]


async def test_paused_robot_holds_its_messages_without_holding_the_task(store: TaskStore) -> None:
    """A task whose unsent messages all belong to paused robots is delivered, and marked as held."""
    await compose(store, "a", run("one", robot="x"), run("two", robot="y"))
    await compose(store, "b", run("three", robot="z"))
    assert [] == await store.delivered(["y"])
    await bring_to_rest(store, "x")
    assert [("a", True)] == [(task.id, held) for task, held in await store.delivered(["y", "?"])]
    assert [("a", True), ("b", True)] == [(task.id, held) for task, held in await store.delivered(["y", "z"])]


async def test_inbox_is_never_paused(store: TaskStore) -> None:
    """A message to the inbox holds its task until it is sent, whatever is paused."""
    await compose(store, "a", run("one"))
    assert [] == await store.delivered(["x"])


async def test_task_without_messages_is_delivered(store: TaskStore) -> None:
    """A task whose reader wanted no messages has nothing to wait for."""
    await compose(store, "a")
    assert [("a", False)] == [(task.id, held) for task, held in await store.delivered([])]


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
