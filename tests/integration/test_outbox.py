"""The outbox on a real store: order, one message in flight, and what each kind of answer leads to."""

from __future__ import annotations

import asyncio
import time

from pipeline.core.messages import Kind, Message, MessageState
from pipeline.outbox import LaneView, Outbox
from pipeline.ports import (
    InDoubt,
    Refused,
    RobotGone,
    Sent,
    TryLater,
)
from pipeline.robot_lane import INSIDE_A_RUN, REMOVED
from pipeline.store.sqlite import SqliteStore
from tests.contract.examples import compose, run
from tests.integration.delivery import outbox, states
from tests.integration.scripted_channel import WITHIN_S, ScriptedChannel


async def test_runs_go_out_whole_in_the_order_of_composing(store: SqliteStore) -> None:
    """Runs go out whole, in the order of composing, one message in flight."""
    for name in "abc":
        await compose(store, name, run(f"{name}1", f"{name}2", f"{name}3", robot="r"))
    channel = ScriptedChannel()
    async with outbox(store, r=channel) as (_, finished):
        await finished.until(lambda tasks: len(tasks) == 3)
    assert ["a1", "a2", "a3", "b1", "b2", "b3", "c1", "c2", "c3"] == channel.seen
    assert 1 == channel.most_in_flight


async def test_a_run_composed_later_is_sent_when_the_lane_is_woken(store: SqliteStore) -> None:
    """A run composed later is sent when the lane is woken."""
    channel = ScriptedChannel()
    async with outbox(store, r=channel) as (made, finished):
        await compose(store, "late", run("x", robot="r"))
        made.wake()
        assert {"late": False} == await finished.until(bool)


async def test_what_may_pass_is_sent_again_before_anything_else(store: SqliteStore) -> None:
    """What may pass, or is in doubt, is sent again, unchanged, before anything else."""
    await compose(store, "a", run("1", "2", "3", robot="r"))
    channel = ScriptedChannel(Sent(), InDoubt("no answer"), TryLater(0.01, "busy"))
    async with outbox(store, r=channel) as (_, finished):
        await finished.until(bool)
    assert ["1", "2", "2", "2", "3"] == channel.seen
    assert [MessageState.SENT] * 3 == await states(store, "a")


async def test_a_refused_message_does_not_stop_its_run(store: SqliteStore) -> None:
    """A refused message does not stop its run, and the task comes to rest."""
    await compose(store, "a", run("1", "2", "3", robot="r"))
    channel = ScriptedChannel(Sent(), Refused("too long"))
    async with outbox(store, r=channel) as (_, finished):
        await finished.until(bool)
    assert [MessageState.SENT, MessageState.REFUSED, MessageState.SENT] == await states(store, "a")


async def test_a_robot_that_is_gone_pauses_its_own_lane_only(store: SqliteStore) -> None:
    """A robot that is gone pauses its own lane only; its messages are kept and its tasks come to rest."""
    await compose(store, "a", run("1", "2", robot="gone"))
    await compose(store, "b", run("3", "4", robot="fine"))
    gone, fine = ScriptedChannel(RobotGone("errcode 93000")), ScriptedChannel()
    async with outbox(store, gone=gone, fine=fine) as (made, finished):
        await finished.until(lambda tasks: len(tasks) == 2)
        assert {"gone": "errcode 93000"} == made.paused
    assert {"a": True, "b": False} == finished.tasks
    assert [MessageState.PLANNED] * 2 == await states(store, "a")
    assert ["3", "4"] == fine.seen


async def test_a_slow_robot_does_not_delay_another(store: SqliteStore) -> None:
    """A slow robot does not delay another."""
    await compose(store, "a", run("1", "2", robot="slow"), run("3", "4", robot="quick"))
    never = asyncio.Event()
    slow, quick = ScriptedChannel(hold=never), ScriptedChannel()
    async with outbox(store, slow=slow, quick=quick):
        assert ["3", "4"] == await quick.until(2)
        assert ["1"] == slow.seen
        never.set()


async def test_a_stop_lets_the_message_in_hand_come_to_its_answer(store: SqliteStore) -> None:
    """A stop lets the message in hand come to its answer, and nothing after it goes out."""
    await compose(store, "a", run("1", "2", robot="r"))
    answer = asyncio.Event()
    channel = ScriptedChannel(hold=answer)
    async with outbox(store, r=channel) as (made, _):
        await channel.until(1)
        stopping = asyncio.create_task(made.stop())
        answer.set()
        await stopping
    assert ["1"] == channel.seen
    assert [MessageState.SENT, MessageState.PLANNED] == await states(store, "a")


async def test_what_was_being_sent_at_a_crash_goes_out_first(store: SqliteStore) -> None:
    """What was being sent at a crash is in doubt, and goes out first."""
    await compose(store, "a", run("1", "2", robot="r"))
    outgoing = await store.next_message("r")
    await store.mark(outgoing.id, MessageState.SENDING, time.time(), expected=MessageState.PLANNED)
    channel = ScriptedChannel()
    async with outbox(store, r=channel) as (_, finished):
        await finished.until(bool)
    assert ["1", "2"] == channel.seen


async def test_messages_of_a_robot_no_longer_configured_are_kept(store: SqliteStore) -> None:
    """Messages of a robot that is no longer configured are kept, and their task comes to rest."""
    await compose(store, "a", run("1", robot="former"))
    async with outbox(store, r=ScriptedChannel()) as (made, finished):
        assert {"a": True} == await finished.until(bool)
        assert ["former"] == list(made.paused)


