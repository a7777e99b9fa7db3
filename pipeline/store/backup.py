"""A consistent copy of the database in one file, which has its name only once it is whole, checked and durable."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from pipeline.errors import CommandFailed
from pipeline.store._file import naming


@contextmanager
def draft_of(path: Path) -> Iterator[sqlite3.Connection]:
    """Open an empty database to copy into; at the end of the block it becomes the file of this name.

    Raises:
        CommandFailed: there is such a file already, it cannot be written, or the copy is not sound.
    """
    draft = path.with_name(f".{path.name}.partial")
    with _naming(path):
        if path.exists():
            raise _exists(path)
        draft.unlink(missing_ok=True)
        os.close(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        try:
            # It is filled on the thread of the store. Until it is whole nobody needs it to survive anything.
            with closing(sqlite3.connect(draft, isolation_level=None, check_same_thread=False)) as copy:
                copy.executescript("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;")
                yield copy
        except BaseException:
            draft.unlink(missing_ok=True)
            raise


def finish(path: Path) -> int:
    """Make the draft one file that needs no journal, check it, make it durable and give it its name.

    Returns:
        Its size in bytes.

    Raises:
        CommandFailed: the copy is not sound, or there is such a file meanwhile.
    """
    draft = path.with_name(f".{path.name}.partial")
    try:
        with _naming(path):
            with closing(sqlite3.connect(draft, isolation_level=None)) as copy:
                copy.execute("PRAGMA journal_mode = DELETE")
                _check(copy, path)
            _make_durable(draft)
            if path.exists():
                raise _exists(path)
            draft.rename(path)
            _make_durable(path.parent)
            return path.stat().st_size
    finally:
        draft.unlink(missing_ok=True)


def back_up_closed(database: Path, path: Path) -> int:
    """Copy a database that no daemon has open; returns as ``finish``.

    Raises:
        CommandFailed: as ``finish``.
        DataFolderUnusable: the database cannot be read.
    """
    with closing(sqlite3.connect(database, isolation_level=None)) as source:
        with naming(database):
            source.execute("PRAGMA schema_version").fetchone()
        with draft_of(path) as draft:
            source.backup(draft)
    return finish(path)


def _check(copy: sqlite3.Connection, path: Path) -> None:
    answer = "; ".join(row[0] for row in copy.execute("PRAGMA quick_check(3)"))
    if answer != "ok":
        raise CommandFailed(
            f"{path}: the copy is not sound, so it was not kept: {answer}. The database itself may be damaged.",
            f"{path}：副本未通过校验，未保留：{answer}。数据库本身可能已损坏。",
        )


def _make_durable(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _exists(path: Path) -> CommandFailed:
    return CommandFailed(
        f"{path} is there already and is not overwritten: choose another name.",
        f"{path} 已存在，不会被覆盖：请换一个名称。",
    )


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, sqlite3.Error) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise CommandFailed(
            f"{path}: {why}. The daemon's user must be able to write there; in a service of systemd, name the folder "
            "in ReadWritePaths=.",
            f"{path}：{why}。运行服务的用户须能写入该位置；使用 systemd 时请在 ReadWritePaths= 中加入该目录。",
        ) from error
