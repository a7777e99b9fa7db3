"""The state machine: every legal change, nothing else, and outcomes turned into states."""

from dataclasses import replace

import pytest
from hypothesis import given, strategies as st

from pipeline.core.lifecycle import (
    MEANING,
    TRANSITIONS,
    Cause,
    Delivery,
    Failed,
    IllegalTransition,
    Interrupted,
    Succeeded,
    cancel,
    change,
    claim,
    finish,
    next_step,
    redeliver,
    rescue,
    retry,
    settle,
)
from pipeline.core.retry import LONGEST_DELAY_S, GiveUp, RetryAt, RetryPolicy
from pipeline.core.task import (
    Artifacts,
    Audio,
    CleanText,
    Composed,
    Failure,
    Lane,
    LayerState,
    MediaFile,
    MediaInfo,
    Options,
    Source,
    Stage,
    Status,
    Summary,
    Task,
    TaskWarning,
    TranscriptInfo,
    Waiting,
)
from tests.contract.examples import ROUTE

PRODUCTS = {
    "media": MediaInfo("Generic", "a", "A"),
    "file": MediaFile("media.mp4", 10),
    "audio": Audio("audio.s16le", 1.0),
    "transcript": TranscriptInfo("en", "asr", "demo", "cpu", 1.0, 1),
    "proofread": CleanText((), "offline"),
    "summary": Summary("", ""),
    "messages": Composed(2),
}
NEW = Task("t", "default", Source("http://a/", "http://a/"), Options("demo"), created_at=1.0, updated_at=1.0)
PROCESSING = replace(NEW, status=Status.PROCESSING, started_at=2.0)
POLICY = RetryPolicy(max_retries=3, delay_s=5.0)
FAILURE = Failure("source_unreachable", Stage.DOWNLOAD, "m", "中", "h", retryable=True)


def made(count: int) -> Artifacts:
    """What is known after the first ``count`` stages."""
    return Artifacts(**{step.makes: PRODUCTS[step.makes] for step in ROUTE[:count]})


def failed(retries: int = 5, *, times_out: bool = False) -> Failed:
    return Failed("t", Lane.FETCH, FAILURE, retries, times_out)


@given(st.sampled_from(Status), st.sampled_from(Cause))
def test_a_status_changes_as_the_table_says_or_not_at_all(status: Status, cause: Cause) -> None:
    """A status changes as the table says or not at all."""
    task = replace(NEW, status=status)
    if (status, cause) in TRANSITIONS:
        assert TRANSITIONS[status, cause] == change(task, cause, 9.0).status
    else:
        with pytest.raises(IllegalTransition):
            change(task, cause, 9.0)


def test_only_its_owner_brings_a_task_back_from_its_end() -> None:
    """Only its owner brings a task back from its end."""
    assert {Cause.RETRIED, Cause.REDELIVERED} == {cause for status, cause in TRANSITIONS if status.final}


def test_a_cancelled_task_stays_where_it_was() -> None:
    """A cancelled task stays where it was, waits for nothing, and is not cancelled twice."""
    cancelled = cancel(replace(PROCESSING, stage=Stage.TRANSCRIBE, waiting_for=Waiting.DEVICE), 9.0).task
    assert (Status.CANCELLED, Stage.TRANSCRIBE, None, 9.0) == (
        cancelled.status,
        cancelled.stage,
        cancelled.waiting_for,
        cancelled.finished_at,
    )
    with pytest.raises(IllegalTransition):
        cancel(cancelled, 10.0)


def test_a_retry_begins_before_the_first_product_that_is_missing_or_dropped() -> None:
    """A retry begins before the first product that is missing or dropped, with fresh attempts and layers."""
    layers = (("transcript", LayerState.DONE), ("proofread", LayerState.DONE), ("summary", LayerState.DISABLED))
    done = replace(PROCESSING, status=Status.COMPLETED, attempt=3, artifacts=made(7), layers=layers, failure=FAILURE)
    again = retry(done, ["proofread", "summary", "messages"], ROUTE, 9.0).task
    assert (Status.RETRYING, Stage.PROOFREAD, 1, 9.0, None) == (
        again.status,
        again.stage,
        again.attempt,
        again.not_before,
        again.failure,
    )
    assert ["done", "pending", "disabled"] == [state for _, state in again.layers]
    assert (PRODUCTS["transcript"], None) == (again.artifacts.transcript, again.artifacts.proofread)


def test_a_redelivery_waits_for_delivery() -> None:
    """A redelivery waits for delivery."""
    again = redeliver(replace(PROCESSING, status=Status.COMPLETED, stage=Stage.DONE), 9.0).task
    assert (Status.PROCESSING, Stage.DELIVER, Waiting.DELIVERY) == (again.status, again.stage, again.waiting_for)


def test_every_cause_is_explained() -> None:
    """Every cause is explained."""
    assert set(Cause) == set(MEANING)


