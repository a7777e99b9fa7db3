"""What the store does with tasks, each function one unit of work or a part of one: accept, move."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from pipeline.core import lifecycle
from pipeline.core.admission import Accepted, Added, AlreadyThere, KeyTaken, NewTask, NoRoom, Replayed, RequestKey
from pipeline.core.lifecycle import Cause, Settled, Step
from pipeline.core.messages import Message, Run
from pipeline.core.products import Artifacts
from pipeline.core.progress import Reading, measure
from pipeline.core.task import Lane, Stage, Status, Task
from pipeline.store import _figures, _keys, _outbox, _rows
from pipeline.store._sql import SQL
from pipeline.task_store import Waiter

Route = Sequence[Step]


def load(conn: sqlite3.Connection, ids: Sequence[str], products: Sequence[str] = _rows.PRODUCTS) -> list[sqlite3.Row]:
    """Read tasks in the order of ``ids``, with those of their products that are named; unknown ids are left out."""
    wanted = {"ids": _rows.json_list(ids), "products": _rows.json_list(products)}
    return conn.execute(SQL["load_tasks"], wanted).fetchall()


def load_whole(conn: sqlite3.Connection, ids: Sequence[str]) -> list[Task]:
    """Read tasks with everything known about them, in the order of ``ids``."""
    return [_rows.task_of(row) for row in load(conn, ids)]


def get(conn: sqlite3.Connection, task_id: str) -> Task | None:
    """Read one task, None if there is none."""
    return next(iter(load_whole(conn, [task_id])), None)


# Accepting


def add_all(
    conn: sqlite3.Connection,
    route: Route,
    new: Sequence[NewTask],
    *,
    room: int,
    force: bool,
    key: RequestKey | None,
) -> tuple[Added | AlreadyThere, ...] | NoRoom | Replayed | KeyTaken:
    """Store the tasks whose work is not there yet, unless there is no room for all of them, or it was done before."""
    if key and (known := _keys.recall(conn, key)):
        return known
    answers: list[Added | AlreadyThere] = []
    fresh: list[NewTask] = []
    for each in new:
        same = None if force else _same_work(conn, fresh, each.work_key)
        answers.append(same or Added())
        if same is None:
            fresh.append(each)
    unfinished = conn.execute(SQL["count_unfinished"]).fetchone()[0]
    if fresh and unfinished + len(fresh) > room:
        return NoRoom(unfinished, len(fresh))
    for each in fresh:
        _insert(conn, route, each)
    if key:
        told = (Accepted.of(each.task, outcome) for each, outcome in zip(new, answers, strict=True))
        _keys.remember(conn, key, told)
    return tuple(answers)


def _same_work(conn: sqlite3.Connection, fresh: Sequence[NewTask], work_key: str) -> AlreadyThere | None:
    """Find the work among the tasks about to be stored, or else among those that are."""
    for each in fresh:
        if each.work_key == work_key:
            return AlreadyThere(each.task.id, each.task.status)
    stored = conn.execute(SQL["same_work"], {"work_key": work_key}).fetchone()
    return AlreadyThere(stored["id"], Status(stored["status"])) if stored else None


def _insert(conn: sqlite3.Connection, route: Route, new: NewTask) -> None:
    task = new.task
    own = {"work_key": new.work_key, "lane": lane_of(task.artifacts, route)}
    conn.execute(SQL["insert_task"], _rows.columns_of(task) | own)
    for name, data in _rows.product_columns(task.artifacts).items():
        conn.execute(SQL["keep_product"], {"id": task.id, "name": name, "data": data, "now": task.created_at})
    conn.execute(SQL["take_turn"], {"id": task.id})


def lane_of(artifacts: Artifacts, route: Route) -> str:
    """Name the lane of the first missing product."""
    step = lifecycle.next_step(artifacts, route)
    return "deliver" if step is None else step.lane


# Moving


def claim(
    conn: sqlite3.Connection,
    boot_id: str,
    lane: Lane,
    now: float,
    task_id: str | None,
    hosts_left_alone: Sequence[str] = (),
    device: str | None = None,
) -> Settled | None:
    """Choose, decide and update in one transaction, so that two claims never give out the same task."""
    if task_id is None:
        ids = _waiting_ids(conn, lane, after=0, limit=1, hosts_left_alone=hosts_left_alone)
    else:
        rows = conn.execute(SQL["waiting_one"], {"id": task_id, "lane": lane})
        ids = [row["id"] for row in rows]
    if not ids:
        return None
    task = load_whole(conn, ids)[0]
    claimed = lifecycle.claim(task, now)
    _update(conn, claimed.task, expected=task.status, running_boot=boot_id)
    conn.execute(SQL["serve_turn"], {"id": task.id})
    if device is not None:
        conn.execute(SQL["note_placement"], {"id": task.id, "device": device, "now": now})
    return claimed


def waiting(conn: sqlite3.Connection, lane: Lane, after: int, limit: int) -> list[Task]:
    """Read the tasks that may start in this lane, best first."""
    return load_whole(conn, _waiting_ids(conn, lane, after=after, limit=limit))


def waiting_for_devices(conn: sqlite3.Connection, each: int) -> list[Waiter]:
    """Read the first ``each`` of every model that wait for a device, best first, and of them only what decides."""
    heads: list[sqlite3.Row] = []
    for row in conn.execute(SQL["models_waiting"]).fetchall():
        wanted = {"model": row["name"], "limit": each}
        heads += conn.execute(SQL["waiting_for_model"], wanted)
    heads.sort(key=lambda row: (-row["priority"], row["turn"], row["number"]))
    return [_rows.waiter_of(row) for row in heads]


def _waiting_ids(
    conn: sqlite3.Connection,
    lane: Lane,
    *,
    after: int,
    limit: int,
    hosts_left_alone: Sequence[str] = (),
) -> list[str]:
    if lane is Lane.TEXT:
        rows = conn.execute(SQL["waiting_by_sequence"], {"after": after, "limit": limit})
    else:
        wanted = {"lane": lane, "limit": limit, "hosts_left_alone": _rows.json_list(hosts_left_alone)}
        rows = conn.execute(SQL["waiting_by_priority"], wanted)
    return [row["id"] for row in rows]


def next_due(conn: sqlite3.Connection) -> float | None:
    """When the first of the retrying tasks may start."""
    due: float | None = conn.execute(SQL["next_due"]).fetchone()[0]
    return due


def save(
    conn: sqlite3.Connection,
    route: Route,
    settled: Settled,
    *,
    expected: Status,
    runs: Sequence[Run],
) -> bool:
    """Take a task out of its worker's hands, in its new state; False if it is no longer as expected."""
    task = settled.task
    if not _update(conn, task, expected=expected, running_boot=None):
        return False
    if settled.cause is Cause.POSTPONED:
        _wait_again(conn, task)
    if settled.cause is Cause.FINISHED:
        _figures.note_duration(conn, _figures.WHOLE_TASK, max(0.0, task.updated_at - task.created_at))
    place(conn, route, task.id)
    _outbox.plan(conn, task.id, runs, task.updated_at)
    return True


