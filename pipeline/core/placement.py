"""Who goes where: which waiting tasks start on which device, with how much of its memory.

Tasks of one model that run on a device share its weights, and their chunks its batches, so memory is promised to a
model for as long as one of its tasks runs. A model stays loaded behind its last task until somebody needs the room.

The order is by priority, then by turn, but nobody waits for somebody else without reason: a task that there is no room
for is overtaken, and so is one for which a process with other models would have to end. Once its model has been passed
over for ``PATIENCE_S``, a device takes nobody else until it has room for it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
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
    """How long tasks of its model were not placed for want of memory."""
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
    promised_mb: Mapping[str, int] = field(default_factory=dict)
    """Memory of every model that its process has loaded or is about to."""
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

    A process with any other, or with batches of another size, ends first.
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


Needs = Callable[[str, str], Sequence[Need]]
"""The ways for a model (the second) to run on a device (the first), best first."""


def plan(waiting: Sequence[Candidate], sites: Sequence[Site], needs: Needs, rules: Rules) -> Plan:
    """Place as many waiting tasks as there is room for.

    Args:
        waiting: tasks that need a device, in the order of their turns; of each model at least as many as there are
            slots, if there are.
        sites: every device in service.
        needs: what a model takes on a device.
        rules: of starting together, and of memory.

    Returns:
        The plan. Of one model at most ``rules.max_batch`` tasks start on a device together; further ones with the next
        plan. After the start ``rules.reserve_mb`` of the device stay free, but on a CPU, which takes any one model: its
        system makes room.
    """
    planner = _Planner(sites, needs, rules)
    for priority in sorted({task.priority for task in waiting}, reverse=True):
        group = [task for task in waiting if task.priority == priority]
        rest = planner.place_all(planner.not_too_few(group), may_end=False)
        planner.place_all(rest, may_end=True)
    return Plan(tuple(planner.placements), planner.why)


@dataclass(frozen=True, slots=True)
class _Fit:
    """How a task fits on a device."""

    need: Need
    batch: int
    memory_mb: int
    ends_process: bool
    """Whether the device's process, which has nothing to do, has to end for it."""


@dataclass(slots=True)
class _Place:
    """A device while a plan is made."""

    site: Site
    free: int
    promised_mb: dict[str, int]
    at_work: set[str]
    batch: int | None
    started: Counter[str] = field(default_factory=Counter)
    """Tasks of each model that start now."""
    kept: bool = False
    """Whether it takes nobody more, for somebody who has waited for long."""

    def room_mb(self, rules: Rules) -> int | None:
        """MiB that may yet be promised; None: no end of them."""
        if self.site.memory_mb is None:
            return None
        spoken_for = self.site.others_mb + sum(self.promised_mb.values())
        return self.site.memory_mb - rules.reserve_mb(self.site.memory_mb) - spoken_for

    def fit(self, model: str, ways: Sequence[Need], rules: Rules) -> _Fit | None:
        """How a task of this model could start here; None: not for want of memory."""
        room_mb = self.room_mb(rules)
        if model in self.promised_mb and (room_mb is None or room_mb >= 0 or self.site.device.is_cpu):
            batch = self.batch or ways[0].batch
            return _Fit(ways[0], batch, self.promised_mb[model], ends_process=False)
        if model not in self.promised_mb and self.batch is not None:
            for way in ways:
                memory_mb = way.footprint.mb(self.batch)
                if room_mb is None or memory_mb <= room_mb:
                    return _Fit(way, self.batch, memory_mb, ends_process=False)
        return None if self.at_work else self._fit_alone(ways, room_mb)

    def _fit_alone(self, ways: Sequence[Need], room_mb: int | None) -> _Fit | None:
        """How it could start in a process of its own: there is none, or one that has nothing to do."""
        for way in ways:
            batch = way.batch
            if room_mb is not None and not self.site.device.is_cpu:
                batch = way.footprint.most_items(room_mb + sum(self.promised_mb.values()), way.batch)
            if batch:
                return _Fit(way, batch, way.footprint.mb(batch), ends_process=self.batch is not None)
        return None


