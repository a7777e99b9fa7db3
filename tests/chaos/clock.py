"""Time as the harness wants it: a loop on which waiting takes an Nth of its time, and a clock that can be set."""

from __future__ import annotations

import asyncio
import functools
import mmap
import selectors
import struct
import time
from pathlib import Path


class _FastSelector(selectors.DefaultSelector):
    """Waits for an Nth of the time it is told."""

    def __init__(self, speed: float) -> None:
        super().__init__()
        self._speed = speed

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        return super().select(timeout / self._speed if timeout is not None and timeout > 0 else timeout)


class FastLoop(asyncio.SelectorEventLoop):
    """A loop for which time passes N times as fast."""

    def __init__(self, speed: float) -> None:
        self._speed = speed
        super().__init__(_FastSelector(speed))

    def time(self) -> float:
        return super().time() * self._speed


class FastPolicy(asyncio.DefaultEventLoopPolicy):
    def __init__(self, speed: float) -> None:
        super().__init__()
        self._loop_factory = functools.partial(FastLoop, speed)


class WallClock:
    """By how many seconds one daemon's clock is set; a file, so that another process can set it."""

    _FORMAT = struct.Struct("d")

    def __init__(self, file: Path) -> None:
        """Open the file; a new one says that the clock is right."""
        if not file.exists():
            file.write_bytes(self._FORMAT.pack(0.0))
        with file.open("r+b") as opened:
            self._memory = mmap.mmap(opened.fileno(), self._FORMAT.size)

    def set_by(self, seconds: float) -> None:
        """Set it forward, or back, from what it says now."""
        self._FORMAT.pack_into(self._memory, 0, self._off_by_s + seconds)

    @property
    def _off_by_s(self) -> float:
        return self._FORMAT.unpack_from(self._memory)[0]

    def hang_up(self) -> None:
        """Make it this process's clock; the time that only goes on, ``time.monotonic``, is not touched."""
        right = time.time
        time.time = lambda: right() + self._off_by_s
