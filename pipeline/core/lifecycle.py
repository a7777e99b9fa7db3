"""The state machine: how a task's status may change, and the one function that turns an outcome into a status."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Protocol, TypeVar

from pipeline.core.products import Artifacts
from pipeline.core.retry import RetryAt, RetryPolicy
from pipeline.core.task import Failure, Lane, LayerState, Stage, Status, Task, TaskWarning, Waiting
from pipeline.failures import WorkerCrashed


class Cause(StrEnum):
    """Why a status changes."""

    CLAIMED = "claimed"
    PLACED = "placed"
    ADVANCED = "advanced"
    POSTPONED = "postponed"
    DUE = "due"
    FINISHED = "finished"
    FAILED = "failed"
    TIMED_OUT = "timed_out"
    INTERRUPTED = "interrupted"
    RESCUED = "rescued"
    CANCELLED = "cancelled"
    RETRIED = "retried"
    REDELIVERED = "redelivered"


TRANSITIONS: dict[tuple[Status, Cause], Status] = {
    (Status.PENDING, Cause.CLAIMED): Status.PROCESSING,
    (Status.PROCESSING, Cause.PLACED): Status.PROCESSING,
    (Status.PROCESSING, Cause.ADVANCED): Status.PROCESSING,
    (Status.PROCESSING, Cause.POSTPONED): Status.RETRYING,
    (Status.RETRYING, Cause.DUE): Status.PROCESSING,
    (Status.PROCESSING, Cause.FINISHED): Status.COMPLETED,
    (Status.PROCESSING, Cause.FAILED): Status.FAILED,
    (Status.PROCESSING, Cause.TIMED_OUT): Status.TIMEOUT,
    (Status.PROCESSING, Cause.INTERRUPTED): Status.PROCESSING,
    (Status.PROCESSING, Cause.RESCUED): Status.PROCESSING,
    (Status.PENDING, Cause.CANCELLED): Status.CANCELLED,
    (Status.PROCESSING, Cause.CANCELLED): Status.CANCELLED,
    (Status.RETRYING, Cause.CANCELLED): Status.CANCELLED,
    (Status.FAILED, Cause.RETRIED): Status.RETRYING,
    (Status.CANCELLED, Cause.RETRIED): Status.RETRYING,
    (Status.TIMEOUT, Cause.RETRIED): Status.RETRYING,
    (Status.COMPLETED, Cause.RETRIED): Status.RETRYING,
    (Status.COMPLETED, Cause.REDELIVERED): Status.PROCESSING,
}

MEANING: dict[Cause, str] = {
    Cause.CLAIMED: "a worker slot was free and took the task for the first time",
    Cause.PLACED: "a worker of its next lane took it",
    Cause.ADVANCED: "a lane made its products; the task goes on to the next one",
    Cause.POSTPONED: "an attempt failed with something that may pass; the next one has its time",
    Cause.DUE: "the time of the next attempt has come and a worker slot was free",
    Cause.FINISHED: "every message is sent, refused or held",
    Cause.FAILED: "an attempt failed for good",
    Cause.TIMED_OUT: "a stage went over its time limit",
    Cause.INTERRUPTED: "the daemon stopped in the middle; this attempt does not count",
    Cause.RESCUED: "the daemon started and found the task left behind by a dead one",
    Cause.CANCELLED: "its owner cancelled it",
    Cause.RETRIED: "its owner wants it done again, whole or from a stage on",
    Cause.REDELIVERED: "its owner wants its messages sent again",
}


class IllegalTransition(Exception):
    """The table knows no such change."""


class Step(Protocol):
    """What the state machine needs to know of a stage."""

    @property
    def name(self) -> Stage: ...
    @property
    def lane(self) -> Lane: ...
    @property
    def makes(self) -> str: ...
    @property
    def weight(self) -> float: ...


AnyStep = TypeVar("AnyStep", bound=Step)


@dataclass(frozen=True, slots=True)
class Succeeded:
    """Every stage of the lane has made its product."""

    task_id: str
    lane: Lane


@dataclass(frozen=True, slots=True)
class Failed:
    """A stage could not make its product."""

    task_id: str
    lane: Lane
    failure: Failure
    retries: int
    """How often a fault of this kind may be retried at all."""
    times_out: bool
    wish_s: float | None = None
    """Seconds for which the other side asked to be left alone."""
    crashed: bool = False
    """Whether what worked on the task died, perhaps of the task."""
    waits_for: Waiting | None = None
    """What has to be there before it is tried again, at no cost to the task: it is not the task's fault."""


