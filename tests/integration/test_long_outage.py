"""What a lane does when its robot takes nothing for long: tries, gives way to other runs, and keeps what it has."""

from __future__ import annotations

from itertools import pairwise

import pytest

from pipeline.core.lifecycle import cancel
from pipeline.core.messages import Kind, MessageState
from pipeline.core.notices import cancelled_notice
from pipeline.outbox import LaneView
from pipeline.ports import InDoubt, Receipt, RobotGone, Sent, TryLater
from pipeline.robot_lane import PATIENCE_S
from pipeline.store.sqlite import SqliteStore
from tests.contract.examples import NOW, compose, run
from tests.integration.delivery import outbox, states, without_repeats
from tests.integration.hurry import hurried
from tests.integration.scripted_channel import ScriptedChannel

BUSY = TryLater(5.0, "busy")
TOO_OFTEN = TryLater(60.0, "too often")
NO_ANSWER = InDoubt("no answer")
HALF_AN_HOUR = 40
"""More refusals than fit into it: three after 5 s each, then one a minute."""
SPEED = 6000.0
CONTINUED = "(continued) A talk\nThe robot took no messages for a long time; this goes on from (2/3)."


async def refuse_once(store: SqliteStore, *, refused_s: float) -> None:
    """Let the next message have been refused for so long by an earlier boot."""
    message = await store.next_message("r")
    assert message
    await store.mark(message.id, MessageState.SENDING, NOW, expected=message.state)
    await store.mark(message.id, MessageState.PLANNED, NOW, expected=MessageState.SENDING, refused_s=refused_s)


async def test_after_half_an_hour_of_refusals_other_runs_pass(store: SqliteStore) -> None:
    """A run that has begun gives way after thirty minutes; its rest follows unchanged behind one continuation.

    What the machine's clock says meanwhile does not matter.
    """
    for name in "abc":
        await compose(store, name, run(f"{name}1", f"{name}2", f"{name}3", robot="r"))
    channel = ScriptedChannel(Sent(), *[BUSY] * HALF_AN_HOUR)
    async with outbox(store, hurried(SPEED, restless=True), r=channel) as (_, finished):
        await finished.until(lambda tasks: len(tasks) == 3)
    b_and_c = [f"{name}{number}" for name in "bc" for number in (1, 2, 3)]
    assert ["a1", "a2", *b_and_c, CONTINUED, "a2", "a3"] == without_repeats(channel.seen)
    assert [Kind.TEXT, Kind.CONTINUATION, Kind.TEXT, Kind.TEXT] == [
        row.message.kind for row in await store.messages("a")
    ]
    began, closed = channel.times[channel.seen.index("a2")], channel.times[channel.seen.index("b1")]
    assert (closed - began) * SPEED >= 1800


@pytest.mark.parametrize(("earlier_s", "is_closed"), [(1795.0, True), (1000.0, False)])
async def test_half_an_hour_goes_on_after_a_restart(
    store: SqliteStore,
    earlier_s: float,
    is_closed: bool,  # noqa: FBT001 - a column of the table
) -> None:
    """What an earlier boot was refused counts; the time in which no daemon ran does not."""
    await compose(store, "a", run("a1", "a2", robot="r"))
    await compose(store, "b", run("b1", robot="r"))
    first = await store.next_message("r")
    assert first
    await store.mark(first.id, MessageState.SENDING, NOW, expected=MessageState.PLANNED)
    await store.mark(first.id, MessageState.SENT, NOW, expected=MessageState.SENDING)
    await refuse_once(store, refused_s=earlier_s)
    channel = ScriptedChannel(*[BUSY] * 4)
    async with outbox(store, hurried(SPEED), r=channel) as (_, finished):
        await finished.until(lambda tasks: len(tasks) == 2)
    expected = ["a2", "b1", CONTINUED.replace("2/3", "2/2"), "a2"] if is_closed else ["a2", "b1"]
    assert expected == without_repeats(channel.seen)


async def test_a_run_that_has_not_begun_keeps_its_place(store: SqliteStore) -> None:
    """Where nothing of a run has gone out there is nothing to close: the order stays, however long it takes."""
    await compose(store, "a", run("a1", "a2", robot="r"))
    await compose(store, "b", run("b1", robot="r"))
    channel = ScriptedChannel(*[TOO_OFTEN] * HALF_AN_HOUR)
    async with outbox(store, hurried(SPEED), r=channel) as (_, finished):
        await finished.until(lambda tasks: len(tasks) == 2)
    assert ["a1", "a2", "b1"] == without_repeats(channel.seen)


