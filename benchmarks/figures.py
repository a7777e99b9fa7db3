"""A measured figure, the bar it must reach, and the table they make."""

from __future__ import annotations

import functools
import os
import platform
import subprocess
from dataclasses import dataclass
from pathlib import Path
from statistics import median

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class AtLeast:
    """A figure must be this large."""

    limit: float

    def __str__(self) -> str:
        """As the table shows it."""
        return f"≥ {self.limit:g}"

    def is_met(self, value: float) -> bool:
        """Whether a value is good enough."""
        return value >= self.limit


@dataclass(frozen=True)
class AtMost:
    """A figure must be this small."""

    limit: float

    def __str__(self) -> str:
        """As the table shows it."""
        return f"≤ {self.limit:g}"

    def is_met(self, value: float) -> bool:
        """Whether a value is good enough."""
        return value <= self.limit


@dataclass(frozen=True)
class Figure:
    """One line of the table; several runs give several values, and their median is judged."""

    name: str
    unit: str
    values: tuple[float, ...]
    bar: AtLeast | AtMost | None = None

    @property
    def median(self) -> float:
        """The value in the middle."""
        return median(self.values)

    @property
    def is_met(self) -> bool:
        """Whether it reaches its bar, if it has one."""
        return self.bar is None or self.bar.is_met(self.median)

    @property
    def row(self) -> str:
        """Median, least and most, and how it stands to its bar."""
        least, most = min(self.values), max(self.values)
        judged = f"{self.bar} | {'yes' if self.is_met else '**no**'}" if self.bar else " | "
        spread = f"{least:.3g} – {most:.3g} | {len(self.values)}"
        return f"| {self.name} | {self.median:.3g} {self.unit} | {spread} | {judged} |"


def table(figures: list[Figure]) -> str:
    """Write figures as a table."""
    head = ["| figure | median | least – most | runs | bar | met |", "|---|---|---|---|---|---|"]
    return "\n".join([*head, *(figure.row for figure in figures)])


def percentile(values: list[float], percent: float) -> float:
    """Return the value that so many percent of them do not exceed."""
    return sorted(values)[min(len(values) - 1, int(len(values) * percent / 100))]


def machine() -> str:
    """Say what is measured, on what, and how busy that is with other things."""
    model = next(
        (line.split(":", 1)[1].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")),
        platform.processor(),
    )
    memory_gb = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return (
        f"{os.cpu_count()} cores ({model}), {memory_gb:.0f} GiB, {platform.system()} {platform.release()}, "
        f"Python {platform.python_version()}, commit {_commit()}, load before: {os.getloadavg()[0]:.1f}"
    )


@functools.cache
def _commit() -> str:
    """Name what is measured; asked once, before the first table goes into the page."""
    found = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return found.stdout.strip() or "unknown"


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
