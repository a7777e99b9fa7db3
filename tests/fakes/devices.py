"""Devices of any kind without any: a probe that reads what it is told to, and an engine whose processes are words."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from pipeline.core.device import Device, Reading
from pipeline.engine.news import Process
from tests.fakes.server import Record


class ScriptedProbe:
    """Reads devices as a script says: by default idle ones that have all their memory (see ``ports.DeviceProbe``)."""

    def __init__(self, devices: Sequence[Device]) -> None:
        """Begin with nothing taken."""
        self.readings = {device.id: Reading(device.id, device.memory_mb or None, 0) for device in devices}
        self.asked: Record[Mapping[str, int]] = Record()
        self.meanwhile: Callable[[], object] = lambda: None
        """Called while devices are being looked at, in the probe's thread."""

    def tell(self, device: str, **seen: float | str | None) -> None:
        """Let a device be seen otherwise from the next look on."""
        self.readings[device] = replace(self.readings[device], **seen)  # type: ignore[arg-type] # fields of Reading

    def read(self, pids: Mapping[str, int]) -> list[Reading]:
        """Answer as told."""
        self.meanwhile()
        self.asked.add(dict(pids))
        return list(self.readings.values())


class ScriptedProcesses:
    """Devices' processes as a script says; a model that is to leave one does, and with the last one it ends."""

    def __init__(self) -> None:
        """Begin without any."""
        self.there: dict[str, Process] = {}

    def process(self, device: str) -> Process | None:
        """Tell how it stands with a device's process."""
        return self.there.get(device)

    def unload_if_idle(self, device: str, model: str, on_done: Callable[[], None]) -> None:
        """Have a model leave."""
        process = self.there.pop(device)
        if process.models != {model}:
            self.there[device] = replace(process, models=process.models - {model})
        on_done()
