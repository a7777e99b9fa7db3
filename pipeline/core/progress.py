"""How far a task is, as numbers that never fall."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.core.lifecycle import Step
from pipeline.core.task import Stage

ALMOST = 99.9
"""The most a task shows before it is completed; 100 belongs to ``completed`` alone."""


@dataclass(frozen=True, slots=True)
class Reading:
    """One measurement inside a stage.

    ``fraction`` is the done share of the stage in [0, 1]; source times are seconds of the recording,
    ``speed`` is seconds of the recording per second of the clock while transcribing.
    """

    stage: Stage
    fraction: float
    source_done_s: float | None = None
    source_total_s: float | None = None
    speed: float | None = None
    eta_s: float | None = None
    bytes_done: int | None = None
    bytes_total: int | None = None


@dataclass(frozen=True, slots=True)
class Progress:
    """What a task's state shows: the overall percent and the latest reading."""

    percent: float
    reading: Reading


def measure(reading: Reading, route: Sequence[Step]) -> Progress:
    """Place a reading on the whole way, by the weights of the stages; before the first and after the last it is 0."""
    fraction = min(1.0, max(0.0, reading.fraction))
    names = [step.name for step in route]
    if reading.stage not in names:
        return Progress(0.0, reading)
    place = names.index(reading.stage)
    done = sum(step.weight for step in route[:place]) + route[place].weight * fraction
    return Progress(min(ALMOST, 100 * done / sum(step.weight for step in route)), reading)
