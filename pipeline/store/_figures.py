"""What the store counts over everybody's tasks, each function one unit of work or a part of one."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Sequence

from pipeline.core.figures import Durations, Figures, LaneFigures, QueueView, Standing
from pipeline.core.task import Lane, Priority, Status, Waiting
from pipeline.store._sql import SQL

WHOLE_TASK = "task"
"""The name of a duration that is no stage's: from acceptance to completion."""


def note_duration(conn: sqlite3.Connection, what: str, took_s: float) -> None:
    """Count one more that took so long."""
    conn.execute(SQL["note_duration"], {"what": what, "took_s": took_s})


def figures(conn: sqlite3.Connection) -> Figures:
    """Count all tasks."""
    unfinished = conn.execute(SQL["lane_figures"]).fetchall()
    tasks = dict.fromkeys(Status, 0)
    for row in (*unfinished, *conn.execute(SQL["ended_figures"])):
        tasks[Status(row["status"])] += row["count"]
    durations = {row["what"]: Durations(row["count"], row["total_s"]) for row in conn.execute(SQL["durations"])}
    return Figures(
        tasks=tasks,
        oldest_at=min((row["oldest_at"] for row in unfinished), default=None),
        lanes=_folded(unfinished, "lane"),
        whole=durations.pop(WHOLE_TASK, Durations(0, 0.0)),
        stages=durations,
    )


def _folded(rows: Sequence[sqlite3.Row], by: str) -> dict[str, LaneFigures]:
    """Add up the rows that are equal in the column ``by``."""
    waiting, running = Counter[str](), Counter[str]()
    for row in rows:
        waiting[row[by]] += row["waiting"]
        running[row[by]] += row["count"] - row["waiting"]
    return {name: LaneFigures(waiting[name], running[name]) for name in waiting}


def prepared(conn: sqlite3.Connection) -> int:
    """Count the tasks that have been fetched and wait for a device."""
    count: int = conn.execute(SQL["count_prepared"]).fetchone()[0]
    return count


def queue(conn: sqlite3.Connection, owner: str, limit: int) -> QueueView:
    """Show who waits for what: everybody's by number, the owner's by name."""
    figures = conn.execute(SQL["model_figures"]).fetchall()
    rows = conn.execute(SQL["standing"], {"owner": owner, "limit": limit})
    return QueueView(
        unfinished=conn.execute(SQL["count_unfinished"]).fetchone()[0],
        lanes=_folded(figures, "lane"),
        models=_folded([row for row in figures if row["lane"] in (Lane.FETCH, Lane.ASR)], "model"),
        tasks=tuple(_standing(row) for row in rows),
    )


def _standing(row: sqlite3.Row) -> Standing:
    return Standing(
        task_id=row["id"],
        lane=row["lane"],
        position=row["position"],
        model=row["model"],
        priority=Priority(row["priority"]),
        waiting_for=None if row["waiting_for"] is None else Waiting(row["waiting_for"]),
    )
