"""How messages come to rest, and what that means for their tasks, each function one unit of work."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from pipeline.core.lifecycle import Delivery
from pipeline.core.messages import MessageState
from pipeline.core.task import Task
from pipeline.store import _outbox, _rows, _tasks
from pipeline.store._sql import SQL

_AT_REST = {MessageState.SENT, MessageState.REFUSED}


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
    """Change a message's state if it is as expected; a task completed before warns of what is still true."""
    changed = _outbox.mark(conn, message_id, state, now, expected=expected, why=why, refused_s=refused_s)
    if changed and state in _AT_REST:
        late = conn.execute(SQL["late_task"], {"id": message_id}).fetchall()
        for task, delivery in _deliveries(conn, late):
            warnings = _rows.warnings_column(delivery.warnings(task.warnings))
            conn.execute(SQL["keep_warnings"], {"id": task.id, "warnings": warnings, "now": now})
    return changed


def delivered(conn: sqlite3.Connection, paused: Sequence[str]) -> list[tuple[Task, Delivery]]:
    """Read the tasks with nothing left to send, but for what paused robots hold."""
    return _deliveries(conn, conn.execute(SQL["delivered"], {"paused": _rows.json_list(paused)}).fetchall())


def _deliveries(conn: sqlite3.Connection, rows: Sequence[sqlite3.Row]) -> list[tuple[Task, Delivery]]:
    ids = [row["id"] for row in rows]
    found = {row["id"]: row for row in conn.execute(SQL["deliveries"], {"ids": _rows.json_list(ids)})}
    return [(task, _delivery(found.get(task.id))) for task in _tasks.load_whole(conn, ids)]


def _delivery(row: sqlite3.Row | None) -> Delivery:
    if row is None:
        return Delivery()
    return Delivery(held=bool(row["held"]), refused=bool(row["refused"]), doubted=bool(row["doubted"]))
