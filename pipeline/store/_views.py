"""What the store shows of tasks, each function one unit of work that only reads."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from pipeline.core.task import Status, Usage
from pipeline.store import _rows, _tasks
from pipeline.store._sql import SQL
from pipeline.task_store import TaskView

_LARGEST_NUMBER = 2**63 - 1  # above every number SQLite gives a row


def view(conn: sqlite3.Connection, task_id: str, owner: str) -> TaskView | None:
    """Show one task whole; a stranger's is not there."""
    mine = conn.execute(SQL["task_of_owner"], {"id": task_id, "owner": owner}).fetchone()
    if mine is None:
        return None
    return _views(conn, _tasks.load(conn, [task_id]))[0]


def page(
    conn: sqlite3.Connection,
    owner: str,
    *,
    status: Status | None,
    q: str | None,
    since: float | None,
    limit: int,
    before: int | None,
) -> tuple[list[TaskView], int | None]:
    """Show one page of an owner's tasks, newest first, without their long products."""
    wanted = {
        "owner": owner,
        "status": status,
        "q": None if q is None else q.casefold(),
        "since": since,
        "limit": limit + 1,  # one more tells whether there is a next page
        "before": _LARGEST_NUMBER if before is None else before,
    }
    rows = conn.execute(SQL["page"], wanted).fetchall()
    shown = rows[:limit]
    views = _views(conn, _tasks.load(conn, [row["id"] for row in shown], _rows.LISTED_PRODUCTS))
    return views, shown[-1]["number"] if len(rows) > limit else None


def _views(conn: sqlite3.Connection, rows: Sequence[sqlite3.Row]) -> list[TaskView]:
    ids = {"ids": _rows.json_list(row["id"] for row in rows)}
    # Counting who is ahead is quickest for one task, numbering the whole line once for many.
    counting = SQL["position"] if len(rows) == 1 else SQL["positions"]
    positions = {row["id"]: row["position"] for row in conn.execute(counting, ids)}
    figures = {row["id"]: row for row in conn.execute(SQL["message_figures"], ids)}
    return [_view(row, positions.get(row["id"]), figures.get(row["id"])) for row in rows]


def _view(row: sqlite3.Row, position: int | None, figures: sqlite3.Row | None) -> TaskView:
    return TaskView(
        task=_rows.task_of(row),
        progress=_rows.progress_of(row),
        position=position,
        sent=figures["sent"] if figures else 0,
        pending=figures["pending"] if figures else 0,
        refused=figures["refused"] if figures else 0,
        usage=Usage(row["prompt_tokens"], row["completion_tokens"]),
    )
