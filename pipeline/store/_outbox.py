"""What the store does with messages, each function one unit of work."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import asdict

from pipeline.core.messages import Message, MessageRow, MessageState, Outgoing, Run, Write
from pipeline.core.moment import Moment
from pipeline.store import _rows
from pipeline.store._sql import SQL


def plan(conn: sqlite3.Connection, task_id: str, runs: Sequence[Run], now: float) -> None:
    """Freeze runs of messages; the order of these transactions is the order at every robot."""
    for run in runs:
        robot = {"robot": run.robot, "now": now}
        run_id = conn.execute(SQL["insert_run"], robot | {"task_id": task_id}).fetchone()[0]
        columns = [_rows.columns_of_message(message) | robot | {"run_id": run_id} for message in run.messages]
        conn.executemany(SQL["insert_message"], columns)


def close_runs(conn: sqlite3.Connection, task_id: str, closing: Message, now: float) -> None:
    """Drop a task's unsent messages; a run of which readers may have seen something ends with ``closing``."""
    begun = conn.execute(SQL["begun_runs"], {"task_id": task_id}).fetchall()
    conn.execute(SQL["drop_unsent"], {"task_id": task_id})
    for run in begun:
        own = {"run_id": run["id"], "robot": run["robot"], "now": now}
        conn.execute(SQL["insert_message"], _rows.columns_of_message(closing) | own)
    conn.execute(SQL["drop_empty_runs"], {"task_id": task_id})


def copy_latest_runs(conn: sqlite3.Connection, task_id: str, now: float) -> None:
    """Plan a task's latest run for each robot once more, byte for byte; notices are not part of it."""
    for run in conn.execute(SQL["latest_runs"], {"task_id": task_id}).fetchall():
        own = {"task_id": task_id, "robot": run["robot"], "now": now}
        run_id = conn.execute(SQL["insert_run"], own).fetchone()[0]
        conn.execute(SQL["copy_messages"], own | {"run_id": run_id, "from_run": run["id"]})


def close_run(conn: sqlite3.Connection, message_id: int, continuation: Message, now: float) -> bool:
    """Move a run's planned messages behind all other runs of its robot, ``continuation`` before them."""
    closed = conn.execute(SQL["run_of_planned"], {"id": message_id}).fetchone()
    if closed is None:
        return False
    run_id = closed["run_id"]
    rest = conn.execute(SQL["insert_rest"], {"run_id": run_id, "now": now}).fetchone()
    own = {"run_id": rest["id"], "robot": rest["robot"], "now": now}
    conn.execute(SQL["insert_message"], _rows.columns_of_message(continuation) | own)
    conn.execute(SQL["copy_planned"], {"run_id": run_id, "rest_id": rest["id"], "now": now})
    conn.execute(SQL["drop_planned"], {"run_id": run_id})
    return True


def announce(conn: sqlite3.Connection, task_id: str, runs: Sequence[Run], now: float) -> None:
    """Freeze notices for robots that have nothing else to send, unless the task has come to its end meanwhile."""
    if conn.execute(SQL["is_unfinished"], {"id": task_id}).fetchone() is None:
        return
    busy = set(lanes(conn))
    plan(conn, task_id, [run for run in runs if run.robot not in busy], now)


def lanes(conn: sqlite3.Connection) -> dict[str | None, int]:
    """Count the unsent messages of every robot that has any, the longest waiting first."""
    return {row["robot"]: row["unsent"] for row in conn.execute(SQL["lanes"])}


def next_message(conn: sqlite3.Connection, robot: str | None) -> Outgoing | None:
    """Read the first unsent message of the robot's first unfinished run."""
    row = conn.execute(SQL["next_message"], {"robot": robot}).fetchone()
    return None if row is None else _rows.outgoing_of(row)


def mark(
    conn: sqlite3.Connection,
    message_id: int,
    state: MessageState,
    now: float,
    *,
    expected: MessageState,
    why: str,
    refused_s: float,
) -> bool:
    """Change a message's state; False if it is no longer as expected."""
    columns = {"id": message_id, "state": state, "now": now, "expected": expected, "why": why, "refused_s": refused_s}
    return conn.execute(SQL["mark_message"], columns).rowcount == 1


def note_write(conn: sqlite3.Connection, robot: str, moment: Moment, forget: int) -> int:
    """Note a request to a robot, and forget those that count no more."""
    conn.execute(SQL["forget_writes"], {"robot": robot, "last_id": forget})
    written: int = conn.execute(SQL["note_write"], asdict(moment) | {"robot": robot}).fetchone()[0]
    return written


def recent_writes(conn: sqlite3.Connection, robot: str) -> list[Write]:
    """Read the requests to a robot that are not forgotten, oldest first."""
    rows = conn.execute(SQL["recent_writes"], {"robot": robot})
    return [Write(row["id"], Moment(row["at"], row["uptime_s"], row["machine"])) for row in rows]


def doubt_unfinished_sends(conn: sqlite3.Connection, now: float) -> int:
    """Mark as in doubt what nobody is sending any more; the inbox, which is this store, has no doubts."""
    conn.execute(SQL["plan_unfinished_inbox"], {"now": now})
    return conn.execute(SQL["doubt_unfinished_sends"], {"now": now}).rowcount


def messages(conn: sqlite3.Connection, task_id: str) -> list[MessageRow]:
    """Read all messages of a task in the order in which they go out."""
    return [_rows.message_row_of(row) for row in conn.execute(SQL["messages_of_task"], {"task_id": task_id})]
