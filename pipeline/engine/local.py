"""The engine on this machine: one pool for FETCH, and for each device a pool and the process that owns its models."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from pipeline.bridge import Bridge, StopSignal
from pipeline.core.device import Device
from pipeline.core.lifecycle import Outcome
from pipeline.core.placement import Placement
from pipeline.core.task import Lane, Task
from pipeline.engine.device_host import DeviceHost
from pipeline.engine.news import Process
from pipeline.executor import Executor, WorkUnit
from pipeline.ports import OnSegments, Recognition, Recognized
from pipeline.roster import Roster

ASR_HOST = "pipeline.engine.asr_host"


class LocalEngine:
    """Runs work units on this machine's threads and devices."""

    def __init__(
        self,
        bridge: Bridge,
        executor: Executor,
        fetch_slots: int,
        devices: Sequence[Device],
        hosts: Mapping[str, DeviceHost],
        roster: Roster,
    ) -> None:
        """Make a pool for FETCH and one for each device; ``hosts`` are those of the devices, by their ids."""
        self._bridge = bridge
        self._executor = executor
        self._roster = roster
        self._fetch = bridge.pool("fetch", fetch_slots)
        self._devices = {device.id: bridge.pool(device.id, device.slots) for device in devices}
        self._unloading = bridge.pool("unload", 1)
        self._hosts = hosts

    def fetch(self, task: Task, on_outcome: Callable[[Outcome], None]) -> None:
        """Run the FETCH stages of a task on the fetch pool."""
        unit = WorkUnit(task, Lane.FETCH)
        self._bridge.submit(self._fetch, lambda: self._executor.run(unit), on_outcome)

    def recognize(self, task: Task, place: Placement, on_outcome: Callable[[Outcome], None]) -> None:
        """Run the ASR stages of a task on the pool of the device where it was placed."""
        unit = WorkUnit(task, Lane.ASR, _Seat(self._hosts[place.device], place))
        self._bridge.submit(self._devices[place.device], lambda: self._executor.run(unit), on_outcome)

    def process(self, device: str) -> Process | None:
        """How it stands with a device's process at this moment; None if there is none."""
        return self._hosts[device].process

    def unload_if_idle(self, device: str, model: str, on_done: Callable[[], None]) -> None:
        """Have a model that has nothing to do leave a device; ``on_done`` is called on the loop after that."""
        host = self._hosts[device]
        self._bridge.submit(self._unloading, lambda: host.unload_if_idle(model), lambda _: on_done())

    def close(self) -> None:
        """End every device's process."""
        for host in self._hosts.values():
            host.close()
        self._roster.remove_sockets()


@dataclass(frozen=True, slots=True)
class _Seat:
    """A device with what one task was promised there."""

    host: DeviceHost
    place: Placement

    def recognize(
        self,
        task: Task,
        request: Recognition,
        on_segments: OnSegments,
        stop: StopSignal,
        on_start: Callable[[], object],
    ) -> Recognized:
        return self.host.recognize(self.place, task, request, on_segments, stop, on_start)
