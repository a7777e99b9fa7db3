"""A measured figure, and the table they make."""

from __future__ import annotations

import os
import platform
import subprocess
from dataclasses import dataclass
from pathlib import Path
from statistics import median

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Figure:
    """One line of the table; several runs give several values."""

    name: str
    unit: str
    values: tuple[float, ...]

    @property
    def row(self) -> str:
        """Median, least and most."""
        least, most = min(self.values), max(self.values)
        return (
            f"| {self.name} | {median(self.values):.3g} {self.unit} | {least:.3g} – {most:.3g} | {len(self.values)} |"
        )


def table(figures: list[Figure]) -> str:
    """Write all figures below what they were measured on."""
    head = ["| figure | median | least – most | runs |", "|---|---|---|---|"]
    return "\n".join([_machine(), "", *head, *(figure.row for figure in figures)])


def _machine() -> str:
    model = next(
        (line.split(":", 1)[1].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")),
        platform.processor(),
    )
    memory_gb = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    commit = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True, check=False
    ).stdout.strip()
    return (
        f"{os.cpu_count()} cores ({model}), {memory_gb:.0f} GiB, {platform.system()} {platform.release()}, "
        f"Python {platform.python_version()}, commit {commit or 'unknown'}"
    )


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
