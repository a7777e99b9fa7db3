"""When to stop asking somebody who does not answer, and when to ask again."""

from __future__ import annotations

from dataclasses import dataclass

MOST_FAILURES = 5
"""So many failures in a row and nobody is asked any more."""
PAUSE_S = 60.0
"""After so long one question, the probe, finds out whether it is any better."""


@dataclass(frozen=True, slots=True)
class Breaker:
    """A breaker as it stands; every event gives the next one. Times are seconds of any steady clock."""

    failures: int = 0
    open_until: float | None = None
    """When a probe may go through; None while everything goes through."""

    def blocks(self, now: float) -> bool:
        """Tell whether nothing may go through."""
        return self.open_until is not None and now < self.open_until

    def probes(self, now: float) -> bool:
        """Tell whether one question may go through, and all others have to wait for what becomes of it."""
        return self.open_until is not None and now >= self.open_until

    def failed(self, now: float) -> Breaker:
        """Count a failure that may be a matter of chance."""
        failures = self.failures + 1
        is_open = failures >= MOST_FAILURES or self.open_until is not None
        return Breaker(failures, now + PAUSE_S if is_open else None)

    def opened(self, now: float) -> Breaker:
        """Open at once: the failure was none of chance."""
        return Breaker(self.failures + 1, now + PAUSE_S)


CLOSED = Breaker()
"""Everything goes through, and nothing has failed."""
