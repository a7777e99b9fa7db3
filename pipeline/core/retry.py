"""Whether and when a failed attempt is made again, as a value."""

from __future__ import annotations

from dataclasses import dataclass
from email.utils import parsedate_to_datetime

LONGEST_DELAY_S = 900.0
"""A task never waits longer than this for its next attempt by itself."""
LONGEST_WISH_S = 3600.0
"""Nor longer than this because somebody asks it to."""


@dataclass(frozen=True, slots=True)
class RetryAt:
    """Try again, not before this time (seconds since the epoch)."""

    when: float


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Do not try again."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """The ceiling and the pace of retries: ``scheduler.max_retries`` and ``scheduler.retry_delay_s``."""

    max_retries: int
    delay_s: float

    def decide(
        self, *, retries: int, seen: int, attempt: int, now: float, jitter: float, wish_s: float | None = None
    ) -> RetryAt | GiveUp:
        """Decide after attempt number ``attempt`` failed.

        Args:
            retries: how often a fault of this kind may be retried at all.
            seen: how many attempts have ended with this kind, this one included.
            attempt: which attempt it was, the first is 1.
            now: seconds since the epoch.
            jitter: a random number in [0, 1), so that tasks that failed together do not return together.
            wish_s: seconds for which the other side asked to be left alone.
        """
        if seen > retries or attempt > self.max_retries:
            return GiveUp()
        doubled = self.delay_s * 2 ** min(attempt - 1, 30)
        pause_s = min(LONGEST_DELAY_S, doubled * (1 + jitter / 2))
        return RetryAt(now + max(pause_s, min(LONGEST_WISH_S, wish_s or 0.0)))


def read_retry_after(value: str, now: float) -> float | None:
    """Read the header ``Retry-After``, seconds or a date, as seconds from ``now``; None if it is neither."""
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - now)
    except ValueError:
        return None
