"""What the store keeps of the work on a task, each function one unit of work."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace

from pipeline.core.messages import Run
from pipeline.core.products import Composed, Product, TranscriptInfo
from pipeline.core.progress import Progress
from pipeline.core.task import Stage, Task, TaskWarning, with_layer
from pipeline.core.transcript import Segment
from pipeline.ports import Answer, Made, Reply, TooLong, Unanswered
from pipeline.store import _figures, _outbox, _rows, _tasks
from pipeline.store._sql import SQL
from pipeline.store._tasks import Route


def enter(conn: sqlite3.Connection, route: Route, task_id: str, stage: Stage, now: float) -> bool:
    """Note the stage a worker began; a task that came to its end meanwhile stays as it is."""
    columns = {"id": task_id, "stage": stage, "percent": _tasks.least_percent(stage, route), "now": now}
    return conn.execute(SQL["enter_stage"], columns).rowcount == 1


def begin(conn: sqlite3.Connection, task_id: str) -> None:
    """Note that from now on the work on a task may bring down what does it."""
    conn.execute(SQL["begin_work"], {"id": task_id})


def _note_gain(conn: sqlite3.Connection, task_id: str) -> None:
    """Note that the work on a task has brought something that is stored now: whatever happened before is forgiven."""
    conn.execute(SQL["note_gain"], {"id": task_id})


def wait_for(conn: sqlite3.Connection, task_id: str, waiting_for: str | None, now: float) -> None:
    """Note what a task that nobody has in hand waits for."""
    conn.execute(SQL["wait_for"], {"id": task_id, "waiting_for": waiting_for, "now": now})


def keep(
    conn: sqlite3.Connection, route: Route, task_id: str, makes: str, made: Made, now: float, took_s: float | None
) -> bool:
    """Store a product once, with everything that follows from it; keeping it again changes nothing."""
    task = _tasks.get(conn, task_id)
    if task is None or task.status.final:
        return False
    product, runs = _product_and_runs(made)
    columns = {"id": task_id, "name": makes, "data": _rows.product_column(makes, product), "now": now}
    if conn.execute(SQL["keep_product"], columns).rowcount == 0:
        return True
    is_transcript = isinstance(product, TranscriptInfo)
    sequence = conn.execute(SQL["number_transcript"]).fetchone()[0] if is_transcript else None
    task = _tasks.load_whole(conn, [task_id])[0]
    _note(conn, route, _with_made(task, made), sequence, now)
    _outbox.plan(conn, task_id, runs, now)
    conn.execute(SQL["forget_replies"], {"id": task_id})
    _note_gain(conn, task_id)
    if took_s is not None:
        _figures.note_duration(conn, next(step.name for step in route if step.makes == makes), took_s)
    return True


def _product_and_runs(made: Made) -> tuple[Product, tuple[Run, ...]]:
    if isinstance(made.product, tuple):
        return Composed(sum(len(run.messages) for run in made.product)), made.product
    return made.product, ()


def _with_made(task: Task, made: Made) -> Task:
    layers = task.layers if made.layer is None else with_layer(task, *made.layer)
    return replace(task, layers=layers, warnings=_joined(task.warnings, made.warnings))


def _joined(old: tuple[TaskWarning, ...], new: tuple[TaskWarning, ...]) -> tuple[TaskWarning, ...]:
    first: dict[str, TaskWarning] = {}
    for warning in (*old, *new):
        first.setdefault(warning.type, warning)
    return tuple(first.values())


def _note(conn: sqlite3.Connection, route: Route, task: Task, sequence: int | None, now: float) -> None:
    columns = {
        "id": task.id,
        "sequence": sequence,
        "layers": _rows.layers_column(task.layers),
        "warnings": _rows.warnings_column(task.warnings),
        "search": _rows.search_text(task),
        "lane": _tasks.lane_of(task.artifacts, route),
        "now": now,
    }
    conn.execute(SQL["note_product"], columns)
    conn.execute(SQL["take_turn"], {"id": task.id})


def drop(conn: sqlite3.Connection, route: Route, task_id: str, makes: Sequence[str]) -> None:
    """Forget products, and let the task go back to the lane that makes them."""
    dropped = conn.execute(SQL["drop_products"], {"id": task_id, "products": _rows.json_list(makes)}).rowcount
    if dropped:
        _tasks.place(conn, route, task_id)


def keep_segments(conn: sqlite3.Connection, task_id: str, segments: Sequence[Segment], language: str | None) -> None:
    """Store segments and their language; what is there already stays as it is."""
    conn.executemany(SQL["keep_segment"], [_rows.columns_of_segment(task_id, segment) for segment in segments])
    conn.execute(SQL["note_language"], {"id": task_id, "language": language})
    _note_gain(conn, task_id)


def segments(conn: sqlite3.Connection, task_id: str) -> tuple[Segment, ...]:
    """Read a task's segments in order."""
    return tuple(_rows.segment_of(row) for row in conn.execute(SQL["segments"], {"task_id": task_id}))


def keep_reply(conn: sqlite3.Connection, task_id: str, key: str, reply: Reply) -> None:
    """Book what a reply cost, and store it; that nobody answered is not worth remembering."""
    conn.execute(SQL["spend"], {"id": task_id} | asdict(reply.usage))
    if not isinstance(reply, Unanswered):
        text = reply.text if isinstance(reply, Answer) else None
        conn.execute(SQL["keep_reply"], {"id": task_id, "key": key, "model": reply.model, "text": text})
        _note_gain(conn, task_id)


def reply(conn: sqlite3.Connection, task_id: str, key: str) -> Answer | TooLong | None:
    """Read a reply that was stored."""
    row = conn.execute(SQL["reply"], {"id": task_id, "key": key}).fetchone()
    if row is None:
        return None
    return TooLong(row["model"]) if row["text"] is None else Answer(row["text"], row["model"])


def note_progress(conn: sqlite3.Connection, latest: Mapping[str, Progress], now: float) -> None:
    """Store the latest reading of tasks that are still processing."""
    columns = [
        {"id": task_id, "percent": progress.percent, "reading": _rows.reading_column(progress.reading), "now": now}
        for task_id, progress in latest.items()
    ]
    conn.executemany(SQL["note_progress"], columns)