async def test_messages_composed_for_a_robot_no_longer_configured_are_kept(store: SqliteStore) -> None:
    """A robot that had nothing to send when it was removed is as visible, once something is composed for it."""
    async with outbox(store, r=ScriptedChannel()) as (made, finished):
        await compose(store, "late", run("1", robot="former"))
        made.wake()
        assert {"late": True} == await finished.until(bool)
        assert {"former": REMOVED} == made.paused
        assert LaneView("former", 1, paused=True, why=REMOVED) in await made.robots()


# ---------------------------------------------------------------------------------------------
# Tests of a robot, and lanes that go on
# ---------------------------------------------------------------------------------------------

TRIAL = Message(None, None, Kind.NOTICE, "text", "a test")
NO_TIME_S = 0.05


async def test_a_test_goes_out_at_once_when_nothing_waits(store: SqliteStore) -> None:
    """A test of an idle robot goes out at once, and its sender hears what became of it."""
    channel = ScriptedChannel(Sent(), Refused("no"))
    async with outbox(store, r=channel) as (made, _):
        assert Sent() == await made.test("r", TRIAL, WITHIN_S)
        assert Refused("no") == await made.test("r", TRIAL, WITHIN_S)
    assert ["a test"] * 2 == channel.seen


async def test_a_test_never_falls_inside_a_run(store: SqliteStore) -> None:
    """A test that comes while a run is being sent goes out behind it, before the next run."""
    await compose(store, "a", run("1", "2", "3", robot="r"))
    await compose(store, "b", run("4", "5", robot="r"))
    answers = asyncio.Event()
    channel = ScriptedChannel(hold=answers)
    async with outbox(store, r=channel) as (made, finished):
        await channel.until(1)
        testing = asyncio.create_task(made.test("r", TRIAL, WITHIN_S))
        await asyncio.sleep(0)
        answers.set()
        assert Sent() == await testing
        await finished.until(lambda tasks: len(tasks) == 2)
    assert ["1", "2", "3", "a test", "4", "5"] == channel.seen


async def test_tests_that_wait_together_are_one_message(store: SqliteStore) -> None:
    """Several tests that wait for their turn are one message; one that is no longer waited for is none."""
    await compose(store, "a", run("1", "2", robot="r"))
    answers = asyncio.Event()
    channel = ScriptedChannel(hold=answers)
    async with outbox(store, r=channel) as (made, _):
        await channel.until(1)
        assert await made.test("r", TRIAL, NO_TIME_S) is None
        testing = [asyncio.create_task(made.test("r", TRIAL, WITHIN_S)) for _ in range(3)]
        await asyncio.sleep(0)
        answers.set()
        assert [Sent()] * 3 == await asyncio.gather(*testing)
    assert ["1", "2", "a test"] == channel.seen


async def test_a_paused_lane_is_tested_and_resumed(store: SqliteStore) -> None:
    """A paused lane can be tested without going on; resumed, it sends what it kept, and pauses again if need be."""
    await compose(store, "a", run("1", robot="r"))
    channel = ScriptedChannel(RobotGone("gone"), RobotGone("gone"), RobotGone("still gone"))
    async with outbox(store, r=channel) as (made, finished):
        await finished.until(bool)
        assert [LaneView("r", 1, paused=True, why="gone")] == await made.robots()
        assert RobotGone("gone") == await made.test("r", TRIAL, WITHIN_S)
        made.resume("r")
        await channel.until(3)
        await paused_for(made, "still gone")
        assert Sent() == await made.test("r", TRIAL, WITHIN_S)
        assert [LaneView("r", 1, paused=True, why="still gone")] == await made.robots()
        made.resume("r")
        await channel.until(5)
    assert ["1", "a test", "1", "a test", "1"] == channel.seen
    assert [MessageState.SENT] == await states(store, "a")


async def paused_for(made: Outbox, why: str) -> None:
    """Wait until the one robot's lane is paused for this reason."""
    async with asyncio.timeout(WITHIN_S):
        while made.paused != {"r": why}:  # noqa: ASYNC110 - nothing tells of a pause but looking
            await asyncio.sleep(0)


async def test_a_run_that_was_broken_off_is_not_tested(store: SqliteStore) -> None:
    """A lane that paused in the middle of a run takes no test, which would fall inside the run, and says so."""
    await compose(store, "a", run("1", "2", robot="r"))
    channel = ScriptedChannel(Sent(), RobotGone("gone"))
    async with outbox(store, r=channel) as (made, finished):
        await finished.until(bool)
        assert RobotGone(f"gone; {INSIDE_A_RUN}") == await made.test("r", TRIAL, WITHIN_S)
        assert [LaneView("r", 1, paused=True, why="gone")] == await made.robots()
        made.resume("r")
        await channel.until(3)
    assert ["1", "2", "2"] == channel.seen


async def test_a_removed_robot_stays_paused(store: SqliteStore) -> None:
    """A robot that is no longer configured is listed with what it keeps; it is neither tested nor resumed."""
    await compose(store, "a", run("1", "2", robot="former"))
    async with outbox(store, r=ScriptedChannel()) as (made, _):
        assert RobotGone(REMOVED) == await made.test("former", TRIAL, WITHIN_S)
        made.resume("former")
        idle, kept = LaneView("r", 0, paused=False, why=None), LaneView("former", 2, paused=True, why=REMOVED)
        assert [idle, kept] == await made.robots()
