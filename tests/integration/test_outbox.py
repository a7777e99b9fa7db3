"""The outbox on a real store: order, one message in flight, and what each kind of answer leads to."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from pipeline.core.messages import Message, MessageState
from pipeline.outbox import Outbox, Pace
from pipeline.ports import InDoubt, Receipt, Refused, RobotGone, Sent, TryLater
from pipeline.service import Watch
from pipeline.store.sqlite import SqliteStore
from tests.contract.examples import ROUTE, compose, run

WITHIN_S = 10.0


class ScriptedChannel:
    """A channel that gives the receipts it was told to, then ``Sent``; ``hold`` delays every answer."""

    def __init__(self, *receipts: Receipt, hold: asyncio.Event | None = None) -> None:
        self.seen: list[str] = []
        self.in_flight = 0
        self.most_in_flight = 0
        self.changed = asyncio.Condition()
        self._receipts = list(receipts)
        self._hold = hold

    async def send(self, message: Message) -> Receipt:
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        async with self.changed:
            self.seen.append(message.text)
            self.changed.notify_all()
        if self._hold is not None:
            await self._hold.wait()
        self.in_flight -= 1
        return self._receipts.pop(0) if self._receipts else Sent()

    async def close(self) -> None:
        """Hold nothing."""

    async def until(self, count: int) -> list[str]:
        async with asyncio.timeout(WITHIN_S), self.changed:
            await self.changed.wait_for(lambda: len(self.seen) >= count)
        return self.seen


class Finished:
    """Takes the place of the dispatcher: remembers which tasks have come to rest."""

    def __init__(self, store: SqliteStore) -> None:
        self._store = store
        self.tasks: dict[str, bool] = {}
        self.changed = asyncio.Condition()

    async def __call__(self, paused: Sequence[str]) -> None:
        async with self.changed:
            self.tasks.update({task.id: held for task, held in await self._store.delivered(paused)})
            self.changed.notify_all()

    async def until(self, enough: Callable[[dict[str, bool]], bool]) -> dict[str, bool]:
        async with asyncio.timeout(WITHIN_S), self.changed:
            await self.changed.wait_for(lambda: enough(self.tasks))
        return self.tasks


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    made = SqliteStore(tmp_path / "tasks.db", ROUTE, "boot 1")
    await made.open()
    yield made
    await made.close()


@asynccontextmanager
async def outbox(
    store: SqliteStore, per_minute: int = 1000, **channels: ScriptedChannel
) -> AsyncIterator[tuple[Outbox, Finished]]:
    finished = Finished(store)
    made = Outbox(store, dict(channels), per_minute, Watch(), finished)
    await made.start()
    try:
        yield made, finished
    finally:
        await made.stop()


async def states(store: SqliteStore, task_id: str) -> list[MessageState]:
    return [row.state for row in await store.messages(task_id)]


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


async def test_the_pace_holds_across_a_restart() -> None:
    """The pace counts the sends of before the restart: the window rebuilt from their ages is full or has room."""
    full = Pace(3, [59.9, 30.0, 1.0])
    began = time.monotonic()
    await asyncio.wait_for(full.wait(), WITHIN_S)
    assert 0.05 <= time.monotonic() - began < 5.0
    with_room = Pace(4, [30.0, 20.0, 1.0])
    await asyncio.wait_for(with_room.wait(), 0.05)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(with_room.wait(), 0.05)
