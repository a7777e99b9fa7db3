"""The time by which the store makes wait: it goes on evenly, wherever somebody sets the machine's clock.

Outside the store every time is by the clock. What is counted from or to (the age of a request's key, the next attempt
of a task) is stored by what the clock would say had nobody set it since the machine started. For SQL that is
``steady()``, and ``wall(steady)`` is what the clock says at such a time.
"""

from __future__ import annotations

import sqlite3

from pipeline.clock import Clock
from pipeline.core.retry import LONGEST_WISH_S
from pipeline.store._sql import SQL

READ_APART_S = 1.0
"""A clock that is off by less was not set: its two faces are not read at the same instant."""


class Timers:
    """Knows how far the clock was set since this start of the machine, daemons before this one included."""

    def __init__(self, clock: Clock) -> None:
        """``begin`` reads what is stored of it."""
        self._clock = clock
        self._started_at = 0.0

    def begin(self, conn: sqlite3.Connection) -> None:
        """Give SQL its two functions, and go on counting from where the first daemon since the machine started began.

        After another start of the machine nothing but its clock can tell how long it was off. So that a wrong one
        keeps nobody waiting for days, no task waits for longer than it was ever made to.
        """
        conn.create_function("steady", 0, self._steady, deterministic=True)  # it is, within one statement
        conn.create_function("wall", 1, self._wall, deterministic=True)
        now = self._clock.moment()
        known = conn.execute(SQL["counted_from"]).fetchone()
        if known is not None and known["machine"] == now.machine != "":
            self._started_at = known["started_at"]
            return
        self._started_at = now.at - now.uptime_s
        conn.execute("BEGIN IMMEDIATE")
        conn.execute(SQL["count_from"], {"machine": now.machine, "started_at": self._started_at})
        conn.execute(SQL["wait_no_longer"], {"latest": now.at + LONGEST_WISH_S})
        conn.execute(SQL["keep_no_longer"], {"now": now.at})
        conn.execute("COMMIT")

    def _set_by_s(self) -> float:
        now = self._clock.moment()
        set_by_s = now.at - now.uptime_s - self._started_at
        return 0.0 if abs(set_by_s) < READ_APART_S else set_by_s

    def _steady(self) -> float:
        return self._clock.uptime() + self._started_at

    def _wall(self, steady: float | None) -> float | None:
        return None if steady is None else steady + self._set_by_s()
