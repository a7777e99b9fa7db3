"""A file of no use but its size: on a full disk it is given up, so that what is under way can still be stored."""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from pathlib import Path

LARGEST_BYTES = 16 * 1024 * 1024
SHARE = 8
"""On a small disk the ballast is this part of it, so that it does not cause what it is for."""
PLENTY = 4
"""It is made where so many times its size is free."""
RESERVE = 16
"""With less than this part of its size free the disk counts as full."""


class Ballast:
    """The file, and how it stands with the disk it is on."""

    def __init__(self, path: Path) -> None:
        """Name the file; the folder must be there before anything else is called."""
        self._path = path

    def is_needed(self) -> bool:
        """Tell whether there is no room for new work: no more than the ballast is free, or would be with it there."""
        free_bytes, size_bytes = self._look()
        there = size_bytes if self._path.exists() else 0
        return free_bytes + there < size_bytes + size_bytes // RESERVE

    def adapt(self) -> None:
        """Lay it down where there is plenty of room, give it up where there is none."""
        free_bytes, size_bytes = self._look()
        if free_bytes < size_bytes // RESERVE:
            self.give_up()
        elif free_bytes >= PLENTY * size_bytes and not self._path.exists():
            self._lay_down(size_bytes)

    def give_up(self) -> bool:
        """Free its space; False if it was given up before."""
        try:
            self._path.unlink()
        except FileNotFoundError:
            return False
        return True

    def _lay_down(self, size_bytes: int) -> None:
        descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.posix_fallocate(descriptor, 0, size_bytes)
        except OSError:  # somebody else took the room
            with suppress(FileNotFoundError):
                self._path.unlink()
        finally:
            os.close(descriptor)

    def _look(self) -> tuple[int, int]:
        """Tell how much of the disk is free, and how large the ballast is on it."""
        disk = shutil.disk_usage(self._path.parent)
        return disk.free, min(LARGEST_BYTES, disk.total // SHARE)