@dataclass(frozen=True, slots=True)
class Interrupted:
    """The daemon is stopping; what was stored stays, the rest is done at the next start."""

    task_id: str
    lane: Lane


Outcome = Succeeded | Failed | Interrupted


@dataclass(frozen=True, slots=True)
class Settled:
    """A task after a change, and why it changed."""

    task: Task
    cause: Cause


def change(task: Task, cause: Cause, now: float) -> Task:
    """Apply one row of the table.

    Raises:
        IllegalTransition: the table has no row for this status and cause.
    """
    try:
        status = TRANSITIONS[task.status, cause]
    except KeyError:
        raise IllegalTransition(f"{task.status} + {cause}") from None
    return replace(
        task,
        status=status,
        updated_at=now,
        started_at=now if task.started_at is None and status is Status.PROCESSING else task.started_at,
        finished_at=now if status.final else None,
    )


_TAKEN = {Status.PENDING: Cause.CLAIMED, Status.RETRYING: Cause.DUE, Status.PROCESSING: Cause.PLACED}


def claim(task: Task, now: float) -> Settled:
    """Give a waiting task to a worker of the lane it waits for.

    Raises:
        IllegalTransition: the task has come to its end meanwhile.
    """
    cause = _TAKEN.get(task.status)
    if cause is None:
        raise IllegalTransition(f"{task.status} cannot be claimed")
    return Settled(replace(change(task, cause, now), not_before=None, failure=None), cause)


def settle(
    task: Task, outcome: Outcome, route: Sequence[Step], policy: RetryPolicy, now: float, jitter: float
) -> Settled:
    """Turn the outcome of a lane into the task's next state.

    Args:
        task: the task as stored, with the products made so far.
        outcome: what became of the lane.
        route: every stage in order.
        policy: the ceiling and pace of retries.
        now: seconds since the epoch.
        jitter: a random number in [0, 1).
    """
    match outcome:
        case Succeeded():
            return Settled(advance(change(task, Cause.ADVANCED, now), route), Cause.ADVANCED)
        case Interrupted():
            return Settled(advance(change(task, Cause.INTERRUPTED, now), route), Cause.INTERRUPTED)
        case Failed(failure=failure):
            return _settle_failure(task, outcome, policy, now, jitter, failure)


LOOK_AGAIN_S = 10.0
"""After so many seconds, up to twice as many, a task that waits for the disk is tried again."""
MOST_CRASHES = 3
"""A task whose work was begun so often without coming to an end is not begun once more.

What counts is the death of whatever worked on it: of its engine, or its share in a death of the daemon.
"""
_ROUNDING = 1e-6
"""Shares such as three thirds do not always add up to one."""


def _settle_failure(
    task: Task, outcome: Failed, policy: RetryPolicy, now: float, jitter: float, failure: Failure
) -> Settled:
    task = replace(task, blame=0.0)  # an end in order, whatever its reason
    if outcome.waits_for is not None:
        later = replace(change(task, Cause.POSTPONED, now), not_before=now + LOOK_AGAIN_S * (1 + jitter))
        return Settled(
            replace(later, failure=failure, stage=failure.stage, waiting_for=outcome.waits_for), Cause.POSTPONED
        )
    kind = WorkerCrashed.type if outcome.crashed else failure.type
    seen = task.ended_by(kind) + 1
    task = replace(task, faults=tuple((dict(task.faults) | {kind: seen}).items()))
    decision = policy.decide(
        retries=outcome.retries, seen=seen, attempt=task.attempt, now=now, jitter=jitter, wish_s=outcome.wish_s
    )
    if isinstance(decision, RetryAt):
        later = replace(change(task, Cause.POSTPONED, now), attempt=task.attempt + 1, not_before=decision.when)
        return Settled(replace(later, failure=failure, stage=failure.stage, waiting_for=None), Cause.POSTPONED)
    if outcome.crashed and seen >= MOST_CRASHES:
        failure = Failure.of(WorkerCrashed(), failure.stage, task.options.model)
    return _end(task, Cause.TIMED_OUT if outcome.times_out else Cause.FAILED, failure, now)


def _end(task: Task, cause: Cause, failure: Failure, now: float) -> Settled:
    ended = change(task, cause, now)
    return Settled(replace(ended, failure=failure, stage=failure.stage, waiting_for=None), cause)


