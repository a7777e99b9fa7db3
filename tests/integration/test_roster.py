"""What a dead daemon left behind is found and ended by number and birth, and nobody else is."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.roster import Roster, born
from tests.daemon import ROOT

IDLE = [sys.executable, "-c", "import sys; print(flush=True); sys.stdin.read()"]
GONE_WITHIN_S = 5.0


@pytest.fixture
def process() -> Iterator[subprocess.Popen[bytes]]:
    """A process in a group of its own that does nothing."""
    with subprocess.Popen(IDLE, stdin=subprocess.PIPE, stdout=subprocess.PIPE, process_group=0) as process:
        process.stdout.readline()
        yield process
        process.kill()


def entries(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


def test_a_process_is_on_record_while_it_works(tmp_path: Path, process: subprocess.Popen[bytes]) -> None:
    """A process stands on record with its number and birth until it is taken off."""
    roster = Roster(tmp_path / "processes")
    roster.enter(process.pid)
    assert [f"{process.pid}-{born(process.pid)}"] == entries(tmp_path / "processes")
    roster.leave(process.pid)
    assert [] == entries(tmp_path / "processes")


def test_a_process_that_was_left_behind_is_ended(tmp_path: Path, process: subprocess.Popen[bytes]) -> None:
    """The next daemon ends a process that is still there, even one that is stopped, and forgets it."""
    Roster(tmp_path / "processes").enter(process.pid)
    process.send_signal(signal.SIGSTOP)
    later = Roster(tmp_path / "processes")
    assert [process.pid] == later.end_leftovers()
    assert -signal.SIGKILL == process.wait(GONE_WITHIN_S)
    assert [] == entries(tmp_path / "processes")
    assert [] == later.end_leftovers()


def test_a_stranger_with_the_same_number_is_left_alone(tmp_path: Path, process: subprocess.Popen[bytes]) -> None:
    """A process that has the number of a former one, but was born later, is not ours; nor is nonsense on record."""
    folder = tmp_path / "processes"
    folder.mkdir()
    for name in (f"{process.pid}-{born(process.pid) - 1}", f"{process.pid}-", f"{process.pid}-x", "4194305-1"):
        (folder / name).touch()
    assert [] == Roster(folder).end_leftovers()
    assert process.poll() is None
    assert [] == entries(folder)


def test_sockets_have_room_however_deep_temporary_files_lie(tmp_path: Path) -> None:
    """A socket's path holds 107 bytes; where the folder for temporary files takes them all, another one is used."""
    deep = tmp_path.joinpath(*["a" * 50] * 3)
    deep.mkdir(parents=True)
    program = (
        "import socket, sys; from pathlib import Path; from pipeline.roster import Roster\n"
        "roster = Roster(Path(sys.argv[1])); folder = roster.socket_folder()\n"
        "socket.socket(socket.AF_UNIX).bind(str(folder / '63.sock')); roster.remove_sockets()\n"
        "print(folder.exists())"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "processes")],
        env={**os.environ, "TMPDIR": str(deep)},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ("False\n", "") == (done.stdout, done.stderr)


def test_the_folder_of_sockets_goes_with_its_daemon(tmp_path: Path) -> None:
    """The folder of a dead daemon's sockets is removed by the next one, which has its own."""
    roster = Roster(tmp_path / "processes")
    first = roster.socket_folder()
    (first / "cpu.sock").touch()
    later = Roster(tmp_path / "processes")
    assert [] == later.end_leftovers()
    assert not first.exists()
    second = later.socket_folder()
    assert second.is_dir()
    later.remove_sockets()
    assert not second.exists()


def test_a_folder_that_is_not_ours_is_not_removed(tmp_path: Path) -> None:
    """A record that somebody bent towards another folder removes nothing there."""
    precious = tmp_path / "precious"
    precious.mkdir()
    (tmp_path / "processes").mkdir()
    (tmp_path / "processes" / "sockets").symlink_to(precious)
    Roster(tmp_path / "processes").end_leftovers()
    assert precious.is_dir()
