"""The thread side: fold the stages of one lane into one outcome."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import structlog

from pipeline.bridge import StopSignal, side_by_side
from pipeline.child import Limits
from pipeline.config import Settings
from pipeline.core.lifecycle import Failed, Interrupted as WasInterrupted, Outcome, Succeeded, next_step
from pipeline.core.progress import Reading
from pipeline.core.task import Failure, Lane, Stage, Task, Waiting
from pipeline.core.transcript import Segment
from pipeline.errors import DataFolderUnusable, Interrupted
from pipeline.failures import DISK_IS_FULL, DiskFull, GpuOutOfMemory, InternalFailure, StageFailed
from pipeline.house import House
from pipeline.log import bind_task
from pipeline.ports import (
    OnSegments,
    Question,
    Recognition,
    Recognized,
    Reply,
    StageContext,
    StageWork,
)

WAITS_FOR: Mapping[type[StageFailed], Waiting] = {DiskFull: Waiting.DISK, GpuOutOfMemory: Waiting.DEVICE}
"""Failures that are no attempt: the task waits for what it lacks."""
ANSWERS_A_STAGE = 3.0
"""A text stage may ask for as long as so many answers may take one after the other, however short the recording."""

log = structlog.get_logger()


class Recognizer(Protocol):
    """What turns sound into segments: one device's engine."""

    def recognize(
        self,
        task: Task,
        request: Recognition,
        on_segments: OnSegments,
        stop: StopSignal,
        on_start: Callable[[], object],
    ) -> Recognized: ...


@dataclass(frozen=True, slots=True)
class WorkUnit:
    """A task with the lane whose stages it is to go through, and the device it was placed on."""

    task: Task
    lane: Lane
    recognizer: Recognizer | None = None


class _Stops:
    """When the work on one task is to end."""

    def __init__(self, soon: StopSignal, now: StopSignal) -> None:
        """Follow the signals of the house, or of the work that this is a part of."""
        self.soon = StopSignal()
        """Raised when nothing more may be begun, and what can be continued later is broken off."""
        self.now = StopSignal()
        """Raised when everything is broken off."""
        self.now.on_raise(self.soon.raise_now)
        self._forget = soon.on_raise(self.soon.raise_now), now.on_raise(self.now.raise_now)

    def close(self) -> None:
        """Follow no more."""
        for forget in self._forget:
            forget()


class Executor:
    """Runs work units; ``run`` is called on a pool's thread."""

    def __init__(self, house: House, route: Sequence[StageWork]) -> None:
        """Take the stages in order and what they may use."""
        self._house = house
        self._route = route
        self._stops: dict[str, _Stops] = {}
        """What ends the work on one task, by its id; only tasks in hand are here."""

    def run(self, unit: WorkUnit) -> Outcome:
        """Make every product of the unit's lane that does not exist yet; whatever happens is the outcome."""
        stops = self._stops[unit.task.id] = _Stops(self._house.stop, self._house.halt)
        try:
            with bind_task(unit.task.id):
                return self._fold(unit, stops)
        finally:
            stops.close()
            del self._stops[unit.task.id]

    def interrupt(self, task_id: str) -> None:
        """End the work on a task that is in hand; its outcome is ``Interrupted``. Called on the loop."""
        stops = self._stops.get(task_id)
        if stops is not None:
            stops.now.raise_now()

    def _fold(self, unit: WorkUnit, stops: _Stops) -> Outcome:
        stage = unit.task.stage
        try:
            unit = self._without_lost_files(unit)
            while (step := self._next(unit, stops)) is not None:
                stage = step.name
                unit = self._make(unit, step, stops)
        except (Interrupted, DataFolderUnusable):  # the daemon ends, so or so; it is not the task's fault
            return WasInterrupted(unit.task.id, unit.lane)
        except StageFailed as failure:
            return _failed(unit, stage, failure)
        except BaseException as error:
            if isinstance(error, OSError) and error.errno in DISK_IS_FULL:
                return _failed(unit, stage, DiskFull(str(error)))
            log.exception("a stage raised what it should have named", stage=stage)
            return _failed(unit, stage, InternalFailure())
        return Succeeded(unit.task.id, unit.lane)

    def _without_lost_files(self, unit: WorkUnit) -> WorkUnit:
        """Drop products whose files are gone or cut, such as after a power failure: they are made again."""
        lost = self._house.products_gone(unit.task)
        if not lost:
            return unit
        log.warning("files are gone or cut; they are made again", products=lost)
        self._house.ask(self._house.store.drop(unit.task.id, lost))
        return self._stored(unit)

    def _next(self, unit: WorkUnit, stops: _Stops) -> StageWork | None:
        stops.soon.check()
        step = next_step(unit.task.artifacts, self._route)
        return step if step is not None and step.lane is unit.lane else None

    def _make(self, unit: WorkUnit, step: StageWork, stops: _Stops) -> WorkUnit:
        """Run one stage and store its product; returns the unit that knows it."""
        house, task, began = self._house, unit.task, time.monotonic()
        if not house.ask(house.store.enter(task.id, step.name, time.time())):
            raise Interrupted  # cancelled while it waited for this thread
        context = _Context(house, unit, step.name, stops)
        context.report(0.0)
        if step.lane is Lane.TEXT:  # done in this process; what others do begins with their first sign of life
            context.begin()
        try:
            made = step.run(context, task.artifacts)
        except StageFailed as failure:
            stops.soon.check()  # what was cut short by a stop has not failed
            if failure.spoils:
                house.ask(house.store.drop(task.id, failure.spoils))
            raise
        took_s = round(time.monotonic() - began, 3)
        if not house.ask(house.store.keep(task.id, step.makes, made, time.time(), took_s)):
            raise Interrupted  # cancelled while it ran: nobody wants this product any more
        context.report(1.0)
        log.info("stage done", stage=step.name, took_s=took_s)
        return self._stored(unit)

    def _stored(self, unit: WorkUnit) -> WorkUnit:
        stored = self._house.ask(self._house.store.get(unit.task.id))
        if stored is None:
            raise Interrupted
        return WorkUnit(stored, unit.lane, unit.recognizer)


