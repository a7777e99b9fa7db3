"""Placement by example: priority, age, slots, memory, models that stay loaded, and nobody who waits for ever."""

from __future__ import annotations

from dataclasses import replace

from pipeline.core.device import Device
from pipeline.core.memory import Footprint
from pipeline.core.placement import PATIENCE_S, Need, Placement, Plan, Promise, Rules, Site, Why
from pipeline.core.planner import passed_over_since, plan
from tests.unit.placing import CPU, LARGE, SMALL, Card, gpu, planned, promised, task, where


def test_the_oldest_of_the_highest_priority_starts_first() -> None:
    """The oldest of the highest priority starts first."""
    waiting = [task("a"), task("b", priority=4), task("c", priority=1), task("d", priority=4)]
    assert ["b", "d"] == [place.task_id for place in planned(waiting, Site(CPU)).placements]


def test_a_placement_says_all_that_was_promised() -> None:
    """It names device, model, memory, batch, compute types, and which models may be loaded beside."""
    done = planned([task("a"), task("b", "other")], gpu(0))
    first = Placement("a", "cuda:0", "small", 1, SMALL.mb(8), 8, ("float16",), frozenset({"small"}))
    second = replace(first, task_id="b", model="other", memory_mb=2000 + 8 * 200, beside=frozenset({"small", "other"}))
    assert ((first, second), {}) == (done.placements, done.waiting)


def test_tasks_are_shared_out_among_devices() -> None:
    """Each goes where most slots are free; of equals where its model is loaded."""
    loaded = replace(gpu(1), promised=promised(small=1800), batch=8)
    assert ["cuda:1", "cuda:0"] == [*where(planned([task("a"), task("b")], gpu(0), loaded)).values()]


def test_a_model_that_is_loaded_needs_no_more_memory() -> None:
    """Tasks of one model share its weights and its batches: only the first needs room."""
    full = replace(gpu(0, memory_mb=14_000), promised=promised(large=12_000), at_work=frozenset({"large"}), batch=8)
    done = planned([task("a", "small"), task("b", "large")], full)
    assert ({"b": "cuda:0"}, {"small": Why.MEMORY}) == (where(done), done.waiting)


def test_an_idle_model_gives_way_to_one_that_does_not_fit_beside_it() -> None:
    """The process that has nothing to do ends for it, but not before tasks that want what it has loaded."""
    idle = replace(gpu(0, memory_mb=14_000), promised=promised(large=12_000), batch=8)
    assert frozenset({"small"}) == planned([task("a")], idle).placements[0].beside
    assert {"b": "cuda:0"} == where(planned([task("a"), task("b", "large")], idle))
    urgent = task("a", priority=3)
    assert {"a": "cuda:0"} == where(planned([urgent, task("b", "large")], idle))


def test_a_model_that_was_passed_over_for_long_has_a_device_kept_for_it() -> None:
    """Nobody starts there any more until there is room for it; other devices go on."""
    busy = replace(
        gpu(0, memory_mb=14_000), promised=promised(small=1800), at_work=frozenset({"small"}), batch=8, taken=1
    )
    small_card = gpu(1, memory_mb=6000)
    waiting = [task("big", "large", passed_over_s=PATIENCE_S), task("a"), task("b")]
    done = planned(waiting, busy, small_card)
    assert ({"a": "cuda:1", "b": "cuda:1"}, {"large": Why.MEMORY}) == (where(done), done.waiting)
    assert {"small": Why.TURN, "large": Why.MEMORY} == planned(waiting, busy).waiting
    assert {"a": "cuda:0", "b": "cuda:0"} == where(
        planned([replace(waiting[0], passed_over_s=1.0), *waiting[1:]], busy)
    )


