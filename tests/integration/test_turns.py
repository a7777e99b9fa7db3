"""The turns that tests take, so that one which measures time has the machine to itself."""

from __future__ import annotations

import contextlib
import fcntl
import os
import threading
import time
from pathlib import Path

import pytest

from tests.fakes.server import Record
from tests.turns import Turns

NO_TIME_S = 0.05
LOOK_S = 0.002


class Guest:
    """One that goes into the room from a thread of its own, as another process would."""

    def __init__(self, file: Path, name: str, diary: Record[str], *, alone: bool) -> None:
        self._turns = Turns(file)
        self._diary = diary
        self._leave = threading.Event()
        self._thread = threading.Thread(target=self._visit, args=(name, alone))
        self._thread.start()

    def _visit(self, name: str, alone: bool) -> None:  # noqa: FBT001 - a thread's argument
        with contextlib.closing(self._turns), self._turns.turn(alone=alone):
            self._diary.add(f"{name} is in")
            self._leave.wait()
            self._diary.add(f"{name} leaves")

    def leave(self) -> None:
        """Go out, and wait until that is done."""
        self._leave.set()
        self._thread.join()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Make a room of its own."""
    (room := tmp_path / "room").touch()
    return room


def is_locked(path: Path) -> bool:
    opened = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(opened)
    return False


def test_one_alone_waits_until_all_have_left_and_is_not_overtaken(file: Path) -> None:
    """Many are in at once; one who wants to be alone comes after them, and before those who came later."""
    diary: Record[str] = Record()
    first, second = (Guest(file, name, diary, alone=False) for name in ("first", "second"))
    diary.wait(lambda lines: len(lines) == 2)
    lonely = Guest(file, "lonely", diary, alone=True)
    while not is_locked(file.parent):  # nothing tells who waits for a lock but trying it
        time.sleep(LOOK_S)
    with pytest.raises(TimeoutError):
        diary.wait(lambda lines: len(lines) > 2, NO_TIME_S)
    late = Guest(file, "late", diary, alone=False)
    first.leave()
    with pytest.raises(TimeoutError):
        diary.wait(lambda lines: len(lines) > 3, NO_TIME_S)
    second.leave()
    assert "lonely is in" == diary.wait(lambda lines: len(lines) == 5)[-1]
    with pytest.raises(TimeoutError):
        diary.wait(lambda lines: len(lines) > 5, NO_TIME_S)
    lonely.leave()
    assert ["lonely leaves", "late is in"] == diary.wait(lambda lines: len(lines) == 7)[-2:]
    late.leave()
