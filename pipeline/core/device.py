"""What speech is recognized on, and one look at it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Device:
    """Something that recognizes speech: ``cpu`` or ``cuda:N``; ``slots`` tasks may share it."""

    id: str
    name: str
    slots: int
    memory_mb: int = 0
    """Memory of the device; 0 for a CPU, which has the machine's."""
    uuid: str = ""
    """Of a card: what it is called, however many others there are by now."""

    @property
    def is_cpu(self) -> bool:
        """Whether its memory is the machine's, where the system makes room for whoever needs it."""
        return self.id == "cpu"


@dataclass(frozen=True, slots=True)
class Reading:
    """How it stood with a device at one moment; None for what cannot be told."""

    device: str
    memory_mb: int | None = None
    used_mb: int | None = None
    """By everybody."""
    own_mb: int | None = None
    """Of it by our process."""
    utilization: float | None = None
    """Percent of the time in which it computed something."""
    temperature: float | None = None
    """Degrees Celsius."""
    fault: str | None = None
    """Why it cannot be read, and so is of no use now."""
