"""A machine whose clock a test sets, and which it starts again."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.clock import Clock
from tests.contract.examples import NOW

UPTIME_S = 5000.0


@dataclass
class Machine:
    """Its time stands still until the test lets some pass; at first it is ``NOW``."""

    uptime_s: float = UPTIME_S
    off_by_s: float = 0.0
    starts: int = 1

    def wall(self) -> float:
        """Read the clock."""
        return NOW - UPTIME_S + self.uptime_s + self.off_by_s

    def clock(self) -> Clock:
        """The clock as a daemon knows it."""
        return Clock(self.wall, lambda: self.uptime_s, machine=f"start {self.starts}")

    def start_again(self, off_by_s: float) -> None:
        """Start the machine, its clock off by so much."""
        self.off_by_s = off_by_s + self.uptime_s
        self.uptime_s, self.starts = 0.0, self.starts + 1