def end(conn: sqlite3.Connection, settled: Settled, expected: Status, closing: Message) -> bool:
    """Bring a task to its end over the head of its worker, who keeps it in hand until he lets go of it."""
    task = settled.task
    row = conn.execute(SQL["boot_of"], {"id": task.id}).fetchone()
    if row is None or not _update(conn, task, expected=expected, running_boot=row["running_boot"]):
        return False
    _outbox.close_runs(conn, task.id, closing, task.updated_at)
    return True


def release(conn: sqlite3.Connection, task_id: str) -> None:
    """Note that no worker has the task in hand any more."""
    conn.execute(SQL["release"], {"id": task_id})


def restart(
    conn: sqlite3.Connection, route: Route, settled: Settled, *, expected: Status, dropped: Sequence[str]
) -> bool:
    """Start a finished task again, at the end of its owner's line; a dropped transcript takes its segments with it."""
    task = settled.task
    row = conn.execute(SQL["boot_of"], {"id": task.id}).fetchone()
    if row is None or row["running_boot"] is not None:
        return False
    if not _update(conn, task, expected=expected, running_boot=None):
        return False
    conn.execute(SQL["drop_products"], {"id": task.id, "products": _rows.json_list(dropped)})
    if "transcript" in dropped:
        conn.execute(SQL["drop_segments"], {"id": task.id})
        conn.execute(SQL["drop_transcript"], {"id": task.id})
    _wait_again(conn, task)
    _begin_again(conn, route, task)
    return True


def _wait_again(conn: sqlite3.Connection, task: Task) -> None:
    """Put a task at the end of its owner's line, and its transcript, if it has one, behind all transcripts."""
    conn.execute(SQL["leave_turn"], {"id": task.id})
    if task.artifacts.transcript is not None:
        sequence = conn.execute(SQL["number_transcript"]).fetchone()[0]
        conn.execute(SQL["number_again"], {"id": task.id, "sequence": sequence})


def send_again(conn: sqlite3.Connection, route: Route, settled: Settled, *, expected: Status) -> bool:
    """Bring a task back to delivery with copies of its latest runs."""
    task = settled.task
    if not _update(conn, task, expected=expected, running_boot=None):
        return False
    _outbox.copy_latest_runs(conn, task.id, task.updated_at)
    _begin_again(conn, route, task)
    return True


def _begin_again(conn: sqlite3.Connection, route: Route, task: Task) -> None:
    """List a task again; one that was completed begins at 0 percent, any other goes on from where it was."""
    conn.execute(SQL["begin_again"], {"id": task.id})
    place(conn, route, task.id)


def _update(conn: sqlite3.Connection, task: Task, *, expected: Status, running_boot: str | None) -> bool:
    columns = _rows.columns_of(task) | {"expected": expected, "running_boot": running_boot}
    return conn.execute(SQL["update_task"], columns).rowcount == 1


def place(conn: sqlite3.Connection, route: Route, task_id: str) -> None:
    """Put the task into the lane of its first missing product, by what is stored and not by what was remembered."""
    task = load_whole(conn, [task_id])[0]
    lane = lane_of(task.artifacts, route)
    conn.execute(SQL["place"], {"id": task_id, "lane": lane, "percent": least_percent(task.stage, route)})
    conn.execute(SQL["take_turn"], {"id": task_id})


def least_percent(stage: Stage, route: Route) -> float:
    """How far a task is that begins this stage."""
    return measure(Reading(stage, 0.0), route).percent


def orphans(conn: sqlite3.Connection, boot_id: str) -> list[Task]:
    """Share the blame for the death of an earlier boot, then read the tasks that it had in hand."""
    conn.execute(SQL["share_blame"], {"boot_id": boot_id})
    return load_whole(conn, [row["id"] for row in conn.execute(SQL["orphans"], {"boot_id": boot_id})])
