"""How much of everything: the sizes of the library, of training and of evaluation."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Batch:
    """Windows that are learned from together."""

    frames: int
    windows: int


@dataclass(frozen=True)
class Phase:
    """Some steps, each of which takes the next of these batches."""

    steps: int
    batches: tuple[Batch, ...]


@dataclass(frozen=True)
class Plan:
    """The whole recipe in numbers."""

    parts: int
    """Parts of the library."""
    sentences: int
    """Sentences in each part."""
    phases: tuple[Phase, ...]
    evaluation_s: float
    """Held-out speech, of each language."""
    seed: int = 7
    threads: int = 2
    peak_rate: float = 3e-3
    last_rate: float = 3e-5
    warm_up_steps: int = 50
    save_every: int = 100

    @property
    def steps(self) -> int:
        """Of all phases."""
        return sum(phase.steps for phase in self.phases)

    def batch(self, step: int) -> Batch:
        """Return what the step of this number, from 0, learns from."""
        for phase in self.phases:
            if step < phase.steps:
                return phase.batches[step % len(phase.batches)]
            step -= phase.steps
        raise IndexError(f"the plan ends {step} steps earlier")

    def progress(self, step: int) -> float:
        """Return how far this step is, from 0 to 1."""
        return step / self.steps

    def rate(self, step: int) -> float:
        """Return the learning rate of a step: up in a line, down in a cosine."""
        cosine = (1 + math.cos(math.pi * self.progress(step))) / 2
        return (self.last_rate + (self.peak_rate - self.last_rate) * cosine) * min(1, (step + 1) / self.warm_up_steps)


FULL = Plan(
    parts=12,
    sentences=750,
    phases=(
        # Short windows first: what sounds mean is learned before where to look in a long one.
        Phase(480, (Batch(500, 18),)),
        Phase(920, (Batch(500, 18), Batch(1200, 10), Batch(1200, 10), Batch(3000, 5))),
        Phase(800, (Batch(1200, 10), Batch(1200, 10), Batch(3000, 6))),
    ),
    evaluation_s=200,
)
CHECK = Plan(
    parts=2,
    sentences=40,
    phases=(Phase(6, (Batch(500, 4),)), Phase(4, (Batch(1200, 3), Batch(3000, 2)))),
    evaluation_s=10,
    save_every=5,
)
"""Everything once, small: it shows that the recipe runs, and makes a model that knows nothing."""
