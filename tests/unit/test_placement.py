"""Placement: priority, age, and no device over its slots."""

from collections import Counter
from dataclasses import replace

from hypothesis import given, strategies as st

from pipeline.core.placement import Device, Placement, plan
from pipeline.core.task import Options, Priority, Source, Task
from pipeline.failures import WorkerCrashed

CPU = Device("cpu", "CPU", 2)
GPUS = (Device("cuda:0", "A", 1, 24_000), Device("cuda:1", "B", 3, 24_000))


def task(name: str, priority: Priority = Priority.NORMAL) -> Task:
    return Task(name, "o", Source("u", "u"), Options("demo"), 0.0, 0.0, priority=priority)


def test_the_oldest_of_the_highest_priority_starts_first() -> None:
    """The oldest of the highest priority starts first."""
    waiting = [task("a"), task("b", Priority.URGENT), task("c", Priority.LOW), task("d", Priority.URGENT)]
    assert [Placement("b", "cpu"), Placement("d", "cpu")] == plan(waiting, [CPU], {})


def test_tasks_go_where_most_slots_are_free() -> None:
    """Tasks go where most slots are free."""
    waiting = [task(name) for name in "abcde"]
    assert ["cuda:1", "cuda:1", "cuda:0", "cuda:1"] == [place.device for place in plan(waiting, GPUS, {})]


def test_a_suspect_has_a_device_for_itself() -> None:
    """A task with which an engine has died starts on an idle device, takes all of it, and is not overtaken."""
    suspect = replace(task("s"), faults=((WorkerCrashed.type, 1),))
    assert [Placement("s", "cpu", 2)] == plan([suspect, task("a")], [CPU], {})
    assert [] == plan([suspect, task("a")], [CPU], {"cpu": 1})
    assert [Placement("a", "cpu")] == plan([task("a"), suspect], [CPU], {"cpu": 1})


def test_nothing_is_placed_without_a_device() -> None:
    """Nothing is placed without a device."""
    assert [] == plan([task("a")], [], {})


@given(
    st.lists(st.sampled_from(Priority), max_size=20),
    st.lists(st.integers(1, 4), max_size=4),
    st.data(),
)
def test_no_device_is_ever_given_more_than_its_slots(
    priorities: list[Priority], slots: list[int], data: st.DataObject
) -> None:
    """No device is given more than its slots, nothing is placed twice, and no slot stays free beside a waiting task."""
    devices = [Device(f"cuda:{place}", "x", count) for place, count in enumerate(slots)]
    running = {device.id: data.draw(st.integers(0, device.slots)) for device in devices}
    waiting = [replace(task(str(place)), priority=priority) for place, priority in enumerate(priorities)]
    placed = plan(waiting, devices, running)
    load = Counter(running) + Counter(place.device for place in placed)
    assert all(load[device.id] <= device.slots for device in devices)
    assert len(placed) == len({place.task_id for place in placed})
    free = sum(device.slots - running[device.id] for device in devices)
    assert min(free, len(waiting)) == len(placed)
