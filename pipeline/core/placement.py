"""By what it is decided which waiting task goes to which device, and what is decided; `core.planner` decides it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from pipeline.core.device import Device
from pipeline.core.memory import Footprint

PATIENCE_S = 60.0
"""How long a model is passed over for want of memory: loading another takes some seconds, which must be worth it."""


@dataclass(frozen=True, slots=True)
class Rules:
    """When tasks start together, and what of a device's memory is never given away (section ``scheduler``)."""

    min_batch: int = 1
    max_batch: int = 3
    batch_timeout_s: float = 5.0
    margin: float = 0.10
    min_free_mb: int = 1024

    def reserve_mb(self, memory_mb: int) -> int:
        """MiB that stay free on a device of so much."""
        return max(self.min_free_mb, round(self.margin * memory_mb))


@dataclass(frozen=True, slots=True)
class Candidate:
    """A task that waits for a device."""

    task_id: str
    model: str
    priority: int
    waited_s: float = 0.0
    """For a device."""
    passed_over_s: float = 0.0
    """How long its model has been, for want of memory; see ``passed_over_since``."""
    alone: bool = False
    """Whether it needs a device for itself: should it kill the engine once more, no other is hurt."""

    @property
    def is_next(self) -> bool:
        """Whether a device is kept for it until it can start."""
        return self.alone or self.passed_over_s >= PATIENCE_S


@dataclass(frozen=True, slots=True)
class Need:
    """One way for a model to run on a device, and what it takes there."""

    compute_types: tuple[str, ...]
    """Those that may be used, best first."""
    footprint: Footprint
    batch: int
    """Chunks that are to be decoded together if there is room."""

    def promise(self, items: int) -> Promise:
        """What is promised to the model if it runs this way, with batches of so many chunks."""
        return Promise(self.footprint.mb(items), self.compute_types)


@dataclass(frozen=True, slots=True)
class Promise:
    """What a model that is loaded, or about to be, was promised on its device."""

    memory_mb: int
    compute_types: tuple[str, ...]
    """With the first of these that the device supports it is loaded; another would load it a second time."""


@dataclass(frozen=True, slots=True)
class Site:
    """How it stands with a device that is in service."""

    device: Device
    memory_mb: int | None = None
    """None: nobody knows, and so it does not count."""
    others_mb: int = 0
    """What other programs take of it."""
    taken: int = 0
    """Its slots that are."""
    promised: Mapping[str, Promise] = field(default_factory=dict)
    """To every model that its process has loaded or is about to."""
    at_work: frozenset[str] = frozenset()
    """Those of them that have tasks."""
    batch: int | None = None
    """Chunks that its process decodes together; None while there is no process."""


@dataclass(frozen=True, slots=True)
class Placement:
    """A task, the device it goes to, and what is reserved for it there until it ends."""

    task_id: str
    device: str
    model: str
    slots: int = 1
    memory_mb: int = 0
    """Promised to its model."""
    batch: int = 1
    compute_types: tuple[str, ...] = ()
    beside: frozenset[str] = frozenset()
    """The models that may be loaded in its device's process, its own included.

    Any other, which has nothing to do, leaves first; so does a process with batches of another size.
    """


class Why(StrEnum):
    """Why a task that waits for a device does not start."""

    SERVICE = "service"
    """No device is in service."""
    SLOTS = "slots"
    """Every device has as many tasks as it may."""
    MEMORY = "memory"
    """There is no device with enough free memory for its model."""
    TURN = "turn"
    """A device is kept free for a task that has waited for long."""
    BATCH = "batch"
    """It waits for others of its model to start with, or starts with the next ones."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Who starts now, in this order, and why the first of every model that still waits does not."""

    placements: tuple[Placement, ...]
    waiting: Mapping[str, Why]
