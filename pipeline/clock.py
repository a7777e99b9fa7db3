"""Where the parts that count time get it from: what people read on a clock, and what no setting of it moves."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.core.moment import Moment

_MACHINE_START = Path("/proc/sys/kernel/random/boot_id")


def _machine_start() -> str:
    """Name this start of the machine; empty where the system has no name for it."""
    try:
        return _MACHINE_START.read_text(encoding="ascii").strip()
    except OSError:
        return ""


@dataclass(frozen=True, slots=True)
class Clock:
    """The machine's time, or in tests one that runs faster or is set."""

    wall: Callable[[], float] = time.time
    """Seconds since the epoch, by a clock that somebody may set."""
    uptime: Callable[[], float] = time.monotonic
    """Seconds since the start of the machine, for every process of it the same."""
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    machine: str = field(default_factory=_machine_start)

    def moment(self) -> Moment:
        """Read the time."""
        return Moment(self.wall(), self.uptime(), self.machine)
