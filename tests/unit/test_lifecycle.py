"""The state machine: every legal change, nothing else, and outcomes turned into states."""

from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given, strategies as st

from pipeline.core.lifecycle import (
    MEANING,
    MOST_CRASHES,
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
from pipeline.core.products import Artifacts, Audio, CleanText, Composed, MediaFile, MediaInfo, Summary, TranscriptInfo
from pipeline.core.retry import (
    LONGEST_DELAY_S,
    LONGEST_WISH_S,
    GiveUp,
    RetryAt,
    RetryPolicy,
    read_retry_after,
)
from pipeline.core.task import Failure, Lane, LayerState, Options, Source, Stage, Status, Task, TaskWarning, Waiting
from pipeline.failures import EngineDied
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


def test_each_kind_of_fault_has_its_own_retries() -> None:
    """Tries that one kind of fault has used up are not missing to another kind."""
    once = settle(PROCESSING, failed(), ROUTE, POLICY, 1.0, 0.0).task
    other = Failed("t", Lane.FETCH, replace(FAILURE, type="decode_failed"), retries=1, times_out=False)
    second = settle(claim(once, 2.0).task, other, ROUTE, POLICY, 2.0, 0.0).task
    assert (Status.RETRYING, 3) == (second.status, second.attempt)
    third = settle(claim(second, 3.0).task, other, ROUTE, POLICY, 3.0, 0.0).task
    assert (Status.FAILED, "decode_failed") == (third.status, third.failure and third.failure.type)


def test_waiting_for_the_disk_costs_no_attempt() -> None:
    """However often the disk is full, a task waits for it, says so, and has all its attempts left."""
    full = replace(failed(), waits_for=Waiting.DISK)
    task = PROCESSING
    for number in range(20):
        waiting = settle(task, full, ROUTE, POLICY, 100.0 * number, 0.5).task
        assert (Status.RETRYING, Waiting.DISK, 1) == (waiting.status, waiting.waiting_for, waiting.attempt)
        assert waiting.not_before is not None
        assert 10 < waiting.not_before - 100.0 * number < 20
        task = claim(waiting, 100.0 * number + 50).task


def test_a_recording_that_its_engine_dies_of_three_times_is_named() -> None:
    """A recording that its engine dies of three times is named; until then its deaths are counted."""
    died = Failure.of(EngineDied(), Stage.TRANSCRIBE, "demo")
    outcome = Failed("t", Lane.ASR, died, EngineDied.retries, times_out=False, crashed=True)
    task = PROCESSING
    for deaths in (1, 2):
        task = settle(task, outcome, ROUTE, POLICY, 1.0, 0.0).task
        assert (Status.RETRYING, deaths) == (task.status, task.ended_by("worker_crashed"))
        task = claim(task, 2.0).task
    ended = settle(task, outcome, ROUTE, POLICY, 1.0, 0.0).task
    assert (Status.FAILED, "worker_crashed", Stage.TRANSCRIBE) == (ended.status, ended.failure.type, ended.stage)
    again = retry(ended, [], ROUTE, 3.0).task
    assert () == again.faults


@given(st.lists(st.integers(1, 7), max_size=30))
def test_a_task_ends_once_its_shares_in_deaths_of_the_daemon_make_three(others: list[int]) -> None:
    """A task ends once its shares in deaths of the daemon make three, whatever the shares."""
    task, total = PROCESSING, Fraction(0)
    for count in others:
        total += Fraction(1, count)
        task = rescue(replace(task, blame=task.blame + 1 / count), ROUTE, 9.0).task
        if total >= MOST_CRASHES:
            assert (Status.FAILED, "worker_crashed") == (task.status, task.failure.type)
            return
        assert Status.PROCESSING == task.status


@given(
    st.integers(0, 10),
    st.integers(1, 10),
    st.integers(1, 50),
    st.floats(0, 1e9),
    st.floats(0, 1, exclude_max=True),
    st.none() | st.floats(0, 1e6),
)
def test_a_retry_is_never_early_and_never_later_than_the_cap(
    retries: int, seen: int, attempt: int, now: float, jitter: float, wish_s: float | None
) -> None:
    """A retry is never early, waits as long as it is asked to, and never longer than the caps."""
    decision = POLICY.decide(retries=retries, seen=seen, attempt=attempt, now=now, jitter=jitter, wish_s=wish_s)
    if seen > retries or attempt > POLICY.max_retries:
        assert GiveUp() == decision
    else:
        assert isinstance(decision, RetryAt)
        wish = min(LONGEST_WISH_S, wish_s or 0.0)
        assert now + max(POLICY.delay_s, wish) <= decision.when <= now + max(LONGEST_DELAY_S, wish)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("7", 7.0),
        ("-1", 0.0),
        ("Fri, 15 Jan 2027 08:01:00 GMT", 60.0),
        ("Fri, 15 Jan 2027 07:00:00 GMT", 0.0),
        ("soon", None),
        ("", None),
    ],
)
def test_a_wish_to_be_left_alone_is_read_as_seconds_or_a_date(value: str, seconds: float | None) -> None:
    """A wish to be left alone is read as seconds or a date; anything else is no wish."""
    assert seconds == read_retry_after(value, 1_800_000_000.0)
