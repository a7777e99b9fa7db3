"""Everybody's tasks in numbers: how many wait and run, where, and how long things take."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pipeline.core.task import Priority, Status, Waiting


@dataclass(frozen=True, slots=True)
class LaneFigures:
    """How many tasks wait somewhere, and how many run."""

    waiting: int
    running: int


@dataclass(frozen=True, slots=True)
class Durations:
    """How many took how long together, in seconds."""

    count: int
    total_s: float

    @property
    def mean_s(self) -> float | None:
        """How long one took; None if there was none."""
        return self.total_s / self.count if self.count else None


@dataclass(frozen=True, slots=True)
class Figures:
    """All tasks that are listed."""

    tasks: Mapping[Status, int]
    """How many of each status."""
    oldest_at: float | None
    """When the oldest unfinished task was accepted."""
    lanes: Mapping[str, LaneFigures]
    """By lane, ``deliver`` included; a lane without unfinished tasks may be missing."""
    whole: Durations
    """From acceptance to completion."""
    stages: Mapping[str, Durations]
    """By stage, each counted when it made its product."""

    @property
    def success_rate(self) -> float | None:
        """Share of the tasks that ended by themselves and have a result; None if none ended."""
        done = self.tasks[Status.COMPLETED]
        failed = self.tasks[Status.FAILED] + self.tasks[Status.TIMEOUT]
        return done / (done + failed) if done + failed else None


@dataclass(frozen=True, slots=True)
class Standing:
    """Where one task stands."""

    task_id: str
    lane: str
    position: int | None
    """Its place among those that wait for the lane, from 1; None: it runs."""
    model: str
    priority: Priority
    waiting_for: Waiting | None


@dataclass(frozen=True, slots=True)
class QueueView:
    """Who waits for what."""

    unfinished: int
    """Accepted and without a transcript: what the room is measured by."""
    lanes: Mapping[str, LaneFigures]
    models: Mapping[str, LaneFigures]
    """Tasks without a transcript, by the model they want."""
    tasks: tuple[Standing, ...]
    """The owner's own."""
