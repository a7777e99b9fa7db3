"""A file on its way in: written as it comes, counted and hashed, and gone again unless it arrives whole.

It lies from its first byte in the work folder of the task it will belong to, under a name of our own. A daemon
that dies leaves a folder without a task, which the next start sweeps away.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Self, TypeVar

from pipeline.core.uploads import Upload
from pipeline.failures import DISK_IS_FULL
from pipeline.refusals import BodyTooLarge, InvalidValue, NoSpace

R = TypeVar("R")

UPLOAD_NAME = "media"
"""Without an extension: what a file is, its content says."""
MEBIBYTE, GIBIBYTE = 1024**2, 1024**3
WRITE_BYTES = MEBIBYTE
"""What has come is written in pieces of this size, so that threads are not changed for every packet."""


class Incoming:
    """One file; as an asynchronous context manager it removes what was never finished."""

    def __init__(self, task_id: str, folder: Path, *, max_mb: int, min_free_gb: float) -> None:
        """Know where the file will lie; nothing is touched before its first byte.

        Args:
            task_id: of the task it will belong to.
            folder: the task's work folder.
            max_mb: largest file, in MiB.
            min_free_gb: what has to stay free on the disk, in GiB.
        """
        self.task_id = task_id
        """Of the task it will belong to."""
        self._folder = folder
        self._max_mb = max_mb
        self._min_free_gb = min_free_gb
        self._size_bytes = 0
        self._hash = hashlib.sha256()
        self._waiting = bytearray()
        self._file: int | None = None
        self._finished = False

    async def __aenter__(self) -> Self:
        """Begin."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Remove the file if it did not arrive whole."""
        if not self._finished:
            await self.discard()

    async def write(self, piece: bytes) -> None:
        """Take what came next.

        Raises:
            BodyTooLarge: the file is larger than it may be.
            NoSpace: the disk has no room for it.
        """
        self._size_bytes += len(piece)
        if self._size_bytes > self._max_mb * MEBIBYTE:
            raise BodyTooLarge(f"a file of more than api.max_upload_mb = {self._max_mb}", param="file")
        self._waiting += piece
        if len(self._waiting) >= WRITE_BYTES:
            await _in_thread(self._write_waiting)

    async def finish(self) -> Upload:
        """Write the rest and make all of it durable; from now on the file stays.

        Raises:
            InvalidValue: nothing came.
            NoSpace: the disk has no room for it.
        """
        if not self._size_bytes:
            raise InvalidValue("the file is empty", param="file")
        await _in_thread(self._close)
        self._finished = True
        return Upload(self.task_id, self._size_bytes, self._hash.hexdigest())

    async def discard(self) -> None:
        """Remove the file and its folder."""
        await _in_thread(self._remove)

    # -- in a thread --------------------------------------------------------------------------

    def _write_waiting(self) -> None:
        try:
            if self._file is None:
                self._folder.mkdir(mode=0o700, parents=True)
                self._file = os.open(self._folder / UPLOAD_NAME, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            self._check_room(len(self._waiting))
            rest = memoryview(bytes(self._waiting))
            self._hash.update(rest)
            while rest:
                rest = rest[os.write(self._file, rest) :]
        except OSError as error:
            raise NoSpace(error.strerror or "") if error.errno in DISK_IS_FULL else error from None
        self._waiting.clear()

    def _check_room(self, size_bytes: int) -> None:
        free_bytes = shutil.disk_usage(self._folder).free
        if free_bytes - size_bytes < self._min_free_gb * GIBIBYTE:
            raise NoSpace(f"less than storage.min_free_gb = {self._min_free_gb:g} would stay free")

    def _close(self) -> None:
        self._write_waiting()
        if self._file is not None:
            os.fsync(self._file)
            os.close(self._file)
            self._file = None

    def _remove(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None
        shutil.rmtree(self._folder, ignore_errors=True)


async def _in_thread(work: Callable[[], R]) -> R:
    """Run in a thread; a caller that is cancelled waits for its end, so that nobody else meets it halfway."""
    running = asyncio.ensure_future(asyncio.to_thread(work))
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        await asyncio.wait({running})
        raise
