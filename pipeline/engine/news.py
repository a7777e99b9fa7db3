"""What the scheduler hears of a device's process."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.core.memory import Peak


@dataclass(frozen=True, slots=True)
class Process:
    """How it stands with a device's process."""

    pid: int
    models: frozenset[str]
    """Those it was asked for."""
    is_worn: bool
    """Whether it ends with its last task."""


@dataclass(frozen=True, slots=True)
class Died:
    """A device's process died or had to be ended."""

    device: str


@dataclass(frozen=True, slots=True)
class Served:
    """A device has transcribed a recording whole."""

    device: str
    model: str
    compute_type: str
    """The first that it was asked for; which one that means to the device is always the same."""
    peaks: tuple[Peak, ...]
    """What the process was newly seen to take, for this model alone."""


@dataclass(frozen=True, slots=True)
class RanOut:
    """A device had not enough memory for a model, however small the batch."""

    device: str
    model: str
    compute_types: tuple[str, ...]


News = Died | Served | RanOut
