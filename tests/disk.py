"""A small disk of its own, which can be filled; only root can mount one."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Self

import pytest


class Disk:
    """A file system in memory; use it as a context manager."""

    def __init__(self, folder: Path, size_bytes: int) -> None:
        """Name the folder it will be mounted on."""
        self.folder = folder
        self._size_bytes = size_bytes

    def __enter__(self) -> Self:
        """Mount it; where that is not allowed, the test is skipped."""
        self.folder.mkdir(parents=True)
        mount = shutil.which("mount") or "mount"
        options = f"size={self._size_bytes}"
        done = subprocess.run(
            [mount, "-t", "tmpfs", "-o", options, "tmpfs", self.folder], check=False, capture_output=True
        )
        if done.returncode:
            pytest.skip(f"no disk of its own can be mounted: {done.stderr.decode(errors='replace').strip()}")
        return self

    def __exit__(self, *_: object) -> None:
        """Take it away with everything on it."""
        subprocess.run([shutil.which("umount") or "umount", self.folder], check=True)

    @property
    def _filling(self) -> Path:
        return self.folder / "filling"

    def fill(self, left_bytes: int = 0) -> None:
        """Leave no more than so much free."""
        with self._filling.open("ab") as file:
            os.posix_fallocate(file.fileno(), file.tell(), self._free_bytes() - left_bytes)

    def clear(self) -> None:
        """Free what was filled."""
        self._filling.unlink()

    def _free_bytes(self) -> int:
        return shutil.disk_usage(self.folder).free
