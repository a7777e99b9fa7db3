"""Who goes where: which waiting tasks start on which device, with how much of its memory.

Tasks of one model that run on a device share its weights, and their chunks its batches, so memory is promised to a
model for as long as one of its tasks runs. A model stays loaded behind its last task until somebody needs the room.

The order is by priority, then by turn, but nobody waits for somebody else without reason: a task that there is no room
for is overtaken, and so is one for which models that others may want would have to leave. Once its model has been
passed over for ``PATIENCE_S``, a device takes nobody else until it has room for it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

from pipeline.core.placement import Candidate, Need, Placement, Plan, Promise, Rules, Site, Why

WORTH_A_START = 2
"""An idle process ends for batches that are so many times as large; a start costs seconds."""

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
        rest = planner.place_all(planner.not_too_few(group), may_drop=False)
        planner.place_all(rest, may_drop=True)
    return Plan(tuple(planner.placements), planner.why)


def passed_over_since(before: Mapping[str, float], done: Plan, now: float) -> dict[str, float]:
    """Since when tasks of each model are passed over for want of memory.

    Once that has begun it goes on until one of them starts, or none waits any more: that all slots are taken meanwhile
    by those there was room for changes nothing.

    Args:
        before: the same, before the plan.
        done: the plan.
        now: when it was made.
    """
    begun = {model: now for model, why in done.waiting.items() if why in (Why.MEMORY, Why.TURN)}
    started = {place.model for place in done.placements}
    return begun | {model: since for model, since in before.items() if model in done.waiting.keys() - started}


@dataclass(frozen=True, slots=True)
class _Fit:
    """How a task fits on a device."""

    promise: Promise
    batch: int
    drops_idle: bool = False
    """Whether what is loaded there and has nothing to do has to go for it."""


@dataclass(slots=True)
class _Place:
    """A device while a plan is made."""

    site: Site
    free: int
    promised: dict[str, Promise]
    at_work: set[str]
    batch: int | None
    started: Counter[str] = field(default_factory=Counter)
    """Tasks of each model that start now."""
    kept: bool = False
    """Whether it takes nobody more, for somebody who has waited for long."""

    def room_mb(self, rules: Rules, models: Collection[str]) -> int | None:
        """MiB that may be promised beside these models; None: no end of them."""
        if self.site.memory_mb is None:
            return None
        spoken_for = self.site.others_mb + sum(self.promised[model].memory_mb for model in models)
        return self.site.memory_mb - rules.reserve_mb(self.site.memory_mb) - spoken_for

    def fit(self, model: str, ways: Sequence[Need], rules: Rules) -> _Fit | None:
        """How a task of this model could start here; None: not for want of memory."""
        room_mb, room_without_idle_mb = self.room_mb(rules, self.promised), self.room_mb(rules, self.at_work)
        alone = None if self.at_work else self._fit_alone(ways, room_without_idle_mb)
        if model in self.promised:
            has_room = room_mb is None or room_mb >= 0 or self.site.device.is_cpu
            return self._fit_loaded(model, alone) if has_room else alone
        fit = self._fit_beside(ways, room_mb)
        if fit is None and self.at_work:
            fit = self._fit_beside(ways, room_without_idle_mb, drops_idle=True)
        return fit or alone

    def _fit_loaded(self, model: str, alone: _Fit | None) -> _Fit:
        """How it could start with the model that is loaded; or ``alone``, if that is worth another start."""
        loaded = _Fit(self.promised[model], self.batch or 1)
        if alone is None:
            return loaded
        has_better_numbers = len(alone.promise.compute_types) > len(loaded.promise.compute_types)
        return alone if has_better_numbers or alone.batch >= WORTH_A_START * loaded.batch else loaded

    def _fit_beside(self, ways: Sequence[Need], room_mb: int | None, *, drops_idle: bool = False) -> _Fit | None:
        """How it could start in the device's process, whose batches have their size."""
        if self.batch is not None:
            for way in ways:
                promise = way.promise(self.batch)
                if room_mb is None or promise.memory_mb <= room_mb:
                    return _Fit(promise, self.batch, drops_idle)
        return None

    def _fit_alone(self, ways: Sequence[Need], room_mb: int | None) -> _Fit | None:
        """How it could start in a process of its own: there is none, or one that has nothing to do."""
        for way in ways:
            batch = way.batch
            if room_mb is not None and not self.site.device.is_cpu:
                batch = way.footprint.most_items(room_mb, way.batch)
            if batch:
                return _Fit(way.promise(batch), batch, drops_idle=self.batch is not None)
        return None


class _Planner:
    """One plan in the making."""

    def __init__(self, sites: Sequence[Site], needs: Needs, rules: Rules) -> None:
        self._places = [
            _Place(site, site.device.slots - site.taken, dict(site.promised), set(site.at_work), site.batch)
            for site in sites
        ]
        self._needs = needs
        self._rules = rules
        self._passed_over: dict[str, Why] = {}
        """Why a task was not placed when it was its turn."""
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

    def place_all(self, tasks: Sequence[Candidate], *, may_drop: bool) -> list[Candidate]:
        """Place tasks in order; returns those that may yet be if idle models leave for them.

        Args:
            tasks: of one priority.
            may_drop: whether what is loaded and idle may leave for them although others may still want it; for one that
                a device is kept for, it always may.
        """
        left = []
        for task in tasks:
            found = self._best(task, may_drop=may_drop or task.is_next)
            if found is not None:
                self._put(task, *found)
                continue
            if task.task_id not in self._passed_over:
                self._passed_over[task.task_id] = self._why(task)
            if may_drop or task.is_next:
                self._leave(task, self._passed_over[task.task_id])
            else:
                left.append(task)
        return left

    def _best(self, task: Candidate, *, may_drop: bool) -> tuple[_Place, _Fit] | None:
        """The device where most slots are free; of equals one that has the model, and the first of those."""
        fits = [(place, fit) for place in self._places if (fit := self._fit(place, task)) is not None]
        fits = [(place, fit) for place, fit in fits if may_drop or not fit.drops_idle]
        return max(fits, key=lambda found: self._rank(found[0], task.model), default=None)

    def _rank(self, place: _Place, model: str) -> tuple[bool, int, bool]:
        joins = 0 < place.started[model] < self._rules.min_batch
        return joins, place.free, model in place.promised

    def _fit(self, place: _Place, task: Candidate) -> _Fit | None:
        if place.kept or place.free < (place.site.device.slots if task.alone else 1):
            return None
        if place.started[task.model] >= self._rules.max_batch:
            return None
        return place.fit(task.model, self._needs(place.site.device.id, task.model), self._rules)

    def _put(self, task: Candidate, place: _Place, fit: _Fit) -> None:
        if fit.drops_idle:
            place.promised = {model: place.promised[model] for model in place.at_work}
        place.promised[task.model] = fit.promise
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
                fit.promise.memory_mb,
                fit.batch,
                fit.promise.compute_types,
                frozenset(place.promised),
            )
        )

    def _leave(self, task: Candidate, why: Why) -> None:
        """Say why a task is not placed; if it is next before all others, have a device take nobody else."""
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
