"""What the store keeps and for how long, each function one unit of work."""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict

from pipeline.core.device import Device, Reading
from pipeline.core.memory import MOST_PEAKS, ModelOnDevice, Peak
from pipeline.store._sql import SQL
from pipeline.task_store import Retired


def delete(conn: sqlite3.Connection, task_id: str) -> bool:
    """Remove a finished task; whatever refers to it goes with it."""
    return conn.execute(SQL["delete_task"], {"id": task_id}).rowcount == 1


def retire(conn: sqlite3.Connection, texts_before: float, tasks_before: float, limit: int) -> Retired:
    """Remove what is old: whole tasks, texts, and tasks from lists."""
    bounds = {"texts_before": texts_before, "tasks_before": tasks_before, "limit": limit}
    tasks = [{"id": row["id"]} for row in conn.execute(SQL["outdated_tasks"], bounds)]
    conn.executemany(SQL["delete_task"], tasks)
    texts = [{"id": row["id"]} for row in conn.execute(SQL["outdated_texts"], bounds)]
    for statement in ("drop_text", "drop_segments", "drop_transcript", "drop_runs"):
        conn.executemany(SQL[statement], [{"task_id": text["id"]} | text for text in texts])
    unlisted = conn.execute(SQL["unlist_outdated"], bounds).rowcount
    return Retired(tuple(task["id"] for task in tasks), tuple(text["id"] for text in texts), unlisted)


def give_space_back(conn: sqlite3.Connection) -> bool:
    """Cut free pages off the end of the file; the file shrinks with the next checkpoint."""
    conn.execute(SQL["give_pages_back"]).fetchall()
    left: int = conn.execute(SQL["free_pages"]).fetchone()[0]
    return left > 0


def note_devices(conn: sqlite3.Connection, devices: Sequence[Device], now: float) -> None:
    """Store the devices that there are, in place of those stored before."""
    conn.execute(SQL["forget_devices"])
    rows = [
        {"id": device.id, "name": device.name, "memory_mb": device.memory_mb or None, "now": now} for device in devices
    ]
    conn.executemany(SQL["note_device"], rows)


def note_readings(conn: sqlite3.Connection, readings: Sequence[Reading], now: float) -> None:
    """Store the latest reading of devices."""
    conn.executemany(SQL["note_reading"], [asdict(reading) | {"now": now} for reading in readings])


def note_peak(conn: sqlite3.Connection, where: ModelOnDevice, peak: Peak, now: float) -> None:
    """Store a measurement, and forget all but the latest of its kind."""
    conn.execute(SQL["note_peak"], asdict(where) | asdict(peak) | {"now": now})
    conn.execute(SQL["forget_peaks"], asdict(where) | {"keep": MOST_PEAKS})


def peaks(conn: sqlite3.Connection) -> Mapping[ModelOnDevice, tuple[Peak, ...]]:
    """Read all measurements, the latest of a kind last."""
    found: defaultdict[ModelOnDevice, list[Peak]] = defaultdict(list)
    for row in conn.execute(SQL["peaks"]):
        where = ModelOnDevice(row["device"], row["model"], row["compute_type"])
        found[where].append(Peak(row["items"], row["mb"]))
    return {where: tuple(measured) for where, measured in found.items()}