def _failed(unit: WorkUnit, stage: Stage, error: StageFailed) -> Failed:
    failure = Failure.of(error, Stage(error.stage or stage), unit.task.options.model)
    return Failed(
        unit.task.id,
        unit.lane,
        failure,
        error.retries,
        error.times_out,
        wish_s=error.wish_s,
        crashed=error.crashed,
        waits_for=WAITS_FOR.get(type(error)),
    )


class _Context:
    """What one stage of one task may use of the house (see ``ports.StageContext``)."""

    def __init__(self, house: House, unit: WorkUnit, stage: Stage, stops: _Stops) -> None:
        self._house = house
        self._stops = stops
        self._unit = unit
        self._stage = stage
        self._asking_until = time.monotonic() + self._asking_limit_s()
        self.log = log

    @property
    def task(self) -> Task:
        return self._unit.task

    def _asking_limit_s(self) -> float:
        """How long one stage may ask an LLM: as long as the recording is, or as long as three answers may take."""
        transcript = self.task.artifacts.transcript
        length_s = transcript.duration_s if transcript else 0.0
        return max(ANSWERS_A_STAGE * self.settings.llm.timeout_s, length_s)

    @property
    def settings(self) -> Settings:
        return self._house.settings

    @property
    def work(self) -> Path:
        return self._house.work_folder(self.task.id)

    def begin(self) -> None:
        """Note that from here on the work may bring down what does it."""
        self._house.ask(self._house.store.begin(self.task.id))

    def report(self, fraction: float, **details: Any) -> None:  # noqa: ANN401 - fields of Reading
        self._house.bridge.post(self._house.note_progress, self.task.id, Reading(self._stage, fraction, **details))

    def run_child(
        self,
        program: str,
        request: Mapping[str, object],
        on_line: Callable[[dict[str, Any]], None],
        *,
        timeout_s: float,
        stall_s: float | None = None,
        may_finish: bool = False,
    ) -> dict[str, Any]:
        self._stops.soon.check()
        self.work.mkdir(mode=0o700, parents=True, exist_ok=True)
        child = self._house.zygote.fork(program)
        stop = self._stops.now if may_finish else self._stops.soon
        return child.run(request, on_line, Limits(timeout_s, stall_s), stop, self.begin)

    @contextmanager
    def beside(self, stage: Stage, work: Callable[[StageContext], object]) -> Iterator[None]:
        outer, stops = self._stops, _Stops(self._stops.soon, self._stops.now)
        context = _Context(self._house, self._unit, stage, stops)

        def run() -> None:
            try:
                work(context)
            except StageFailed as failure:
                failure.stage = stage
                raise

        self._stops = stops
        try:
            with side_by_side(run, stops.now):
                yield
        finally:
            self._stops = outer
            stops.close()

    def recognize(self, request: Recognition, on_segments: OnSegments) -> Recognized:
        if self._unit.recognizer is None:
            raise InternalFailure("this task was given no device")
        return self._unit.recognizer.recognize(self.task, request, on_segments, self._stops.soon, self.begin)

    def checkpoint(self, segments: Sequence[Segment], language: str) -> None:
        self._house.ask(self._house.store.keep_segments(self.task.id, segments, language))

    def segments(self) -> tuple[Segment, ...]:
        return self._house.ask(self._house.store.segments(self.task.id))

    def ask_llm(self, questions: Sequence[Question], on_reply: Callable[[], None] = lambda: None) -> list[Reply]:
        if self._house.llm is None:
            raise InternalFailure("no LLM is configured")
        self._stops.soon.check()
        self._house.llm.load()
        stops, left_s = self._stops, self._asking_until - time.monotonic()
        replies = self._house.llm.ask_all(self.task.id, questions, self._house.store, on_reply, stops.soon, left_s)
        return self._house.bridge.call(replies, timeout_s=None, stop=stops.now)