async def test_a_run_behind_which_nobody_waits_keeps_its_place(store: SqliteStore) -> None:
    """Where nobody waits there is nobody to give way to, and readers are not told that nothing comes."""
    await compose(store, "a", run("a1", "a2", robot="r"))
    channel = ScriptedChannel(Sent(), *[TOO_OFTEN] * HALF_AN_HOUR)
    async with outbox(store, hurried(SPEED), r=channel) as (_, finished):
        await finished.until(bool)
    assert ["a1", "a2"] == without_repeats(channel.seen)


async def test_nothing_is_refused_during_a_pause(store: SqliteStore) -> None:
    """A run whose robot was gone for long is not closed at the first refusal after that."""
    await compose(store, "a", run("a1", "a2", robot="r"))
    await compose(store, "b", run("b1", robot="r"))
    clock = hurried(SPEED)
    channel = ScriptedChannel(Sent(), BUSY, RobotGone("gone"), BUSY)
    async with outbox(store, clock, r=channel) as (made, finished):
        await finished.until(lambda tasks: len(tasks) == 2)
        await clock.sleep(PATIENCE_S)
        made.resume("r")
        await channel.until(6)
    assert ["a1", "a2", "b1"] == without_repeats(channel.seen)


async def test_a_message_in_doubt_is_never_moved(store: SqliteStore) -> None:
    """What readers may have seen comes again at its place, and stays in doubt through refusals until it is sent."""
    await compose(store, "a", run("a1", "a2", robot="r"))
    await compose(store, "b", run("b1", robot="r"))
    channel = ScriptedChannel(Sent(), NO_ANSWER, *[BUSY] * HALF_AN_HOUR)
    async with outbox(store, hurried(SPEED), r=channel) as (_, finished):
        await channel.until(4)
        assert [MessageState.SENT, MessageState.IN_DOUBT] == await settled_states(store, "a")
        await finished.until(lambda tasks: len(tasks) == 2)
    assert ["a1", "a2", "b1"] == without_repeats(channel.seen)


async def settled_states(store: SqliteStore, task_id: str) -> list[MessageState]:
    """The states of a task's messages at a moment when none is on its way."""
    while MessageState.SENDING in (found := await states(store, task_id)):
        pass
    return found


@pytest.mark.parametrize(
    ("refusals", "waits_s"),
    [
        ([BUSY] * 5, [5, 5, 5, 60, 60]),
        ([TOO_OFTEN] * 4 + [BUSY], [60, 60, 60, 60, 5]),
        ([NO_ANSWER] * 4, [1, 1, 1, 60]),
    ],
)
async def test_tries_are_quick_three_times(
    store: SqliteStore,
    refusals: list[Receipt],
    waits_s: list[float],
) -> None:
    """A robot that is busy or silent is soon tried three times, then once a minute; the rate is waited for anyway."""
    speed = 200.0
    await compose(store, "a", run("a1", robot="r"))
    channel = ScriptedChannel(*refusals)
    async with outbox(store, hurried(speed), r=channel) as (_, finished):
        await finished.until(bool)
    waited_s = [(later - earlier) * speed for earlier, later in pairwise(channel.times)]
    assert all(least <= was for least, was in zip(waits_s, waited_s, strict=True))
    slow = [was > 30 for was in waited_s]
    assert [least > 30 for least in waits_s] == slow


async def test_what_the_robot_said_is_shown_while_it_takes_nothing(store: SqliteStore) -> None:
    """A lane that is not getting through says why, and says so no more once it is."""
    await compose(store, "a", run("a1", robot="r"))
    channel = ScriptedChannel(TOO_OFTEN)
    async with outbox(store, hurried(60.0), r=channel) as (made, finished):
        await channel.until(1)
        while await made.robots() != [LaneView("r", 1, paused=False, why="too often")]:
            pass
        await finished.until(bool)
        assert [LaneView("r", 0, paused=False, why=None)] == await made.robots()


async def test_what_was_cancelled_during_a_wait_is_not_sent(store: SqliteStore) -> None:
    """A run that was being put off when its task was cancelled is gone at its next try."""
    await compose(store, "a", run("a1", "a2", robot="r"))
    await compose(store, "b", run("b1", robot="r"))
    channel = ScriptedChannel(TOO_OFTEN)
    async with outbox(store, hurried(600.0), r=channel) as (_, finished):
        await channel.until(1)
        await settled_states(store, "a")
        task = await store.get("a")
        assert task
        assert await store.end(cancel(task, NOW), expected=task.status, closing=cancelled_notice("en"))
        await finished.until(bool)
    assert ["a1", "b1"] == channel.seen
