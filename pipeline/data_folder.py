"""The data folder: private, held by one daemon at a time, and saying where that daemon answers."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

from pipeline.errors import DataFolderUnusable


@contextmanager
def backup_socket(folder: Path) -> Iterator[Path]:
    """Name the socket at which the daemon that holds this folder takes wishes for backups.

    The path of a socket may have 107 bytes, that of a folder many more: so it is named by way of an open folder.
    """
    descriptor = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield Path(f"/proc/self/fd/{descriptor}/backup.sock")
    finally:
        os.close(descriptor)


class DataFolder:
    """``storage.dir`` while this daemon holds it; use it as a context manager."""

    def __init__(self, path: Path) -> None:
        """Name the folder; nothing is touched before ``with``."""
        self.path = path.absolute()
        self._lock_fd: int | None = None

    @property
    def database(self) -> Path:
        """The store's file."""
        return self.path / "transcribed.db"

    @property
    def processes(self) -> Path:
        """Where the processes that work for this daemon are on record."""
        return self.path / "processes"

    @property
    def _announcement(self) -> Path:
        return self.path / "daemon.json"

    def __enter__(self) -> Self:
        """Make the folder if need be and take its lock.

        Raises:
            DataFolderUnusable: it cannot be made or written, or another daemon holds it.
        """
        os.umask(0o077)
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock_fd = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise DataFolderUnusable(f"{self.path}: {error.strerror}") from error
        try:
            fcntl.flock(self._lock_fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            holder = self._holder(os.pread(self._lock_fd, 200, 0))
            os.close(self._lock_fd)
            problem = f"{self.path} is in use by another daemon: {holder} / 已被另一个进程占用"
            raise DataFolderUnusable(problem) from None
        os.ftruncate(self._lock_fd, 0)
        since = datetime.now(UTC).isoformat(timespec="seconds")
        os.pwrite(self._lock_fd, json.dumps({"pid": os.getpid(), "since": since}).encode(), 0)
        self._announcement.unlink(missing_ok=True)
        return self

    def __exit__(self, *_: object) -> None:
        """Take the announcement back and let go of the folder."""
        self.withdraw()
        if self._lock_fd is not None:
            os.close(self._lock_fd)

    def _holder(self, lock: bytes) -> str:
        """Say who holds the folder, as far as can be known: a daemon that is just starting has no address yet."""
        try:
            known = json.loads(lock)
            who = f"process {known['pid']}, since {known['since']}"
        except (ValueError, KeyError):
            return "process unknown"
        try:
            return f"{who}, at {json.loads(self._announcement.read_text(encoding='utf-8'))['url']}"
        except (OSError, ValueError, KeyError):
            return who

    def announce(self, url: str) -> None:
        """Write ``daemon.json``: this process answers at ``url`` now."""
        draft = self._announcement.with_suffix(".new")
        draft.write_text(json.dumps({"pid": os.getpid(), "url": url}) + "\n", encoding="utf-8")
        draft.replace(self._announcement)

    def withdraw(self) -> None:
        """Take ``daemon.json`` away: nobody answers any more."""
        self._announcement.unlink(missing_ok=True)