class _Planner:
    """One plan in the making."""

    def __init__(self, sites: Sequence[Site], needs: Needs, rules: Rules) -> None:
        self._places = [
            _Place(site, site.device.slots - site.taken, dict(site.promised_mb), set(site.at_work), site.batch)
            for site in sites
        ]
        self._needs = needs
        self._rules = rules
        self.placements: list[Placement] = []
        self.why: dict[str, Why] = {}

    def not_too_few(self, group: Sequence[Candidate]) -> list[Candidate]:
        """Leave out the models of which too few tasks could start together, but for ``batch_timeout_s`` at most."""
        count, waited_s = Counter(task.model for task in group), dict[str, float]()
        for task in group:
            waited_s[task.model] = max(task.waited_s, waited_s.get(task.model, 0.0))
        most = max((place.free for place in self._places), default=0)
        enough = min(self._rules.min_batch, max((place.site.device.slots for place in self._places), default=0))
        left = []
        for task in group:
            together = min(count[task.model], most)
            if task.alone or together >= enough or waited_s[task.model] >= self._rules.batch_timeout_s:
                left.append(task)
            else:
                self.why.setdefault(task.model, Why.BATCH if count[task.model] < enough else Why.SLOTS)
        return left

    def place_all(self, tasks: Sequence[Candidate], *, may_end: bool) -> list[Candidate]:
        """Place tasks in order; returns those that may yet be if a process ends for them.

        Args:
            tasks: of one priority.
            may_end: whether a process may be ended for them although it has models that others may still want; for one
                that a device is kept for, it always may.
        """
        left = []
        for task in tasks:
            found = self._best(task, may_end=may_end or task.is_next)
            if found is not None:
                self._put(task, *found)
                continue
            if may_end or task.is_next:
                self._leave(task)
            else:
                left.append(task)
        return left

    def _best(self, task: Candidate, *, may_end: bool) -> tuple[_Place, _Fit] | None:
        """The device where most slots are free; of equals one that has the model, and the first of those."""
        fits = [(place, fit) for place in self._places if (fit := self._fit(place, task)) is not None]
        fits = [(place, fit) for place, fit in fits if may_end or not fit.ends_process]
        return max(fits, key=lambda found: self._rank(found[0], task.model), default=None)

    def _rank(self, place: _Place, model: str) -> tuple[bool, int, bool]:
        joins = 0 < place.started[model] < self._rules.min_batch
        return joins, place.free, model in place.promised_mb

    def _fit(self, place: _Place, task: Candidate) -> _Fit | None:
        if place.kept or place.free < (place.site.device.slots if task.alone else 1):
            return None
        if place.started[task.model] >= self._rules.max_batch:
            return None
        return place.fit(task.model, self._needs(place.site.device.id, task.model), self._rules)

    def _put(self, task: Candidate, place: _Place, fit: _Fit) -> None:
        if fit.ends_process:
            place.promised_mb.clear()
        place.promised_mb[task.model] = fit.memory_mb
        place.batch = fit.batch
        place.at_work.add(task.model)
        place.started[task.model] += 1
        slots = place.site.device.slots if task.alone else 1
        place.free -= slots
        self.placements.append(
            Placement(
                task.task_id,
                place.site.device.id,
                task.model,
                slots,
                fit.memory_mb,
                fit.batch,
                fit.need.compute_types,
                frozenset(place.promised_mb),
            )
        )

    def _leave(self, task: Candidate) -> None:
        """Say why a task is not placed; if it is next before all others, have a device take nobody else."""
        why = self._why(task)
        self.why.setdefault(task.model, why)
        if why is Why.BATCH or not task.is_next:
            return
        places = [place for place in self._places if not place.kept and self._fits_empty(place, task)]
        if places:
            max(places, key=lambda place: place.free).kept = True

    def _fits_empty(self, place: _Place, task: Candidate) -> bool:
        empty = _Place(place.site, place.site.device.slots, {}, set(), None)
        return self._fit(empty, task) is not None

    def _why(self, task: Candidate) -> Why:
        if not self._places:
            return Why.SERVICE
        free = [place for place in self._places if place.free > 0]
        if not free or (task.alone and all(place.free < place.site.device.slots for place in self._places)):
            return Why.SLOTS
        if any(place.started[task.model] >= self._rules.max_batch for place in free):
            return Why.BATCH
        return Why.TURN if all(place.kept for place in free) else Why.MEMORY
