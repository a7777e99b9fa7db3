"""A look into a daemon's database file, past the daemon."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import Any

from tests.daemon import Daemon


def rows(daemon: Daemon, query: str) -> list[tuple[Any, ...]]:
    """Read from the file without changing it; the daemon may be running."""
    with closing(sqlite3.connect(f"file:{daemon.data / 'transcribed.db'}?mode=ro", uri=True)) as db:
        return db.execute(query).fetchall()
