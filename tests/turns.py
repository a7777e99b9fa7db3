"""Turns: several processes run tests side by side, but a test that measures time has the machine to itself."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path


class Turns:
    """A room that holds many at once, or one alone, whatever process they are of.

    What is locked is a file that is there anyway, and its folder: nothing has to be made or removed, and the kernel
    unlocks what a process held that was killed.
    """

    def __init__(self, file: Path) -> None:
        """Find the room, which is this file, and its door, which is the folder the file is in."""
        self._room = os.open(file, os.O_RDONLY)
        self._door = os.open(file.parent, os.O_RDONLY)

    def close(self) -> None:
        """Leave for good."""
        os.close(self._room)
        os.close(self._door)

    @contextlib.contextmanager
    def turn(self, *, alone: bool) -> Iterator[None]:
        """Wait for room and be in it; who waits to be alone stands in the door, so that nobody else enters before."""
        with _locked(self._door, fcntl.LOCK_EX):
            fcntl.flock(self._room, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        try:
            yield
        finally:
            fcntl.flock(self._room, fcntl.LOCK_UN)


@contextlib.contextmanager
def _locked(fd: int, how: int) -> Iterator[None]:
    fcntl.flock(fd, how)
    try:
        yield
    finally:
        fcntl.flock(fd, fcntl.LOCK_UN)
