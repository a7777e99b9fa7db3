"""Units of work: many small transactions made durable together, on the connection's own thread.

A unit is one function ``(connection) -> result``. All units that wait when the thread comes round run in
one ``BEGIN IMMEDIATE … COMMIT``, so that one ``fsync`` and one hop between threads serve up to 64 callers.
The hops are what costs: one await per statement is about 14 times slower than this, with or without a shared
commit. If a unit raises, all of them are taken back and each runs again, alone: a unit changes nothing but the
database.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import aiosqlite
from pydantic import ValidationError

from pipeline.errors import DataFolderUnusable, Interrupted
from pipeline.store._file import PRIMARY_CODE, named_error

T = TypeVar("T")
Work = Callable[[sqlite3.Connection], T]

STEP_PAGES = 256
"""Pages, a megabyte in all, that a copy takes at a time; units wait no longer than for these."""
LARGEST_BATCH = 64
"""More units than this wait for the next commit, so that the first of them is not kept waiting."""


@dataclass(slots=True)
class _Unit:
    work: Work[Any]
    writes: bool
    future: asyncio.Future[Any]
    result: Any = None
    error: BaseException | None = None

    def settle(self) -> None:
        """Give the caller its result; a caller that was cancelled is no longer there to take it."""
        if self.future.done():
            return
        if self.error is None:
            self.future.set_result(self.result)
        else:
            self.future.set_exception(self.error)


class UnitsOfWork:
    """One SQLite connection and the units that wait for it. Used from one event loop."""

    def __init__(self, path: Path) -> None:
        """Begin closed; ``path`` is the database file."""
        self._path = path
        self._broken: asyncio.Future[BaseException | None] = asyncio.Future()
        self._waiting: deque[_Unit] = deque()
        self._db: aiosqlite.Connection | None = None
        self._flushing: asyncio.Task[None] | None = None

    async def open(self, prepare: Work[None]) -> None:
        """Connect, and run ``prepare`` before any unit; if it raises, nothing stays open."""
        factory = _connection_class(self._waiting)
        self._db = await aiosqlite.connect(self._path, factory=factory, isolation_level=None)
        try:
            await self.read(prepare)
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """Run every unit that waits, then end the connection and its thread; a second call does nothing."""
        db, self._db = self._db, None
        if db is not None:
            await db.close()

    async def write(self, work: Work[T]) -> T:
        """Run ``work`` in a transaction; its changes are durable when this returns.

        The unit runs even if the caller is cancelled meanwhile.

        Raises:
            DbBusy: another program holds the database.
            DiskFull: there is no space for the change.
            DataFolderUnusable: the file is damaged.
            Interrupted: the store is closed.
        """
        return await self._answer(work, writes=True)

    async def read(self, work: Work[T]) -> T:
        """Run ``work`` outside the shared transaction; it sees every write that was begun before it."""
        return await self._answer(work, writes=False)

    async def copy_into(self, copy: sqlite3.Connection) -> None:
        """Copy the whole database into an empty one, in steps; units run in between, and what they change is copied.

        Raises:
            Interrupted: the store was closed meanwhile.
        """
        conn = await self.read(lambda conn: conn)
        if self._db is None:
            raise Interrupted("the store is closed")

        def between_steps(*_: int) -> None:
            if self._db is None:
                raise Interrupted("the store is closed")
            conn.commit()

        await self._db.backup(copy, pages=STEP_PAGES, progress=between_steps)

    async def broken(self) -> BaseException | None:
        """Wait until units cannot be trusted to come to their end any more; returns what it is, if it was an error.

        Either one of them came upon damage in the file, or what runs them ended while they waited.
        """
        return await asyncio.shield(self._broken)

    async def _answer(self, work: Work[T], *, writes: bool) -> T:
        """Run ``work``; translate what is said about machine and file, everything else stays what it is."""
        try:
            return await self._enqueue(work, writes=writes)
        except (sqlite3.Error, ValidationError, UnicodeDecodeError) as error:
            named = named_error(self._path, error)
            if isinstance(named, DataFolderUnusable):
                self._break(named)
            raise named from error

    def _enqueue(self, work: Work[T], *, writes: bool) -> asyncio.Future[T]:
        if self._db is None:
            raise Interrupted("the store is closed")
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Unit(work, writes, future))
        if self._flushing is None or self._flushing.done():
            self._flushing = asyncio.create_task(self._flush(), name="store flush")
            self._flushing.add_done_callback(self._flushed)
        return future

    async def _flush(self) -> None:
        while self._waiting and self._db is not None:
            await self._db.commit()

    def _flushed(self, flushing: asyncio.Task[None]) -> None:
        """See that it ended because nobody waits; otherwise somebody would wait for ever."""
        if flushing.cancelled():
            self._break(None)
        elif (error := flushing.exception()) is not None:
            self._break(error)

    def _break(self, why: BaseException | None) -> None:
        if not self._broken.done():
            self._broken.set_result(why)


def _connection_class(waiting: deque[_Unit]) -> type[sqlite3.Connection]:
    class UnitConnection(sqlite3.Connection):
        """A connection whose ``commit()`` runs the units that wait; ``aiosqlite`` calls it on its thread."""

        def commit(self) -> None:
            # Between the steps of a copy as well: SQLite carries changes of the copied connection into the copy.
            batch = [waiting.popleft() for _ in range(min(len(waiting), LARGEST_BATCH))]
            _run_writes(self, [unit for unit in batch if unit.writes])
            _run_reads(self, [unit for unit in batch if not unit.writes])

        def close(self) -> None:
            """Leave nobody waiting, even if whoever closes the store is cancelled while it does."""
            while waiting:
                self.commit()
            super().close()

    return UnitConnection


def _run_writes(conn: sqlite3.Connection, units: Sequence[_Unit]) -> None:
    """Make all units durable with one commit; if that fails none of them has happened, and each is tried alone."""
    if not units:
        return
    try:
        conn.execute("BEGIN IMMEDIATE")
        for unit in units:
            unit.result = unit.work(conn)
        conn.execute("COMMIT")
    except BaseException as error:  # noqa: BLE001 - whatever it is, it is the answer that is waited for
        if conn.in_transaction:
            with suppress(sqlite3.Error):  # SQLite gave the transaction up by itself
                conn.execute("ROLLBACK")
        if len(units) > 1 and not _is_busy(error):  # what harms one, or is too large, need not harm the others
            for unit in units:
                _run_writes(conn, [unit])
            return
        for unit in units:
            unit.error = error
    _hand_out(units)


def _is_busy(error: BaseException) -> bool:
    """Whether another program holds the database: each unit alone would wait for it in vain, one after the other."""
    return getattr(error, "sqlite_errorcode", 0) & PRIMARY_CODE in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}


def _run_reads(conn: sqlite3.Connection, units: Sequence[_Unit]) -> None:
    for unit in units:
        try:
            unit.result = unit.work(conn)
        except BaseException as error:  # noqa: BLE001 - whatever it is, it is the answer its caller waits for
            unit.error = error
        _hand_out([unit])


def _hand_out(units: Sequence[_Unit]) -> None:
    def settle_all() -> None:
        for unit in units:
            unit.settle()

    units[0].future.get_loop().call_soon_threadsafe(settle_all)
