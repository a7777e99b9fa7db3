"""Any sequence of wishes, work, faults and deaths leaves the books in order (a state machine against a dictionary)."""

from __future__ import annotations

import asyncio
import itertools
import tempfile
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings, strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from pipeline.core.lifecycle import Succeeded
from pipeline.core.task import Status
from pipeline.ports import (
    InDoubt,
    Receipt,
    Refused,
    RobotGone,
    Sent,
    TryLater,
)
from pipeline.refusals import Conflict
from tests.chaos.clock import FastPolicy
from tests.chaos.conftest import Note
from tests.chaos.crew import ROBOTS, Hand, Life, Robot
from tests.contract.examples import OWNER, ROUTE

pytestmark = pytest.mark.timeout(3600)

SPEED = 1000.0
STEPS = 40
MOST_ROUNDS = 2000
"""Within so many rounds of work everything must have come to its end."""

Which = st.integers(0, 9)
"""Chooses one of what is there, round about."""
robots = st.sampled_from(ROBOTS)
urls = st.integers(0, 5).map("https://site.example.com/{}".format)
stages = st.sampled_from(["auto", *(str(step.name) for step in ROUTE)])


@dataclass
class Known:
    """What the model knows of one accepted task."""

    url: str
    status: Status = Status.PENDING


@dataclass
class Account:
    """What was planned for a robot so far, whatever is dropped later, by run and message."""

    planned: dict[tuple[int, int], str] = field(default_factory=dict)

    def misplaced(self, taken: list[str]) -> list[str]:
        """What a group has seen that does not follow the plan: adjacent repeats apart, plan order, gaps allowed."""
        rest = iter(text for _, text in sorted(self.planned.items()))
        return [text for text, _ in groupby(taken) if text not in rest]


