"""Who goes where: which waiting tasks start on which device."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pipeline.core.task import Task


@dataclass(frozen=True, slots=True)
class Device:
    """Something that recognizes speech: ``cpu`` or ``cuda:N``; ``slots`` tasks may share it."""

    id: str
    name: str
    slots: int
    memory_mb: int = 0
    """Memory of the device; 0 for a CPU, which has the machine's."""


@dataclass(frozen=True, slots=True)
class Placement:
    """A task, the device it goes to, and how many of its slots it takes."""

    task_id: str
    device: str
    slots: int = 1


def plan(waiting: Sequence[Task], devices: Sequence[Device], running: Mapping[str, int]) -> list[Placement]:
    """Place as many waiting tasks as there is room for.

    A task with which an engine has died before has a device for itself: should it be its fault, no other is hurt.

    Args:
        waiting: tasks that need a device, in the order of their turns.
        devices: every device in service.
        running: how many slots of each device (by id) are taken.

    Returns:
        Placements in the order in which they should start: higher priority first, then by turn; each task goes to
        the device with the most free slots, the first of equals. Nobody overtakes a task that there is no room for.
    """
    slots = {device.id: device.slots for device in devices}
    free = {device: count - running.get(device, 0) for device, count in slots.items()}
    placements = []
    for task in sorted(waiting, key=lambda task: -task.priority):
        roomy = [device for device in free if free[device] >= (slots[device] if task.suspect else 1)]
        if not roomy:
            break
        best = max(roomy, key=free.__getitem__)
        placements.append(Placement(task.id, best, slots[best] if task.suspect else 1))
        free[best] -= placements[-1].slots
    return placements
