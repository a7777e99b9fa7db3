"""The database file: made private, opened with care, checked, and brought to the newest version."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from pydantic import ValidationError

from pipeline.errors import DataFolderUnusable
from pipeline.failures import DiskFull
from pipeline.refusals import DbBusy
from pipeline.store._sql import MIGRATIONS

BUSY_MS = 50
"""So long SQLite itself waits for another program; who wants to wait longer does so without keeping readers waiting."""

# FULL outlives a power failure, not only a crash. An outside tool may hold the file for a while, so wait for it.
# A schema that somebody changed by hand must not run functions of its own.
_SETTINGS = """
    PRAGMA synchronous = FULL;
    PRAGMA foreign_keys = ON;
    PRAGMA busy_timeout = 5000;
    PRAGMA wal_autocheckpoint = 1000;
    PRAGMA journal_size_limit = 67108864;
    PRAGMA trusted_schema = OFF;
    PRAGMA cell_size_check = ON;
"""

_IN_THE_WAY = (
    "make sure that the folder can be written to and that no other program uses the file "
    "请确认该目录可写，且没有其他程序占用该文件"
)
_DAMAGED = (
    "restore a backup of the file, or move it and its -wal file aside to begin anew "
    "请恢复该文件的备份，或将它与 -wal 文件一起移走后重新开始"
)
_NEWER = "start the newer release again, or restore the copy it made 请使用较新的版本启动，或恢复升级前的副本"
_NOT_LOCAL = "put storage.dir on a local disk 请将 storage.dir 设在本地磁盘上"

_INCREMENTAL = 2

PRIMARY_CODE = 0xFF
"""The extended result codes of SQLite add bits above this."""
_SAID_OF_ROWS = ("Could not decode to UTF-8", "malformed JSON")
"""What is said, without a code of its own, of a row that holds what nobody wrote."""
_LAST_BYTES = 64 * 1024
"""With less than this free SQLite cannot make its files, and calls that an input/output error."""

_OF_THE_FILE = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
"""Result codes that say that the file is read well but holds something else than it should."""


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Turn whatever goes wrong with the file into an error that names it and says what to do.

    Raises:
        DataFolderUnusable: the file cannot be used.
    """
    try:
        yield
    except UnicodeDecodeError as error:  # what SQLite would say of the damage quotes it
        raise _unusable(path, str(error), _DAMAGED) from error
    except (sqlite3.Error, OSError) as error:
        code = getattr(error, "sqlite_errorcode", None)
        raise _unusable(
            path, str(error), _DAMAGED if code in {*_OF_THE_FILE, sqlite3.SQLITE_ERROR} else _IN_THE_WAY
        ) from error


def named_error(path: Path, error: sqlite3.Error | ValidationError | UnicodeDecodeError) -> Exception:
    """Say in our words what stopped a unit of work, if it is about the machine or the file; or return it as it is."""
    if isinstance(error, ValidationError | UnicodeDecodeError):
        return _unusable(path, _nonsense(error), _DAMAGED)
    match getattr(error, "sqlite_errorcode", 0) & PRIMARY_CODE:
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return DbBusy(str(error))
        case sqlite3.SQLITE_FULL:
            return DiskFull(str(error))
        case sqlite3.SQLITE_IOERR if shutil.disk_usage(path.parent).free < _LAST_BYTES:
            return DiskFull(str(error))
        case code if code in _OF_THE_FILE or any(said in str(error) for said in _SAID_OF_ROWS):
            return _unusable(path, str(error), _DAMAGED)
    return error


def _nonsense(error: ValidationError | UnicodeDecodeError) -> str:
    """Say what makes no sense; SQLite may quote such bytes in what it says."""
    if isinstance(error, ValidationError):
        return f"{error.title}: {error.errors(include_input=False)[0]['msg']}"
    return str(error)


def make_private(path: Path) -> None:
    """Make sure that the file exists, that we may write it, and that nobody but its owner may read it.

    Done before the connection's thread is started: a connection that fails to open does not wait for its thread.
    """
    journal = path.with_name(f"{path.name}-wal")
    if journal.exists() and not (path.exists() and path.stat().st_size):
        raise _unusable(path, f"it is missing or empty, but its journal {journal.name} is there", _DAMAGED)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        os.fchmod(descriptor, 0o600)
    finally:
        os.close(descriptor)


def prepare(conn: sqlite3.Connection, path: Path, migrations: Sequence[str] = MIGRATIONS) -> None:
    """Set the connection up, check the whole file, and migrate it."""
    conn.row_factory = sqlite3.Row
    with naming(path):
        conn.executescript(_SETTINGS)
        _check(conn, path)
        _use_journal(conn, path)
        _migrate(conn, path, migrations)
        conn.execute(f"PRAGMA busy_timeout = {BUSY_MS}")
        # What a statement may have to take back is small. In a file it could outlive a kill, and fail on a full disk.
        conn.execute("PRAGMA temp_store = MEMORY")


def _check(conn: sqlite3.Connection, path: Path) -> None:
    answer = [row[0] for row in conn.execute("PRAGMA quick_check(3)")]
    if answer != ["ok"]:
        raise _unusable(path, "; ".join(answer), _DAMAGED)


def _use_journal(conn: sqlite3.Connection, path: Path) -> None:
    # Where the file system cannot do it, as on a network share, the pragma does not fail: it answers.
    mode = conn.execute("PRAGMA journal_mode = WAL").fetchone()[0]
    if mode != "wal":
        raise _unusable(path, f"journal mode WAL is not possible here, only {mode}", _NOT_LOCAL)


def _migrate(conn: sqlite3.Connection, path: Path, migrations: Sequence[str]) -> None:
    version = conn.execute("PRAGMA user_version").fetchone()[0]
    if version > len(migrations):
        raise _unusable(path, f"version {version} is from a newer release; this one knows {len(migrations)}", _NEWER)
    if 0 < version < len(migrations):
        _keep_copy(conn, path.with_name(f"{path.stem}.v{version}{path.suffix}"))
    _let_shrink(conn)
    for number, script in enumerate(migrations[version:], start=version + 1):
        conn.executescript(f"BEGIN IMMEDIATE;\n{script}\nPRAGMA user_version = {number};\nCOMMIT;")


def _let_shrink(conn: sqlite3.Connection) -> None:
    """Keep track of free pages, so that they can be given back; a store that does not yet is written anew, once."""
    if conn.execute("PRAGMA auto_vacuum").fetchone()[0] != _INCREMENTAL:
        conn.execute("PRAGMA auto_vacuum = INCREMENTAL")
        conn.execute("VACUUM")


def _keep_copy(conn: sqlite3.Connection, copy: Path) -> None:
    """Keep the store as the older release knew it, so that one can go back."""
    copy.unlink(missing_ok=True)
    copy.touch(mode=0o600)
    conn.execute("VACUUM INTO ?", (str(copy),))


def _unusable(path: Path, what: str, cure: str) -> DataFolderUnusable:
    return DataFolderUnusable(f"{path}: {what}: {cure}")
