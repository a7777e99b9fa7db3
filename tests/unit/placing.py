"""Devices, models and waiting tasks, and plans for them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from pipeline.core.device import Device
from pipeline.core.memory import Footprint
from pipeline.core.placement import Candidate, Need, Placement, Plan, Promise, Rules, Site
from pipeline.core.planner import plan

CPU = Device("cpu", "CPU", 2)
SMALL, LARGE = Footprint(1000, 100), Footprint(8000, 500)
MODELS = {"small": SMALL, "large": LARGE, "other": Footprint(2000, 200)}
BATCH = 8
DEFAULT = Rules()


def gpu(number: int, slots: int = 3, memory_mb: int = 24_000) -> Site:
    """A graphics card with nothing on it."""
    return Site(Device(f"cuda:{number}", "a card", slots, memory_mb), memory_mb)


def needs(device: str, model: str) -> list[Need]:
    """The one way for a model to run, whatever the device."""
    del device
    return [Need(("float16",), MODELS[model], BATCH)]


def task(name: str, model: str = "small", priority: int = 2, **more: float) -> Candidate:
    """A task that waits."""
    return Candidate(name, model, priority, **more)


def planned(waiting: Sequence[Candidate], *sites: Site, rules: Rules = DEFAULT) -> Plan:
    """Plan for these tasks and devices."""
    return plan(waiting, sites, needs, rules)


def promised(**memory_mb: int) -> dict[str, Promise]:
    """What was promised to models, by their names."""
    return {model: Promise(mb, ("float16",)) for model, mb in memory_mb.items()}


def where(done: Plan) -> dict[str, str]:
    """The device of each task that starts."""
    return {place.task_id: place.device for place in done.placements}


@dataclass
class Card:
    """A device and what goes on there."""

    device: Device
    others_mb: int = 0
    in_service: bool = True
    running: dict[str, Placement] = field(default_factory=dict)
    loaded: dict[str, Promise] = field(default_factory=dict)
    batch: int | None = None

    @property
    def at_work(self) -> frozenset[str]:
        """The models that have tasks."""
        return frozenset(place.model for place in self.running.values())

    def site(self) -> Site:
        """What a plan knows of it."""
        taken = sum(place.slots for place in self.running.values())
        memory_mb = self.device.memory_mb or 64_000
        return Site(self.device, memory_mb, self.others_mb, taken, dict(self.loaded), self.at_work, self.batch)

    def take(self, place: Placement) -> None:
        """Start a task, and check that it hurts no other."""
        assert self.at_work <= place.beside, "a model with tasks leaves"
        assert not self.running or self.batch == place.batch, "a process with tasks is ended"
        loaded = self.loaded.get(place.model)
        assert loaded is None or place.model not in self.at_work or loaded.compute_types == place.compute_types
        self.loaded = {model: promise for model, promise in self.loaded.items() if model in place.beside}
        self.loaded[place.model] = Promise(place.memory_mb, place.compute_types)
        self.batch = place.batch
        self.running[place.task_id] = place
