"""Units of work on one SQLite connection: together durable, each for itself."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest

from pipeline.errors import Interrupted
from pipeline.failures import DiskFull
from pipeline.refusals import DbBusy
from pipeline.store._unit import LARGEST_BATCH, UnitsOfWork, Work


class Journal:
    """The statements that one connection ran."""

    def __init__(self) -> None:
        """Begin empty."""
        self.statements: list[str] = []

    def prepare(self, conn: sqlite3.Connection) -> None:
        """Make a table of numbers, and note every statement from here on."""
        conn.execute("PRAGMA journal_mode = WAL")
        conn.execute("PRAGMA busy_timeout = 0")
        conn.execute("CREATE TABLE IF NOT EXISTS number (value INTEGER PRIMARY KEY)")
        conn.set_trace_callback(self.statements.append)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the numbers will be."""
    return tmp_path / "numbers.db"


@pytest.fixture
def journal() -> Journal:
    """What the connection under test ran."""
    return Journal()


@pytest.fixture
async def units(path: Path, journal: Journal) -> AsyncIterator[UnitsOfWork]:
    """An open connection."""
    made = UnitsOfWork(path)
    await made.open(journal.prepare)
    yield made
    await made.close()


def insert(value: int) -> Work[int]:
    """A unit that stores a number and returns it."""

    def work(conn: sqlite3.Connection) -> int:
        conn.execute("INSERT INTO number VALUES (?)", (value,))
        return value

    return work


def numbers(conn: sqlite3.Connection) -> list[int]:
    """The numbers that are stored."""
    return [row[0] for row in conn.execute("SELECT value FROM number ORDER BY value")]


def stored(path: Path) -> list[int]:
    """The numbers that another connection sees."""
    with closing(sqlite3.connect(path)) as outside:
        return numbers(outside)


async def begun(*works: Work[int], units: UnitsOfWork) -> list[asyncio.Task[int]]:
    """Let callers hand in units, all before any of them runs."""
    tasks = [asyncio.create_task(units.write(work)) for work in works]
    await asyncio.sleep(0)
    return tasks


async def test_each_caller_gets_its_own_result(units: UnitsOfWork, path: Path) -> None:
    """Results come back to whoever asked, and are durable by then."""
    assert list(range(500)) == await asyncio.gather(*(units.write(insert(value)) for value in range(500)))
    assert list(range(500)) == stored(path)


async def test_units_share_commits(units: UnitsOfWork, journal: Journal) -> None:
    """Units that wait together are committed together, at most 64 at a time."""
    await asyncio.gather(*(units.write(insert(value)) for value in range(2 * LARGEST_BATCH + 1)))
    assert 3 == journal.statements.count("BEGIN IMMEDIATE")
    assert 3 == journal.statements.count("COMMIT")


async def test_failing_unit_does_not_harm_its_neighbors(units: UnitsOfWork, path: Path) -> None:
    """Only the caller whose unit raised gets the exception, and only that unit's changes are undone."""

    def fail(conn: sqlite3.Connection) -> int:
        insert(2)(conn)
        raise LookupError("two")

    answers = await asyncio.gather(
        units.write(insert(1)), units.write(fail), units.write(insert(3)), return_exceptions=True
    )
    assert [1, 3] == [answer for answer in answers if not isinstance(answer, BaseException)]
    assert isinstance(answers[1], LookupError)
    assert [1, 3] == stored(path)


async def test_a_transaction_that_is_given_up_does_not_harm_its_neighbors(units: UnitsOfWork, path: Path) -> None:
    """If the database gives up the transaction of a whole batch, only the unit that made it do so has failed."""

    def roll_back(conn: sqlite3.Connection) -> None:
        insert(2)(conn)
        conn.execute("INSERT OR ROLLBACK INTO number VALUES (2)")

    answers = await asyncio.gather(
        units.write(insert(1)), units.write(roll_back), units.write(insert(3)), return_exceptions=True
    )
    assert [1, 3] == [answer for answer in answers if not isinstance(answer, BaseException)]
    assert isinstance(answers[1], sqlite3.IntegrityError)
    assert [1, 3] == stored(path)


async def test_busy_database(units: UnitsOfWork, path: Path) -> None:
    """While another program holds the database, a batch fails as busy; afterwards work goes on."""
    with closing(sqlite3.connect(path, isolation_level=None)) as outside:
        outside.execute("BEGIN IMMEDIATE")
        answers = await asyncio.gather(units.write(insert(1)), units.write(insert(2)), return_exceptions=True)
        assert [DbBusy, DbBusy] == [type(answer) for answer in answers]
        assert [] == await units.read(numbers)
    assert 3 == await units.write(insert(3))
    assert [3] == stored(path)


