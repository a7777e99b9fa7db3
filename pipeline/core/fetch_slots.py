"""How many videos are fetched side by side: all that may be, and fewer while the machine is under strain."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

DISK_RESERVE = 2
"""Below so many times ``storage.min_free_gb`` the disk is short: what runs may yet fill it to the floor."""
LEAST_MEMORY_MB = 512
"""Below so much available memory what runs may need the rest: a recognizer grows by hundreds of MiB."""
AHEAD = 8
"""So many prepared videos for each slot of a device keep it busy; more only fill the disk."""


class Strain(StrEnum):
    """What the machine is short of."""

    DISK = "disk"
    MEMORY = "memory"
    BACKLOG = "backlog"


@dataclass(frozen=True, slots=True)
class Load:
    """What weighs on the machine at one moment."""

    disk_free_gb: float
    disk_floor_gb: float
    memory_free_mb: int | None
    """None where the system does not say."""
    prepared: int
    """Videos that are fetched and wait for a device."""
    device_slots: int
    """Transcriptions that all devices together run side by side."""


def strain_of(load: Load) -> Strain | None:
    """Name what the machine is short of, the worst first; None if it is short of nothing."""
    if load.disk_free_gb < DISK_RESERVE * load.disk_floor_gb:
        return Strain.DISK
    if load.memory_free_mb is not None and load.memory_free_mb < LEAST_MEMORY_MB:
        return Strain.MEMORY
    if load.prepared >= AHEAD * load.device_slots:
        return Strain.BACKLOG
    return None


def adjust(slots: int, most: int, strain: Strain | None) -> int:
    """Say how many slots there are from now on: half of them under strain, at least one; else one more, up to ``most``.

    What runs is never interrupted for it.
    """
    return max(1, slots // 2) if strain else min(most, slots + 1)