def test_a_steady_stream_of_others_does_not_starve_a_model_that_needs_their_room() -> None:
    """Every slot that falls free is taken by a task there is room for, but no longer than ``PATIENCE_S``."""
    card = Card(Device("cuda:0", "a card", 2, 14_000))
    since: dict[str, float] = {}
    for place in planned([task("first"), task("second")], card.site()).placements:
        card.take(place)
    for now in range(300):
        waiting = [
            task("big", "large", passed_over_s=now - since.get("large", now)),
            task(f"a{now}"),
            task(f"b{now}"),
        ]
        done = planned(waiting, card.site())
        since = passed_over_since(since, done, now)
        for place in done.placements:
            card.take(place)
        if "big" in card.running:
            break
        assert card.running
        if now % 5 == 4:  # in between no slot is free
            del card.running[next(iter(card.running))]
    assert PATIENCE_S < now < PATIENCE_S + 20
    assert {"small": Why.MEMORY} == dict(done.waiting)


def test_being_passed_over_ends_with_a_start() -> None:
    """It begins with the first time, goes on whatever the reason is later, and ends with a start or the last task."""
    placed = planned([task("a"), task("b")], gpu(0, slots=1))
    assert {"small": Why.SLOTS} == placed.waiting
    assert {} == passed_over_since({"small": 1.0}, placed, 2.0)
    blocked = Plan((), {"small": Why.MEMORY, "large": Why.TURN, "other": Why.SLOTS})
    assert {"small": 3.0, "large": 3.0} == passed_over_since({}, blocked, 3.0)
    waiting = Plan((), {"small": Why.SLOTS, "other": Why.SLOTS})
    assert {"small": 3.0} == passed_over_since({"small": 3.0, "large": 3.0}, waiting, 9.0)


def test_an_idle_model_leaves_for_one_that_does_not_fit_beside_it() -> None:
    """The one beside it that has tasks stays, and so does the process with its batches; those at work never leave."""
    busy = replace(
        gpu(0, memory_mb=16_000),
        promised=promised(small=1800, large=10_000),
        at_work=frozenset({"small"}),
        taken=1,
        batch=4,
    )
    (place,) = planned([task("a", "other")], busy).placements
    assert (frozenset({"small", "other"}), 4, 2800) == (place.beside, place.batch, place.memory_mb)
    assert {"b": "cuda:0"} == where(planned([task("a", "other"), task("b", "large")], busy))
    all_at_work = replace(busy, at_work=frozenset({"small", "large"}))
    assert {"other": Why.MEMORY} == planned([task("a", "other")], all_at_work).waiting


def test_a_task_joins_a_model_as_it_was_loaded() -> None:
    """With the numbers it was loaded with where memory was short, though there would be room for better ones now."""
    ways = [Need(("float16", "int8"), LARGE, 8), Need(("int8",), Footprint(4000, 400), 8)]
    first = plan([task("a", "large")], [gpu(0, memory_mb=9000)], lambda *_: ways, Rules()).placements[0]
    loaded = {"large": Promise(first.memory_mb, first.compute_types)}
    site = replace(gpu(0), promised=loaded, at_work=frozenset({"large"}), batch=first.batch, taken=1)
    second = plan([task("b", "large")], [site], lambda *_: ways, Rules()).placements[0]
    assert (("int8",), 7200) == (first.compute_types, first.memory_mb)
    assert replace(first, task_id="b") == second


def test_a_process_that_began_when_memory_was_short_begins_anew() -> None:
    """Once it has nothing to do, and batches would be twice as large or the numbers better; not for less."""
    ways = [Need(("float16", "int8"), SMALL, 8), Need(("int8",), SMALL, 8)]
    for batch, began_with, expected in ((2, ways[0], 8), (5, ways[0], 5), (5, ways[1], 8)):
        loaded = replace(gpu(0), promised={"small": began_with.promise(batch)}, batch=batch)
        (place,) = plan([task("a")], [loaded], lambda *_: ways, Rules()).placements
        assert expected == place.batch
        (joins,) = plan(
            [task("a")], [replace(loaded, at_work=frozenset({"small"}))], lambda *_: ways, Rules()
        ).placements
        assert (batch, began_with.compute_types) == (joins.batch, joins.compute_types)