def test_a_task_is_started_once_and_finished_once() -> None:
    """A task is started once and finished once."""
    started = claim(NEW, 5.0)
    assert (Cause.CLAIMED, Status.PROCESSING, 5.0) == (started.cause, started.task.status, started.task.started_at)
    again = claim(replace(started.task, status=Status.RETRYING, not_before=6.0, failure=FAILURE), 7.0)
    assert (Cause.DUE, 5.0, None, None) == (
        again.cause,
        again.task.started_at,
        again.task.not_before,
        again.task.failure,
    )
    done = finish(again.task, 9.0, Delivery())
    assert (Status.COMPLETED, Stage.DONE, 9.0) == (done.task.status, done.task.stage, done.task.finished_at)
    with pytest.raises(IllegalTransition):
        claim(done.task, 10.0)


def test_a_task_whose_robot_holds_messages_completes_with_a_warning() -> None:
    """A task whose robot holds messages completes with a warning."""
    done = finish(PROCESSING, 9.0, Delivery(held=True)).task
    assert ["delivery_interrupted"] == [warning.type for warning in done.warnings]


def test_warnings_say_how_the_messages_came_to_rest() -> None:
    """What was refused or in doubt is warned of behind what the stages said, and what holds no more is not."""
    before = (TaskWarning("no_speech", "", ""), *Delivery(held=True, refused=True).warnings(()))
    after = Delivery(refused=True, doubted=True).warnings(before)
    assert ["no_speech", "wecom_refused", "delivery_in_doubt"] == [warning.type for warning in after]


@pytest.mark.parametrize(
    ("known", "stage", "waiting"),
    [
        (0, Stage.CAPTIONS, None),
        (1, Stage.DOWNLOAD, None),
        (3, Stage.TRANSCRIBE, Waiting.DEVICE),
        (4, Stage.PROOFREAD, Waiting.LLM),
        (7, Stage.DELIVER, Waiting.DELIVERY),
    ],
)
def test_a_task_waits_for_the_lane_of_its_first_missing_product(
    known: int, stage: Stage, waiting: Waiting | None
) -> None:
    """A task waits for the lane of its first missing product, after success, interruption and rescue alike."""
    task = replace(PROCESSING, artifacts=made(known))
    settled = [
        settle(task, Succeeded("t", Lane.FETCH), ROUTE, POLICY, 9.0, 0.0),
        settle(task, Interrupted("t", Lane.FETCH), ROUTE, POLICY, 9.0, 0.0),
        rescue(task, ROUTE, 9.0),
    ]
    assert [(Status.PROCESSING, stage, waiting, 1)] * 3 == [
        (one.task.status, one.task.stage, one.task.waiting_for, one.task.attempt) for one in settled
    ]


def test_a_product_that_exists_is_never_made_again() -> None:
    """A product that exists is never made again."""
    with_transcript = Artifacts(transcript=PRODUCTS["transcript"], media=PRODUCTS["media"])
    assert "file" == next_step(with_transcript, ROUTE).makes
    assert next_step(made(7), ROUTE) is None


def test_a_fault_that_may_pass_is_tried_again_until_the_ceiling() -> None:
    """A fault that may pass is tried again until the ceiling."""
    task = PROCESSING
    for attempt in (2, 3, 4):
        settled = settle(task, failed(), ROUTE, POLICY, 100.0, 0.0)
        assert (Status.RETRYING, attempt, FAILURE) == (
            settled.task.status,
            settled.task.attempt,
            settled.task.failure,
        )
        task = claim(settled.task, 200.0).task
    last = settle(task, failed(), ROUTE, POLICY, 100.0, 0.0)
    assert (Status.FAILED, Cause.FAILED, 4, Stage.DOWNLOAD) == (
        last.task.status,
        last.cause,
        last.task.attempt,
        last.task.stage,
    )


def test_a_fault_that_cannot_pass_fails_at_once() -> None:
    """A fault that cannot pass fails at once; one of time ends as timeout."""
    assert Status.FAILED == settle(PROCESSING, failed(retries=0), ROUTE, POLICY, 1.0, 0.0).task.status
    late = settle(PROCESSING, failed(retries=0, times_out=True), ROUTE, POLICY, 1.0, 0.0)
    assert (Status.TIMEOUT, Cause.TIMED_OUT) == (late.task.status, late.cause)


@given(
    st.integers(0, 10),
    st.integers(1, 50),
    st.floats(0, 1e9),
    st.floats(0, 1, exclude_max=True),
)
def test_a_retry_is_never_early_and_never_later_than_the_cap(
    retries: int, attempt: int, now: float, jitter: float
) -> None:
    """A retry is never early and never later than the cap."""
    decision = POLICY.decide(retries=retries, attempt=attempt, now=now, jitter=jitter)
    if attempt > min(retries, POLICY.max_retries):
        assert GiveUp() == decision
    else:
        assert isinstance(decision, RetryAt)
        assert now + POLICY.delay_s <= decision.when <= now + LONGEST_DELAY_S
