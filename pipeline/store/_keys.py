"""What the store remembers of requests by their keys, each function one unit of work or a part of one."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

from pydantic import TypeAdapter

from pipeline.core.admission import KEY_LIFE_S, Accepted, KeyTaken, Replayed, RequestKey
from pipeline.store._sql import SQL

_ACCEPTED = TypeAdapter(tuple[Accepted, ...])


def recall(conn: sqlite3.Connection, key: RequestKey) -> Replayed | KeyTaken | None:
    """Find how a request of this key was answered; None if it was not, or too long ago."""
    wanted = {"owner": key.owner, "key": key.key, "life_s": KEY_LIFE_S}
    row = conn.execute(SQL["recall_request"], wanted).fetchone()
    if row is None:
        return None
    return Replayed(_ACCEPTED.validate_json(row["accepted"])) if row["body"] == key.body else KeyTaken()


def remember(conn: sqlite3.Connection, key: RequestKey, accepted: Iterable[Accepted]) -> None:
    """Remember an answer, and forget those that are too old."""
    conn.execute(SQL["forget_requests"], {"life_s": KEY_LIFE_S})
    columns = {
        "owner": key.owner,
        "key": key.key,
        "body": key.body,
        "accepted": _ACCEPTED.dump_json(tuple(accepted)).decode(),
    }
    conn.execute(SQL["remember_request"], columns)
