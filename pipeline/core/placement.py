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
    """A task and the device it goes to."""

    task_id: str
    device: str


def plan(waiting: Sequence[Task], devices: Sequence[Device], running: Mapping[str, int]) -> list[Placement]:
    """Place as many waiting tasks as there is room for.

    Args:
        waiting: tasks that need a device, in the order of their turns.
        devices: every device in service.
        running: how many tasks each device (by id) has in hand.

    Returns:
        Placements in the order in which they should start: higher priority first, then by turn; each task goes to
        the device with the most free slots, the first of equals.
    """
    free = {device.id: device.slots - running.get(device.id, 0) for device in devices}
    placements = []
    for task in sorted(waiting, key=lambda task: -task.priority):
        best = max(free, key=lambda device: free[device], default=None)
        if best is None or free[best] <= 0:
            break
        free[best] -= 1
        placements.append(Placement(task.id, best))
    return placements
