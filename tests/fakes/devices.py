"""Devices of any kind without any: a probe that reads what it is told to, and an engine whose processes are words."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from pipeline.core.device import Device, Reading
from pipeline.engine.device_host import Process
from tests.fakes.server import Record


class ScriptedProbe:
    """Reads devices as a script says: by default idle ones that have all their memory (see ``ports.DeviceProbe``)."""

    def __init__(self, devices: Sequence[Device]) -> None:
        """Begin with nothing taken."""
        self.readings = {device.id: Reading(device.id, device.memory_mb or None, 0) for device in devices}
        self.asked: Record[Mapping[str, int]] = Record()

    def tell(self, device: str, **seen: float | str | None) -> None:
        """Let a device be seen otherwise from the next look on."""
        self.readings[device] = replace(self.readings[device], **seen)  # type: ignore[arg-type] # fields of Reading

    def read(self, pids: Mapping[str, int]) -> list[Reading]:
        """Answer as told."""
        self.asked.add(dict(pids))
        return list(self.readings.values())


class ScriptedProcesses:
    """Devices' processes as a script says; asked to end one that is idle, there is none any more."""

    def __init__(self) -> None:
        """Begin without any."""
        self.there: dict[str, Process] = {}

    def process(self, device: str) -> Process | None:
        """Tell how it stands with a device's process."""
        return self.there.get(device)

    def end_if_idle(self, device: str, on_done: Callable[[], None]) -> None:
        """End it."""
        self.there.pop(device, None)
        on_done()