async def test_full_disk(units: UnitsOfWork, path: Path) -> None:
    """Without space a unit fails as such; once there is space, work goes on."""

    def swell(conn: sqlite3.Connection) -> None:
        conn.execute("CREATE TABLE large (data)")
        conn.execute("INSERT INTO large VALUES (zeroblob(1000000))")

    pages = await units.read(lambda conn: conn.execute("PRAGMA max_page_count").fetchone()[0])
    await units.read(lambda conn: conn.execute("PRAGMA max_page_count = 8"))
    with pytest.raises(DiskFull):
        await units.write(swell)
    await units.read(lambda conn: conn.execute(f"PRAGMA max_page_count = {pages}"))
    await units.write(swell)
    assert 1 == await units.write(insert(1))
    assert [1] == stored(path)


async def test_failing_read_is_its_callers_alone(units: UnitsOfWork) -> None:
    """A read that raises harms neither writes nor other reads."""
    answers = await asyncio.gather(
        units.write(insert(1)),
        units.read(lambda conn: conn.execute("SELECT nonsense")),
        units.read(numbers),
        return_exceptions=True,
    )
    assert [1] == answers[2]
    assert isinstance(answers[1], sqlite3.OperationalError)


async def test_read_sees_what_was_begun_before_it(units: UnitsOfWork) -> None:
    """A read sees every write that was handed in before, even one that nobody has waited for yet."""
    writing = await begun(insert(1), units=units)
    assert [1] == await units.read(numbers)
    assert [1] == await asyncio.gather(*writing)


async def test_read_runs_outside_of_the_transaction(units: UnitsOfWork) -> None:
    """A read holds no lock against other programs."""
    _, in_transaction = await asyncio.gather(units.write(insert(1)), units.read(lambda conn: conn.in_transaction))
    assert not in_transaction


async def test_cancelled_caller_does_not_undo(units: UnitsOfWork) -> None:
    """What was handed in is stored, although its caller is cancelled before it runs."""
    callers = await begun(insert(1), insert(2), units=units)
    callers[0].cancel()
    assert 2 == await callers[1]
    assert callers[0].cancelled()
    assert [1, 2] == await units.read(numbers)


async def test_the_end_of_what_runs_units_is_noticed(units: UnitsOfWork) -> None:
    """If the loop that brings units to the thread is ended while one of them waits, whoever watches is told."""
    has_begun, may_end = threading.Event(), threading.Event()

    def work(_: sqlite3.Connection) -> int:
        has_begun.set()
        return int(may_end.wait())

    waiting = await begun(work, units=units)
    await asyncio.to_thread(has_begun.wait)
    (flush,) = (task for task in asyncio.all_tasks() if task.get_name() == "store flush")
    flush.cancel()
    assert None is await asyncio.wait_for(units.broken(), 10)
    may_end.set()
    assert [1] == await asyncio.gather(*waiting)


async def test_close_finishes_what_was_handed_in(units: UnitsOfWork, path: Path) -> None:
    """Closing runs every unit that waits, and every caller gets its result."""
    callers = await begun(*map(insert, range(200)), units=units)
    await units.close()
    assert list(range(200)) == await asyncio.gather(*callers)
    assert list(range(200)) == stored(path)
    with pytest.raises(Interrupted):
        await units.write(insert(200))


async def test_cancelled_close_still_closes(units: UnitsOfWork, path: Path) -> None:
    """Who closes may be cancelled: every unit runs all the same, and the file is closed."""
    callers = await begun(*map(insert, range(200)), units=units)
    closing_task = asyncio.create_task(units.close())
    await asyncio.sleep(0)
    closing_task.cancel()
    assert list(range(200)) == await asyncio.gather(*callers)
    with pytest.raises(asyncio.CancelledError):
        await closing_task
    assert list(range(200)) == stored(path)


async def test_close_leaves_no_thread(path: Path, journal: Journal) -> None:
    """The connection's thread ends with it."""
    before = set(threading.enumerate())
    units = UnitsOfWork(path)
    await units.open(journal.prepare)
    started = set(threading.enumerate()) - before
    await units.close()
    assert 1 == len(started)
    assert_ended(started)


async def test_failed_open_leaves_no_thread(path: Path) -> None:
    """If a connection cannot be prepared, its thread ends and the reason is told."""
    before = set(threading.enumerate())

    def fail(conn: sqlite3.Connection) -> None:
        conn.execute("SELECT nonsense")

    with pytest.raises(sqlite3.OperationalError, match="nonsense"):
        await UnitsOfWork(path).open(fail)
    assert_ended(set(threading.enumerate()) - before)


def assert_ended(threads: set[threading.Thread]) -> None:
    """Wait for threads that were told to end."""
    for thread in threads:
        thread.join(5)
    assert not any(thread.is_alive() for thread in threads)
