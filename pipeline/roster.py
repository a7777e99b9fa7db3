"""Who works for this daemon: every process it has started, on record in the data folder.

Each process ends by its lifeline when the daemon dies. One that cannot, such as one that is stopped or stuck in a
library, is found by this record at the next start. It is known by its number and the moment it was born: a number alone
belongs to somebody else in time.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import select
import shutil
import signal
import tempfile
from pathlib import Path

GONE_WITHIN_S = 5.0
"""How long a process that was killed may take to be gone."""
_PREFIX = "transcribed-"
_SOCKETS = "sockets"
_LONGEST_FOLDER_BYTES = 107 - len("/999.sock")
"""A socket's path holds 107 bytes on Linux (unix(7), ``sun_path``)."""
_SHORT = Path("/tmp")  # noqa: S108 - what is made in it has a random name and is nobody else's
"""Where sockets lie if the folder for temporary files is too deep for them."""


def born(pid: int) -> int | None:
    """When a process was born, in clock ticks since the machine started; None if there is no such process."""
    try:
        return int(_stat(pid)[19])
    except (OSError, ValueError):
        return None


def _stat(pid: int) -> list[str]:
    """The fields of ``/proc/PID/stat`` from the third on; the second, the name, may hold anything."""
    return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()


class Roster:
    """A file for each process that runs, named by its number and its birth; safe to use from any thread."""

    def __init__(self, folder: Path) -> None:
        """Name the folder; nobody else writes there while the data folder is held."""
        self._folder = folder

    def enter(self, pid: int) -> None:
        """Put a process that was just started on record."""
        at = born(pid)
        if at is not None:
            self._folder.mkdir(mode=0o700, exist_ok=True)
            (self._folder / f"{pid}-{at}").touch(mode=0o600)

    def leave(self, pid: int) -> None:
        """Take a process that is gone off the record."""
        for entry in self._folder.glob(f"{pid}-*"):
            entry.unlink(missing_ok=True)

    def socket_folder(self) -> Path:
        """Make a folder for sockets; their paths must be short, so it cannot be here, but its place is on record."""
        self._folder.mkdir(mode=0o700, exist_ok=True)
        name = f"{_PREFIX}{secrets.token_hex(8)}"
        usual = Path(tempfile.gettempdir()) / name
        folder = usual if len(os.fsencode(usual)) <= _LONGEST_FOLDER_BYTES else _SHORT / name
        (self._folder / _SOCKETS).symlink_to(folder)  # before it is made, or a death in between would leave it for ever
        folder.mkdir(mode=0o700)
        return folder

    def remove_sockets(self) -> None:
        """Remove the folder for sockets, if there is one."""
        record = self._folder / _SOCKETS
        if record.is_symlink():
            folder = record.readlink()
            if folder.name.startswith(_PREFIX):
                shutil.rmtree(folder, ignore_errors=True)
            record.unlink()

    def end_leftovers(self) -> list[int]:
        """End the processes that a dead daemon left behind, with all they started; returns their numbers."""
        self.remove_sockets()
        ended = []
        for entry in self._folder.glob("*-*"):
            number, _, at = entry.name.partition("-")
            if at.isdecimal() and born(int(number)) == int(at) and _end(int(number)):
                ended.append(int(number))
            entry.unlink()
        return ended


def _end(pid: int) -> bool:
    """End a process and its group, and wait until it is gone; False if it was gone, waiting only to be buried."""
    with contextlib.suppress(OSError):
        state, _, group = _stat(pid)[:3]
        if state == "Z":
            return False
        ending = os.pidfd_open(pid)
        try:
            if int(group) == pid:
                os.killpg(pid, signal.SIGKILL)
            else:  # it had no time to begin a group of its own
                signal.pidfd_send_signal(ending, signal.SIGKILL)
            select.select([ending], [], [], GONE_WITHIN_S)
        finally:
            os.close(ending)
        return True
    return False
