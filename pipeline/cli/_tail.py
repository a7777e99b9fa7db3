"""Read a log that rotates: backwards from its end, then onwards as it grows."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Self

BLOCK_BYTES = 64 * 1024
LOOK_EVERY_S = 0.25


class Tail:
    """A file of lines and its predecessors: ``daemon.jsonl``, then ``daemon.jsonl.1``, older with every number.

    Use it as a context manager.
    """

    def __init__(self, file: Path) -> None:
        """Stand behind the last whole line; what is written from now on is for `onwards`. The file may be missing."""
        self._file = file
        self._reader: BinaryIO | None = None
        self._open(at_end=True)

    def __enter__(self) -> Self:
        """Give itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the file."""
        if self._reader is not None:
            self._reader.close()

    def backwards(self) -> Iterator[bytes]:
        """Yield the lines that are there, the newest first, file after file; call it before `onwards`."""
        if self._reader is None:
            return
        place, known = self._reader.tell(), os.fstat(self._reader.fileno()).st_ino
        yield from _lines_backwards(self._reader, place)
        self._reader.seek(place)
        for older in self._names()[1:]:
            with older.open("rb") as file:
                if os.fstat(file.fileno()).st_ino != known:  # rotated while we were reading: we had that one
                    yield from _lines_backwards(file, file.seek(0, os.SEEK_END))

    def onwards(self) -> Iterator[bytes]:
        """Yield every further line as it is written, across rotations, for ever."""
        while True:
            yield from self._new_lines()
            if self._place() != 0:
                yield from self._new_lines()  # what was written before it was rotated and after we looked
                if self._move_on():
                    continue
            time.sleep(LOOK_EVERY_S)

    def _new_lines(self) -> Iterator[bytes]:
        if self._reader is None:
            return
        if os.fstat(self._reader.fileno()).st_size < self._reader.tell():
            self._reader.seek(0)  # emptied in its place, as logrotate's copytruncate does
        while (line := self._reader.readline()).endswith(b"\n"):
            yield line.rstrip(b"\n")
        self._reader.seek(-len(line), os.SEEK_CUR)  # a line that is only half written

    def _move_on(self) -> bool:
        """Go on with the file that follows ours; False while there is none."""
        place = self._place()
        following = self._names()[place - 1] if place else self._file
        return self._open(following)

    def _place(self) -> int | None:
        """Where our file stands among its names now: 0 is the newest; None: nowhere."""
        if self._reader is None:
            return None
        ours = os.fstat(self._reader.fileno()).st_ino
        return next((place for place, name in enumerate(self._names()) if _inode(name) == ours), None)

    def _names(self) -> list[Path]:
        numbered = [path for path in self._file.parent.glob(f"{self._file.name}.*") if path.suffix[1:].isdecimal()]
        return [self._file, *sorted(numbered, key=lambda path: int(path.suffix[1:]))]

    def _open(self, file: Path | None = None, *, at_end: bool = False) -> bool:
        try:
            reader = (file or self._file).open("rb")
        except FileNotFoundError:
            return False
        if self._reader is not None:
            self._reader.close()
        self._reader = reader
        if at_end:
            reader.seek(_end_of_lines(reader))
        return True


def _inode(path: Path) -> int | None:
    try:
        return path.stat().st_ino
    except FileNotFoundError:
        return None


def _end_of_lines(file: BinaryIO) -> int:
    """Find the place behind the last whole line; usually the end of the file."""
    end = file.seek(0, os.SEEK_END)
    while end > 0:
        file.seek(end - 1)
        if file.read(1) == b"\n":
            break
        end -= 1
    return end


def _lines_backwards(file: BinaryIO, end: int) -> Iterator[bytes]:
    """Yield the lines before a place, the last one first, without reading more than is asked for."""
    rest = b""
    while end > 0:
        start = max(0, end - BLOCK_BYTES)
        file.seek(start)
        # The first piece may go on in the block before.
        rest, *lines = (file.read(end - start) + rest).split(b"\n")
        yield from filter(None, reversed(lines))
        end = start
    if rest:
        yield rest
