"""Whether and when a failed attempt is made again, as a value."""

from __future__ import annotations

from dataclasses import dataclass

LONGEST_DELAY_S = 900.0
"""A task never waits longer than this for its next attempt."""


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

    def decide(self, *, retries: int, attempt: int, now: float, jitter: float) -> RetryAt | GiveUp:
        """Decide after attempt number ``attempt`` failed.

        Args:
            retries: how often a fault of this kind may be retried at all.
            attempt: which attempt it was, the first is 1.
            now: seconds since the epoch.
            jitter: a random number in [0, 1), so that tasks that failed together do not return together.
        """
        if attempt > min(retries, self.max_retries):
            return GiveUp()
        doubled = self.delay_s * 2 ** min(attempt - 1, 30)
        return RetryAt(now + min(LONGEST_DELAY_S, doubled * (1 + jitter / 2)))
