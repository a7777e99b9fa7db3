"""A point in time that the next start can compare with."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Moment:
    """A point in time that a restart can compare with, whatever happens to the machine's clock.

    ``at`` is by that clock, in seconds since the epoch. ``uptime_s`` counts from the start of the machine that
    ``machine`` names; an empty name is one that is not known.
    """

    at: float
    uptime_s: float
    machine: str