def test_batches_are_smaller_where_memory_is_short() -> None:
    """A process begins with as many chunks a batch as there is room for; below one, the next way is tried."""
    ways = [Need(("float16",), LARGE, 8), Need(("int8",), Footprint(4000, 400), 8)]
    tight = plan([task("a", "large")], [gpu(0, memory_mb=11_200)], lambda *_: ways, Rules()).placements[0]
    assert (4, ("float16",), 10_000) == (tight.batch, tight.compute_types, tight.memory_mb)
    tighter = plan([task("a", "large")], [gpu(0, memory_mb=9000)], lambda *_: ways, Rules()).placements[0]
    assert (8, ("int8",), 7200) == (tighter.batch, tighter.compute_types, tighter.memory_mb)


def test_what_other_programs_take_and_what_stays_free_is_not_given_away() -> None:
    """Of 24 GB others have 20; a tenth stays free, or 1 GB where that is more."""
    assert {"large": Why.MEMORY} == planned([task("a", "large")], replace(gpu(0), others_mb=14_000)).waiting
    assert {"a": "cuda:0"} == where(planned([task("a", "large")], replace(gpu(0), others_mb=13_000)))
    free = Rules(margin=0.0, min_free_mb=SMALL.mb(1) + 1)
    assert {"small": Why.MEMORY} == planned([task("a")], gpu(0, memory_mb=2 * SMALL.mb(1)), rules=free).waiting


def test_a_cpu_takes_any_one_model() -> None:
    """The machine's memory is made room in by its system; only a second model beside the first must fit."""
    tiny = Site(CPU, 2000)
    assert {"a": "cpu"} == where(planned([task("a", "large"), task("b")], tiny))
    assert {"a": "cpu", "b": "cpu"} == where(planned([task("a", "large"), task("b")], replace(tiny, memory_mb=16_000)))


def test_at_most_so_many_tasks_of_a_model_start_together() -> None:
    """``max_batch_size`` tasks start on a device in one plan, and the rest with the next."""
    done = planned([task(name) for name in "abcd"], gpu(0, slots=4), rules=Rules(max_batch=2))
    assert ({"a": "cuda:0", "b": "cuda:0"}, {"small": Why.BATCH}) == (where(done), done.waiting)


def test_too_few_tasks_wait_for_company() -> None:
    """Fewer than ``min_batch_size`` wait, for ``batch_timeout_s`` at most; enough of them start on one device."""
    rules = Rules(min_batch=2, batch_timeout_s=5)
    assert ({}, {"small": Why.BATCH}) == (where(alone := planned([task("a")], gpu(0), rules=rules)), alone.waiting)
    assert {"a": "cuda:0"} == where(planned([task("a", waited_s=5)], gpu(0), rules=rules))
    assert {"a": "cuda:0", "b": "cuda:0"} == where(planned([task("a"), task("b")], gpu(0), gpu(1), rules=rules))
    one_slot = gpu(0, slots=1)
    assert {"a": "cuda:0"} == where(planned([task("a")], one_slot, rules=rules))


def test_a_suspect_has_a_device_for_itself() -> None:
    """A task with which an engine has died starts on an idle device, takes all of it, and is not overtaken."""
    suspect = task("s", alone=True)
    assert [("s", 2)] == [(place.task_id, place.slots) for place in planned([suspect, task("a")], Site(CPU)).placements]
    assert {"small": Why.SLOTS} == planned([suspect, task("a")], Site(CPU, taken=1)).waiting
    assert {"a": "cpu"} == where(planned([task("a"), suspect], Site(CPU, taken=1)))


def test_nothing_is_placed_without_a_device() -> None:
    """Nothing is placed without a device in service."""
    assert Plan((), {"small": Why.SERVICE}) == planned([task("a")])