HELD = TaskWarning(
    "delivery_interrupted",
    "Some messages are kept because their robot was removed or disabled.",
    "部分消息因机器人已被移除或停用而保留，尚未送达。",
)
REFUSED = TaskWarning(
    "wecom_refused",
    "WeCom refused a message; the others were sent. The whole text is at the task's result.",
    "有消息被企业微信拒收，其余已发送；完整文本可从任务结果获取。",
)
DOUBTED = TaskWarning(
    "delivery_in_doubt",
    "It was not certain that a message had arrived, so it was sent again: readers may see it twice.",
    "曾无法确认某条消息是否送达，已重发，读者可能看到重复。",
)


@dataclass(frozen=True, slots=True)
class Delivery:
    """How a task's messages came to rest: whether any is held by a paused robot, was refused, was ever in doubt."""

    held: bool = False
    refused: bool = False
    doubted: bool = False

    def warnings(self, earlier: Sequence[TaskWarning]) -> tuple[TaskWarning, ...]:
        """What to warn of, with the warnings of the stages before."""
        mine = {HELD: self.held, REFUSED: self.refused, DOUBTED: self.doubted}
        types = {warning.type for warning in mine}
        stages = (warning for warning in earlier if warning.type not in types)
        return (*stages, *(warning for warning, applies in mine.items() if applies))


def finish(task: Task, now: float, delivery: Delivery) -> Settled:
    """Complete a task whose messages have all come to rest."""
    done = change(task, Cause.FINISHED, now)
    warnings = delivery.warnings(task.warnings)
    return Settled(replace(done, stage=Stage.DONE, waiting_for=None, warnings=warnings), Cause.FINISHED)


def rescue(task: Task, route: Sequence[Step], now: float) -> Settled:
    """Put a task that a dead daemon left in the middle back before its first missing product.

    One that has brought down too many daemons, as far as can be told, ends here.
    """
    if task.blame > MOST_CRASHES - _ROUNDING:
        return _end(task, Cause.FAILED, Failure.of(WorkerCrashed(), task.stage, task.options.model), now)
    return Settled(advance(change(task, Cause.RESCUED, now), route), Cause.RESCUED)


def cancel(task: Task, now: float) -> Settled:
    """End a task because its owner wishes so; its stage tells where it was."""
    return Settled(replace(change(task, Cause.CANCELLED, now), waiting_for=None, not_before=None), Cause.CANCELLED)


LAYER_OF = {"transcript": "transcript", "proofread": "proofread", "summary": "summary"}
"""The layer that a product is, by its field of ``Artifacts``."""


def retry(task: Task, dropped: Collection[str], route: Sequence[Step], now: float) -> Settled:
    """Start a finished task again because its owner wishes so; its attempts count from one again.

    Args:
        task: the task as stored.
        dropped: products, by their field of ``Artifacts``, that are to be made anew.
        route: every stage in order.
        now: seconds since the epoch.
    """
    left = replace(task.artifacts, **dict.fromkeys(dropped))
    again = {layer for name, layer in LAYER_OF.items() if getattr(left, name) is None}
    layers = tuple(
        (name, LayerState.PENDING if name in again and state is not LayerState.DISABLED else state)
        for name, state in task.layers
    )
    started = replace(
        change(task, Cause.RETRIED, now), attempt=1, faults=(), blame=0.0, not_before=now, failure=None, warnings=()
    )
    return Settled(advance(replace(started, artifacts=left, layers=layers), route), Cause.RETRIED)


def redeliver(task: Task, now: float) -> Settled:
    """Bring a completed task back to delivery because its owner wishes so."""
    again = change(task, Cause.REDELIVERED, now)
    return Settled(replace(again, stage=Stage.DELIVER, waiting_for=Waiting.DELIVERY), Cause.REDELIVERED)


def advance(task: Task, route: Sequence[Step]) -> Task:
    """Let ``task`` wait for the lane of its first missing product."""
    step = next_step(task.artifacts, route)
    if step is None:
        return replace(task, stage=Stage.DELIVER, waiting_for=Waiting.DELIVERY)
    waiting = {Lane.FETCH: None, Lane.ASR: Waiting.DEVICE, Lane.TEXT: Waiting.LLM}[step.lane]
    return replace(task, stage=step.name, waiting_for=waiting)


def next_step(artifacts: Artifacts, route: Sequence[AnyStep]) -> AnyStep | None:
    """The first stage whose product does not exist; None when only delivery is left.

    This one rule is cache hit, retry and restart after a crash alike.
    """
    return next((step for step in route if getattr(artifacts, step.makes) is None), None)
