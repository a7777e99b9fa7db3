"""What the API shows of a task: the store's values as plain JSON values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from pipeline.core.admission import Accepted
from pipeline.core.messages import MessageRow
from pipeline.core.progress import ALMOST, Progress, Reading
from pipeline.core.task import Failure, Status, Task
from pipeline.core.transcript import Segment
from pipeline.engine.fleet import DeviceView
from pipeline.outbox import LaneView
from pipeline.task_store import TaskView

Json = dict[str, Any]


def accepted(outcome: Accepted) -> Json:
    """Show the answer to a submission."""
    return {
        "task_id": outcome.task_id,
        "status": outcome.status,
        "duplicate_of": outcome.duplicate_of,
        "client_ref": outcome.client_ref,
    }


def state(view: TaskView) -> Json:
    """Show the whole state of a task."""
    task, transcript = view.task, view.task.artifacts.transcript
    return {
        "task_id": task.id,
        "client_ref": task.client_ref,
        "url": task.source.url,
        "status": task.status,
        "stage": task.stage,
        "progress": progress(task, view.progress),
        "waiting_for": task.waiting_for,
        "position": view.position,
        "attempt": task.attempt,
        "max_attempts": task.max_attempts,
        "priority": int(task.priority),
        "created_at": time(task.created_at),
        "started_at": time(task.started_at),
        "updated_at": time(task.updated_at),
        "finished_at": time(task.finished_at),
        "media": media(task),
        "source": transcript and transcript.source,
        "device": transcript and transcript.device,
        "model": transcript.model if transcript else task.options.model,
        "language": transcript.language if transcript else task.options.language or task.heard_language,
        "layers": dict(task.layers),
        "messages": {"sent": view.sent, "pending": view.pending, "failed": view.refused},
        "usage": asdict(view.usage),
        "warnings": [asdict(warning) for warning in task.warnings],
        "error": failure(task.failure),
    }


def progress(task: Task, latest: Progress | None) -> Json:
    """Show how far a task is; 100 percent belongs to ``completed`` alone."""
    done = task.status is Status.COMPLETED
    reading = Reading(task.stage, fraction=1.0 if done else 0.0)
    if latest and latest.reading.stage is task.stage:
        reading = latest.reading
    return {
        "percent": 100.0 if done else min(ALMOST, round(latest.percent, 1)) if latest else 0.0,
        "stage_percent": round(100 * reading.fraction, 1),
        "source_seconds_done": rounded(reading.source_done_s, 1),
        "source_seconds_total": rounded(reading.source_total_s, 1),
        "speed": rounded(reading.speed, 1),
        "eta_seconds": rounded(reading.eta_s, None),
        "bytes_done": reading.bytes_done,
        "bytes_total": reading.bytes_total,
    }


def media(task: Task) -> Json | None:
    """Show what is known about the video; what the caller called it goes before what the site calls it."""
    found, options = task.artifacts.media, task.options
    if found is None:
        return None
    measured = task.artifacts.transcript or task.artifacts.audio
    duration_s = measured.duration_s if found.duration_s is None and measured else found.duration_s
    return {
        "extractor": found.extractor,
        "media_id": found.media_id,
        "title": options.title or found.title,
        "author": options.author or found.author,
        "duration": rounded(duration_s, 3),
    }


def failure(why: Failure | None) -> Json | None:
    """Show why the latest attempt failed."""
    return asdict(why) if why else None


def messages(rows: Sequence[MessageRow]) -> Json:
    """Show every message of a task and what became of it."""
    return {"messages": [_message(row) for row in rows]}


def _message(row: MessageRow) -> Json:
    return {
        "number": row.message.number,
        "of": row.message.of,
        "channel": "inbox" if row.robot is None else "wecom",
        "robot": row.robot,
        "kind": row.message.kind,
        "bytes": row.message.bytes,
        "state": row.state,
        "text": row.message.text,
        "sent_at": time(row.sent_at),
    }


def robot(lane: LaneView) -> Json:
    """Show how it stands with a robot."""
    return {"name": lane.robot, "queued": lane.queued, "paused": lane.paused, "why": lane.why}


def segments(found: Sequence[Segment]) -> list[Json]:
    """Show segments, with their words where there are any."""
    return [_segment(segment) for segment in found]


def _segment(segment: Segment) -> Json:
    shown: Json = {"id": segment.id, "start": segment.start, "end": segment.end, "text": segment.text}
    if segment.words:
        shown["words"] = [asdict(word) for word in segment.words]
    return shown


def time(moment: float | None) -> str | None:
    """Show seconds since the epoch as RFC 3339 in UTC, to the millisecond."""
    if moment is None:
        return None
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def rounded(number: float | None, digits: int | None) -> float | None:
    """Round a measurement; without ``digits`` to a whole number."""
    return None if number is None else round(number, digits)


def device(view: DeviceView) -> Json:
    """Show how it stands with a device."""
    reading = view.reading
    is_known = reading.memory_mb is not None and reading.used_mb is not None
    return {
        "id": view.device.id,
        "name": view.device.name,
        "in_service": view.outage is None,
        "why": None if view.outage is None else view.outage.why,
        "memory_total_mb": reading.memory_mb,
        "memory_used_mb": reading.used_mb,
        "memory_free_mb": (reading.memory_mb or 0) - (reading.used_mb or 0) if is_known else None,
        "own_mb": reading.own_mb,
        "reserved_mb": view.reserved_mb,
        "utilization": reading.utilization,
        "temperature": reading.temperature,
        "slots": view.device.slots,
        "running": view.running,
        "tasks": list(view.tasks),
        "models": [{"model": model, "reserved_mb": mb} for model, mb in view.models.items()],
        "batch": view.batch,
    }
