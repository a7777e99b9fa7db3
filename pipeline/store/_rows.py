"""Rows of the database and the values they stand for."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from dataclasses import fields
from typing import Any, get_type_hints

from pydantic import TypeAdapter

from pipeline.core.messages import Kind, Message, MessageRow, MessageState, Outgoing
from pipeline.core.products import Artifacts, Product
from pipeline.core.progress import Progress, Reading
from pipeline.core.task import Failure, LayerState, Options, Priority, Source, Stage, Status, Task, TaskWarning, Waiting
from pipeline.core.transcript import Segment, Word
from pipeline.failures import WorkerCrashed
from pipeline.task_store import Waiter

PRODUCTS = tuple(field.name for field in fields(Artifacts))
LISTED_PRODUCTS = ("media", "audio", "transcript")
"""What a list of tasks shows; the others can be long."""

_FULL = 100.0
"""The percent of a completed task."""

# Adapters are compiled once: making one takes longer than using it a thousand times.
_ARTIFACTS = TypeAdapter(Artifacts)
_FAILURE = TypeAdapter(Failure | None)
_FAULTS = TypeAdapter(tuple[tuple[str, int], ...])
_LAYERS = TypeAdapter(tuple[tuple[str, LayerState], ...])
_OPTIONS = TypeAdapter(Options)
_PRODUCT: dict[str, TypeAdapter[Any]] = {name: TypeAdapter(hint) for name, hint in get_type_hints(Artifacts).items()}
_READING = TypeAdapter(Reading)
_WARNINGS = TypeAdapter(tuple[TaskWarning, ...])
_WORDS = TypeAdapter(tuple[Word, ...])


def _dump(adapter: TypeAdapter[Any], value: object) -> str:
    return adapter.dump_json(value).decode()


def json_list(items: Iterable[str]) -> str:
    """Pass a list as one parameter; SQL reads it with ``json_each``."""
    return json.dumps(list(items))


def columns_of(task: Task) -> dict[str, Any]:
    """The columns that a task's own fields fill; the store adds lane, work key and worker."""
    return {
        "id": task.id,
        "owner": task.owner,
        "client_ref": task.client_ref,
        "url": task.source.url,
        "canonical": task.source.canonical,
        "download_url": task.source.download_url,
        "host": task.source.host,
        "search": search_text(task),
        "model": task.options.model,
        "options": _dump(_OPTIONS, task.options),
        "priority": task.priority,
        "status": task.status,
        "stage": task.stage,
        "waiting_for": task.waiting_for,
        "attempt": task.attempt,
        "max_attempts": task.max_attempts,
        "not_before": task.not_before,
        "layers": layers_column(task.layers),
        "warnings": warnings_column(task.warnings),
        "failure": task.failure and _dump(_FAILURE, task.failure),
        "faults": _dump(_FAULTS, task.faults),
        "blame": task.blame,
        "created_at": task.created_at,
        "started_at": task.started_at,
        "updated_at": task.updated_at,
        "finished_at": task.finished_at,
    }


def layers_column(layers: tuple[tuple[str, LayerState], ...]) -> str:
    """The states of the layers as JSON."""
    return _dump(_LAYERS, layers)


def warnings_column(warnings: tuple[TaskWarning, ...]) -> str:
    """The warnings as JSON."""
    return _dump(_WARNINGS, warnings)


def product_column(name: str, product: Product) -> str:
    """A product as JSON; ``name`` is its field of ``Artifacts``."""
    return _dump(_PRODUCT[name], product)


def product_columns(artifacts: Artifacts) -> dict[str, str]:
    """Every product that is there as JSON, by its name."""
    made = {name: getattr(artifacts, name) for name in PRODUCTS}
    return {name: product_column(name, product) for name, product in made.items() if product is not None}


def reading_column(reading: Reading) -> str:
    """A measurement as JSON."""
    return _dump(_READING, reading)