class Machine(RuleBasedStateMachine):
    """Whoever uses the daemon, works in it, answers it, and kills it.

    A rule that has nothing to act upon does nothing. It has no precondition, for what is in hand or in flight may
    depend on the moment, and what is chosen must not.
    """

    def __init__(self) -> None:
        super().__init__()
        self._runner = asyncio.Runner(loop_factory=FastPolicy(SPEED).new_event_loop)
        self._runner.get_loop().set_default_executor(ThreadPoolExecutor(1))
        self._folder = tempfile.TemporaryDirectory()
        self.robots = {name: Robot(name) for name in ROBOTS}
        self.tasks: dict[str, Known] = {}
        self.accounts = {name: Account() for name in ROBOTS}
        self._composings = itertools.count()
        self._boots = itertools.count(1)
        self.life = self._do(self._begin())

    def _do(self, what: Coroutine[Any, Any, Any]) -> Any:
        return self._runner.run(what)

    async def _begin(self) -> Life:
        life = Life(Path(self._folder.name), self.robots, next(self._boots))
        await life.begin()
        await life.calm()
        return life

    def _choose(self, which: int) -> str | None:
        return [*self.tasks][which % len(self.tasks)] if self.tasks else None

    def _hand(self, which: int) -> Hand | None:
        hands = self.life.in_hand
        return hands[which % len(hands)] if hands else None

    @initialize(count=st.integers(0, 3))
    def begin_with(self, count: int) -> None:
        """Have some runs of messages planned at once."""
        for number in range(count):
            self.submit(f"https://site.example.com/{number}")
        for _ in range(count):
            self.work_through(4)

    # -- wishes

    @rule(url=urls)
    def submit(self, url: str) -> None:
        """The same address is the same task, unless that has failed or was cancelled."""
        accepted = self._do(self.life.submit(url))
        there = [
            task_id
            for task_id, known in self.tasks.items()
            if known.url == url and known.status not in {Status.FAILED, Status.CANCELLED, Status.TIMEOUT}
        ]
        if there:
            assert accepted.duplicate_of in there
            assert accepted.task_id == accepted.duplicate_of
        else:
            assert accepted.duplicate_of is None
            self.tasks[accepted.task_id] = Known(url)

    @rule(which=Which)
    def cancel(self, which: int) -> None:
        """What has not finished is cancelled, once."""
        if (task_id := self._choose(which)) is None:
            return
        before = self.tasks[task_id].status
        try:
            was_new = self._do(self.life.control.cancel(task_id))
        except Conflict:
            assert before.final
            assert before is not Status.CANCELLED
            return
        assert was_new == (before is not Status.CANCELLED)
        assert not before.final or before is Status.CANCELLED
        self.tasks[task_id].status = Status.CANCELLED

    @rule(which=Which, stage=stages)
    def retry(self, which: int, stage: str) -> None:
        """What has finished starts again, a completed task only from a stage, a task still in hand not at all."""
        if (task_id := self._choose(which)) is None:
            return
        before = self.tasks[task_id].status
        in_hand = {hand.task.id for hand in self.life.in_hand}
        allowed = before.final and task_id not in in_hand and (before is not Status.COMPLETED or stage != "auto")
        try:
            self._do(self.life.control.retry(task_id, stage))
        except Conflict:
            assert not allowed
            return
        assert allowed
        self.tasks[task_id].status = Status.RETRYING

    @rule(which=Which)
    def redeliver(self, which: int) -> None:
        """Only what is completed is sent again."""
        if (task_id := self._choose(which)) is None:
            return
        before = self.tasks[task_id].status
        try:
            self._do(self.life.control.redeliver(task_id))
        except Conflict:
            assert before is not Status.COMPLETED
            return
        assert before is Status.COMPLETED
        self.tasks[task_id].status = Status.PROCESSING

    # -- work

    @rule()
    def take_text(self) -> None:
        self._do(self.life.take_text())

    @rule(which=Which)
    def work(self, which: int) -> None:
        if (hand := self._hand(which)) is not None:
            self._do(self.life.work(hand, f"composing {next(self._composings)}"))

    @rule(lanes=st.integers(1, 4))
    def work_through(self, lanes: int) -> None:
        """Let everything that can be worked on pass so many lanes, so that lives get far."""
        for _ in range(lanes):
            self._do(self.life.take_text())
            for hand in self.life.in_hand:
                while hand in self.life.in_hand:
                    self._do(self.life.work(hand, f"composing {next(self._composings)}"))
            self._do(self.life.calm())

    @rule(which=Which, retries=st.sampled_from([0, 1, 5]), times_out=st.booleans())
    def fail(self, which: int, *, retries: int, times_out: bool) -> None:
        if (hand := self._hand(which)) is not None:
            self.life.fail(hand, retries=retries, times_out=times_out)

    @rule(which=Which)
    def cancel_as_a_worker_comes_back(self, which: int) -> None:
        """A task that is cancelled while the outcome of its work is stored has ended, and nobody has it in hand."""
        if (hand := self._hand(which)) is not None:
            self._do(self._cancel_and_bring_back(hand))
            self.tasks[hand.task.id].status = Status.CANCELLED

    async def _cancel_and_bring_back(self, hand: Hand) -> None:
        cancelling = asyncio.create_task(self.life.control.cancel(hand.task.id))
        self.life.bring_back(hand, Succeeded(hand.task.id, hand.lane))
        await cancelling

    # -- robots

    @rule(robot=robots, taken=st.booleans())
    def fault(self, robot: str, *, taken: bool) -> None:
        """No answer: the message was taken or not, and the daemon cannot know."""
        self._answer(robot, InDoubt("no answer"), taken=taken)

    @rule(robot=robots, receipt=st.sampled_from([TryLater(0.01, "busy"), Refused("no"), RobotGone("93000")]))
    def refuse(self, robot: str, receipt: Receipt) -> None:
        self._answer(robot, receipt, taken=False)

    @rule(robot=robots)
    def accept(self, robot: str) -> None:
        self._answer(robot, Sent(), taken=True)

    @rule(robot=robots)
    def resume(self, robot: str) -> None:
        self.life.outbox.resume(robot)

    def _busy(self) -> list[str]:
        return [name for name, robot in self.robots.items() if robot.in_flight]

    def _answer(self, robot: str, receipt: Receipt, *, taken: bool) -> None:
        """Answer at this robot, or at the other one if it has nothing in flight."""
        if busy := self._busy():
            self.robots[robot if robot in busy else busy[0]].answer(receipt, taken=taken)

    # -- deaths

    @rule(taken=st.booleans())
    def kill_and_restart(self, *, taken: bool) -> None:
        """Die in the middle of everything; a message in flight may have been taken or not."""
        for name in self._busy():
            robot = self.robots[name]
            assert robot.in_flight is not None
            if taken:
                robot.taken.append(robot.in_flight[0].text)
        self._do(self.life.end())
        self.life = self._do(self._begin())

    # -- what always holds

    @invariant()
    def books_are_in_order(self) -> None:
        self._do(self._check())

    async def _check(self) -> None:
        await self.life.calm()
        for task_id, known in self.tasks.items():
            task = await self.life.store.get(task_id)
            assert task is not None, "an accepted task has no row"
            assert task.owner == OWNER
            if known.status.final:
                assert known.status is task.status, "a final state was left though nobody asked for it"
            assert task.status is not Status.PENDING or known.status is Status.PENDING, "what had started is pending"
            known.status = task.status
        in_hand = await self._read("SELECT id FROM task WHERE running_boot IS NOT NULL")
        assert {hand.task.id for hand in self.life.in_hand} == {task_id for (task_id,) in in_hand}, "in nobody's hands"
        for name, account in self.accounts.items():
            rows = await self._rows(name)
            account.planned |= {(run, number): text for run, number, text, _ in rows}
            assert [] == account.misplaced(self.robots[name].taken)
            assert sum(state in {"sending", "in_doubt"} for *_, state in rows) <= 1, "more than one message in doubt"
            lost = {text for *_, text, state in rows if state == "sent"} - {*self.robots[name].taken}
            assert set() == lost, "marked as sent, and never taken"

    async def _rows(self, robot: str) -> list[tuple[int, int, str, str]]:
        return await self._read("SELECT run_id, id, text, state FROM message WHERE robot = ?", robot)

    async def _read(self, query: str, *values: str) -> list[tuple[Any, ...]]:
        found = await self.life.store._units.read(lambda conn: conn.execute(query, values).fetchall())  # noqa: SLF001
        return [tuple(row) for row in found]

    def teardown(self) -> None:
        """Given time and good will, everything comes to its end and nothing stays unsent."""
        try:
            for _ in range(MOST_ROUNDS):
                if self._do(self._help_along()):
                    break
            else:
                raise AssertionError(f"not everything ends: {self.tasks}")
        finally:
            self._do(self.life.end())
            self._runner.close()
            self._folder.cleanup()

    async def _help_along(self) -> bool:
        """Do whatever can be done; True if all was done."""
        for name in ROBOTS:
            self.life.outbox.resume(name)
        for name in self._busy():
            self.robots[name].answer(Sent(), taken=True)
        await self.life.take_text()
        for hand in self.life.in_hand:
            await self.life.work(hand, f"composing {next(self._composings)}")
        await self._check()
        unsent = await self.life.store.lanes()
        return all(known.status.final for known in self.tasks.values()) and not unsent and not self.life.in_hand


def test_any_sequence_leaves_the_books_in_order(note: Note, *, whole: bool) -> None:
    """After any sequence of wishes, work, faults and deaths every accepted task has a row and one final state.

    What a group has seen follows the plan but for adjacent repeats; at most one message a robot is in doubt; in the
    end all is done and nothing unsent.
    """
    sequences = 300 if whole else 25
    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=sequences,
            stateful_step_count=STEPS,
            deadline=None,
            print_blob=True,
            suppress_health_check=[HealthCheck.too_slow],
        ),
    )
    note("F13", f"{sequences} sequences x {STEPS} steps", "0 breaks", "0 breaks")
