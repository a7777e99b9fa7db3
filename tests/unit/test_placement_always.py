"""What holds of every placement, whatever tasks come and whatever happens to the devices."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings, strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule

from pipeline.core.device import Device
from pipeline.core.placement import PATIENCE_S, Candidate, Plan, Promise, Rules, Site, Why
from pipeline.core.planner import passed_over_since, plan
from tests.unit.placing import MODELS, Card, gpu, needs, planned, task, where


class Machine(RuleBasedStateMachine):
    """Devices of any size, with tasks that come and end, neighbors that take memory, and cards that fall off."""

    tasks = Bundle("tasks")
    cards = Bundle("cards")

    def __init__(self) -> None:
        super().__init__()
        self.clock = 0.0
        self.submitted = 0
        self.rules = Rules(min_batch=1, max_batch=2)
        self.fleet: list[Card] = []
        self.waiting: list[Candidate] = []
        self.passed_over: dict[str, float] = {}
        self.last = Plan((), {})

    @rule(target=cards, slots=st.integers(1, 4), memory_mb=st.sampled_from([0, 4000, 12_000, 24_000, 80_000]))
    def plug_in(self, slots: int, memory_mb: int) -> Card | None:
        if len(self.fleet) == 8 or (not memory_mb and any(card.device.is_cpu for card in self.fleet)):
            return None
        name = f"cuda:{len(self.fleet)}" if memory_mb else "cpu"
        self.fleet.append(Card(Device(name, name, slots, memory_mb)))
        return self.fleet[-1]

    @rule(count=st.integers(1, 4), model=st.sampled_from([*MODELS]), priority=st.integers(1, 4), alone=st.booleans())
    def submit(self, count: int, model: str, priority: int, alone: bool) -> None:  # noqa: FBT001 - a drawn value
        for _ in range(count):
            self.submitted += 1
            self.waiting.append(Candidate(f"t{self.submitted}", model, priority, self.clock, alone=alone))

    @rule(card=cards, others_mb=st.integers(0, 80_000))
    def neighbor(self, card: Card | None, others_mb: int) -> None:
        if card:
            card.others_mb = others_mb

    @rule(card=cards)
    def fall_off_or_come_back(self, card: Card | None) -> None:
        if card:
            card.in_service = not card.in_service
            card.running.clear()
            card.loaded.clear()
            card.batch = None

    @rule(card=cards)
    def end_one(self, card: Card | None) -> None:
        if card and card.running:
            del card.running[next(iter(card.running))]

    @rule(seconds=st.sampled_from([1.0, PATIENCE_S]))
    def look(self, seconds: float) -> None:
        self.clock += seconds
        before = [card.site() for card in self.fleet if card.in_service]
        waiting = sorted(
            (
                replace(each, passed_over_s=self.clock - self.passed_over.get(each.model, self.clock))
                for each in self.waiting
            ),
            key=lambda each: -each.priority,
        )
        self.last = plan(waiting, before, needs, self.rules)
        self.check(waiting, before)
        for place in self.last.placements:
            next(card for card in self.fleet if card.device.id == place.device and card.in_service).take(place)
        placed = {place.task_id for place in self.last.placements}
        self.waiting = [each for each in self.waiting if each.task_id not in placed]
        self.passed_over = passed_over_since(self.passed_over, self.last, self.clock)

    def check(self, waiting: Sequence[Candidate], before: Sequence[Site]) -> None:
        """Nothing is placed twice; whoever waits has a reason, and a higher priority never less than a lower one."""
        placed = [place.task_id for place in self.last.placements]
        assert len(placed) == len(set(placed))
        assert {each.model for each in waiting if each.task_id not in placed} == set(self.last.waiting)
        free = sum(site.device.slots - site.taken for site in before)
        if any(why is Why.SLOTS for why in self.last.waiting.values()) and not any(each.alone for each in waiting):
            assert free == len(placed)
        for each in self.last.placements:
            higher = [other for other in waiting if other.task_id not in placed and other.model == each.model]
            mine = next(one for one in waiting if one.task_id == each.task_id)
            assert not [other for other in higher if other.priority > mine.priority and not other.alone]

    @invariant()
    def no_device_has_more_than_its_slots(self) -> None:
        for card in self.fleet:
            assert sum(place.slots for place in card.running.values()) <= card.device.slots

    def teardown(self) -> None:
        """Once nobody takes memory from them and tasks end, every task is placed that fits on a device at all."""
        for card in self.fleet:
            card.others_mb = 0
            card.in_service = True
        able = [card.site() for card in self.fleet]
        for _ in range(6 * len(self.waiting) + 6):
            self.look(PATIENCE_S)
            for card in self.fleet:
                if card.running:
                    del card.running[next(iter(card.running))]
        empty = [replace(site, taken=0, promised={}, at_work=frozenset(), batch=None) for site in able]
        assert [] == [each.task_id for each in self.waiting if plan([each], empty, needs, self.rules).placements]

    @invariant()
    def no_device_has_promised_more_memory_than_it_has(self) -> None:
        for card in self.fleet:
            placed = [place for place in self.last.placements if place.device == card.device.id]
            if placed and card.in_service and not card.device.is_cpu and card.loaded and card.others_mb == 0:
                left = card.device.memory_mb - sum(promise.memory_mb for promise in card.loaded.values())
                assert left >= self.rules.reserve_mb(card.device.memory_mb)


TestMachine = Machine.TestCase
TestMachine.settings = settings(max_examples=30, stateful_step_count=25, deadline=None)


@pytest.mark.parametrize("count", [1, 2, 8])
@given(
    models=st.lists(st.sampled_from([*MODELS]), max_size=40),
    memory=st.lists(st.integers(1000, 100_000), min_size=8, max_size=8),
    others=st.lists(st.integers(0, 50_000), min_size=8, max_size=8),
)
def test_no_room_is_left_beside_a_waiting_task(
    count: int, models: list[str], memory: list[int], others: list[int]
) -> None:
    """After plans until nobody is placed, nobody who waits fits anywhere, and no memory is overdrawn."""
    sites = [replace(gpu(number, memory_mb=memory[number]), others_mb=others[number]) for number in range(count)]
    waiting = [task(str(number), model) for number, model in enumerate(models)]
    while (done := planned(waiting, *sites)).placements:
        for place in done.placements:
            number = next(number for number, site in enumerate(sites) if site.device.id == place.device)
            site = sites[number]
            taken = {**site.promised, place.model: Promise(place.memory_mb, place.compute_types)}
            sites[number] = replace(
                site,
                taken=site.taken + 1,
                promised=taken,
                at_work=frozenset(taken),
                batch=place.batch,
            )
        placed = where(done)
        waiting = [each for each in waiting if each.task_id not in placed]
    for site in sites:
        assert site.taken <= site.device.slots
        if site.taken:
            left = site.device.memory_mb - site.others_mb - sum(each.memory_mb for each in site.promised.values())
            assert left >= Rules().reserve_mb(site.device.memory_mb)
    for each in waiting:
        assert not planned([each], *sites).placements
    assert Counter(each.model for each in waiting).keys() == done.waiting.keys()