def search_text(task: Task) -> str:
    """What ``?q=`` looks into: title and address, folded here because SQLite's LIKE folds only ASCII."""
    media = task.artifacts.media
    title = task.options.title or (media.title if media else "")
    return f"{title}\n{task.source.url}".casefold()


def waiter_of(row: sqlite3.Row) -> Waiter:
    """Read a row of ``waiting_for_model``."""
    return Waiter(
        task_id=row["id"],
        model=row["model"],
        priority=Priority(row["priority"]),
        is_suspect=any(kind == WorkerCrashed.type for kind, _ in json.loads(row["faults"])),
        waiting_for=None if row["waiting_for"] is None else Waiting(row["waiting_for"]),
    )


def task_of(row: sqlite3.Row) -> Task:
    """Read a row of ``load_tasks``."""
    return Task(
        id=row["id"],
        owner=row["owner"],
        source=Source(row["url"], row["canonical"], row["download_url"]),
        options=_OPTIONS.validate_json(row["options"]),
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        priority=Priority(row["priority"]),
        client_ref=row["client_ref"],
        status=Status(row["status"]),
        stage=Stage(row["stage"]),
        waiting_for=Waiting(row["waiting_for"]) if row["waiting_for"] else None,
        attempt=row["attempt"],
        max_attempts=row["max_attempts"],
        not_before=row["due"],
        sequence=row["sequence"],
        artifacts=_ARTIFACTS.validate_json(row["artifacts"]),
        layers=_LAYERS.validate_json(row["layers"]),
        warnings=_WARNINGS.validate_json(row["warnings"]),
        failure=_FAILURE.validate_json(row["failure"]) if row["failure"] else None,
        faults=_FAULTS.validate_json(row["faults"]),
        blame=row["blame"],
        heard_language=row["heard_language"],
        started_at=row["started_at"],
        finished_at=row["finished_at"],
    )


def progress_of(row: sqlite3.Row) -> Progress | None:
    """Read how far a task is; None if nothing was measured yet."""
    if row["reading"] is not None:
        return Progress(row["percent"], _READING.validate_json(row["reading"]))
    if row["percent"] > 0:  # completed before its first reading was stored, or begun again
        return Progress(row["percent"], Reading(Stage(row["stage"]), fraction=float(row["percent"] == _FULL)))
    return None


def columns_of_segment(task_id: str, segment: Segment) -> dict[str, Any]:
    """The columns of a segment."""
    return {
        "task_id": task_id,
        "segment": segment.id,
        "start_s": segment.start,
        "end_s": segment.end,
        "text": segment.text,
        "words": _dump(_WORDS, segment.words) if segment.words else None,
    }


def segment_of(row: sqlite3.Row) -> Segment:
    """Read a segment."""
    words = _WORDS.validate_json(row["words"]) if row["words"] else ()
    return Segment(row["id"], row["start_s"], row["end_s"], row["text"], words)


def columns_of_message(message: Message) -> dict[str, Any]:
    """The columns of a message that is not sent yet."""
    return {
        "number": message.number,
        "total": message.of,
        "kind": message.kind,
        "format": message.format,
        "text": message.text,
        "content": message.content,
        "bytes": message.bytes,
    }


def _message_of(row: sqlite3.Row) -> Message:
    return Message(row["number"], row["total"], Kind(row["kind"]), row["format"], row["text"], row["content"])


def outgoing_of(row: sqlite3.Row) -> Outgoing:
    """Read the message at the head of a lane."""
    return Outgoing(
        row["id"],
        row["task_id"],
        _message_of(row),
        MessageState(row["state"]),
        row["attempts"],
        begins_run=bool(row["begins_run"]),
        holds_up=bool(row["holds_up"]),
        refused_s=row["refused_s"],
    )


def message_row_of(row: sqlite3.Row) -> MessageRow:
    """Read a message with what became of it."""
    return MessageRow(_message_of(row), row["robot"], MessageState(row["state"]), row["sent_at"])
