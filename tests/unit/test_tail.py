"""Reading a log that rotates, backwards and onwards."""

from __future__ import annotations

import os
from itertools import islice
from pathlib import Path

import pytest

from pipeline.cli._tail import BLOCK_BYTES, Tail


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "daemon.jsonl"


def append(file: Path, *lines: str) -> None:
    with file.open("a") as opened:
        opened.writelines(f"{line}\n" for line in lines)


def rotate(file: Path) -> None:
    """Rename as the log does it: the oldest last."""
    for number in range(9, 0, -1):
        older = file.with_name(f"{file.name}.{number}")
        if older.exists():
            older.rename(file.with_name(f"{file.name}.{number + 1}"))
    file.rename(file.with_name(f"{file.name}.1"))


def test_backwards_gives_the_newest_line_first_over_all_files(file: Path) -> None:
    """Lines come from the newest file, then from .1, .2 and so on to .10, each from its end."""
    for number in range(11):
        append(file, f"{number} first", f"{number} second")
        if number < 10:
            rotate(file)
    expected = [f"{number} {place}".encode() for number in range(10, -1, -1) for place in ("second", "first")]
    with Tail(file) as tail:
        assert expected == list(tail.backwards())


@pytest.mark.parametrize("length", [1, 7, 1000, BLOCK_BYTES - 1, BLOCK_BYTES, BLOCK_BYTES + 1, 3 * BLOCK_BYTES])
def test_lines_of_any_length_come_whole(file: Path, length: int) -> None:
    """A line may lie in one block, over the border of two, or over several."""
    lines = [f"{number % 10}" * length for number in range(5)]
    append(file, *lines)
    with Tail(file) as tail:
        assert [line.encode() for line in reversed(lines)] == list(tail.backwards())


def test_onwards_begins_where_backwards_began(file: Path) -> None:
    """What is written between looking back and following is not lost, and nothing comes twice."""
    append(file, "before")
    with Tail(file) as tail:
        append(file, "between")
        assert [b"before"] == list(tail.backwards())
        append(file, "after")
        assert [b"between", b"after"] == list(islice(tail.onwards(), 2))


def test_half_a_line_waits_for_its_other_half(file: Path) -> None:
    """A line that is only half written is given once it is whole, backwards and onwards."""
    append(file, "whole")
    with file.open("a") as opened:
        opened.write("ha")
    with Tail(file) as tail:
        assert [b"whole"] == list(tail.backwards())
        append(file, "lf", "next")
        lines = tail.onwards()
        assert [b"half", b"next"] == list(islice(lines, 2))


def test_onwards_follows_every_rotation(file: Path) -> None:
    """Lines written before, between and after several rotations come in their order."""
    append(file, "old")
    with Tail(file) as tail:
        lines = tail.onwards()
        append(file, "1")
        assert b"1" == next(lines)
        append(file, "2")
        rotate(file)
        append(file, "3")
        rotate(file)
        append(file, "4", "5")
        assert [b"2", b"3", b"4", b"5"] == list(islice(lines, 4))


def test_a_file_moved_elsewhere_is_read_to_its_end(file: Path, tmp_path: Path) -> None:
    """A tool such as logrotate may give it a name of its own: the rest of the old file comes, then the new one."""
    append(file, "old")
    with Tail(file) as tail:
        lines = tail.onwards()
        append(file, "1")
        assert b"1" == next(lines)
        append(file, "2")
        file.rename(tmp_path / "daemon.jsonl-20261122")
        append(file, "3")
        assert [b"2", b"3"] == list(islice(lines, 2))


def test_a_file_emptied_in_its_place_is_read_from_its_start(file: Path) -> None:
    """After logrotate's copytruncate the new lines come."""
    append(file, "old", "older")
    with Tail(file) as tail:
        lines = tail.onwards()
        os.truncate(file, 0)
        append(file, "new")
        assert b"new" == next(lines)


def test_a_file_that_comes_later_is_read_from_its_start(file: Path) -> None:
    """A log that is not there yet has no lines behind, and all of its lines ahead."""
    with Tail(file) as tail:
        assert [] == list(tail.backwards())
        append(file, "first")
        assert b"first" == next(tail.onwards())
