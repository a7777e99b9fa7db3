"""What there is to compute on, and how it stands with it: NVIDIA GPUs through NVML, else the CPU.

CUDA numbers only the cards that ``CUDA_VISIBLE_DEVICES`` names, and so do we; in both the order is that of the slots
they are plugged in, because the engine's process is told so.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import structlog

from pipeline.core.device import Device, Reading
from pipeline.core.memory import MEBIBYTE
from pipeline.errors import ConfigInvalid
from pipeline.host import cores, process_memory, read_memory

log = structlog.get_logger()


def find_devices(wanted: str, slots: int) -> list[Device]:
    """The devices ``transcribe.device`` asks for; ``auto`` takes every GPU, or the CPU where there is none.

    Raises:
        ConfigInvalid: it names a GPU that is not there.
    """
    if wanted == "cpu":
        return [_cpu(slots)]
    gpus = _find_gpus(slots)
    if wanted == "auto":
        return gpus or [_cpu(slots)]
    chosen = gpus if wanted == "cuda" else [gpu for gpu in gpus if gpu.id == wanted]
    if not chosen:
        there = ", ".join(gpu.id for gpu in gpus) or "none"
        raise ConfigInvalid(
            [f"transcribe.device = {json.dumps(wanted)}: not on this machine; GPUs found: {there} · 本机没有该设备"]
        )
    return chosen


def _cpu(slots: int) -> Device:
    return Device("cpu", f"CPU, {cores()} cores", slots)


def _find_gpus(slots: int) -> list[Device]:
    with _nvml() as nvml:
        if nvml is None:
            return []
        gpus = []
        for number, handle in enumerate(_handles(nvml)):
            memory = nvml.nvmlDeviceGetMemoryInfo(handle)
            name = str(nvml.nvmlDeviceGetName(handle))
            gpus.append(Device(f"cuda:{number}", name, slots, memory.total // MEBIBYTE))
        return gpus


def _handles(nvml: Any) -> list[Any]:  # noqa: ANN401 - pynvml has no types
    """Every card that CUDA will see, in CUDA's order."""
    there = [nvml.nvmlDeviceGetHandleByIndex(index) for index in range(nvml.nvmlDeviceGetCount())]
    wanted = os.environ.get("CUDA_VISIBLE_DEVICES")
    if wanted is None:
        return there
    seen = []
    for name in wanted.split(","):
        handle = _named(nvml, there, name.strip())
        if handle is None:  # CUDA reads no further either
            break
        seen.append(handle)
    return seen


def _named(nvml: Any, there: Sequence[Any], name: str) -> Any:  # noqa: ANN401 - pynvml has no types
    if name.isdecimal():
        return there[int(name)] if int(name) < len(there) else None
    same = [handle for handle in there if name and str(nvml.nvmlDeviceGetUUID(handle)).startswith(name)]
    return same[0] if len(same) == 1 else None


def driver_version() -> tuple[str, int] | None:
    """The version of NVIDIA's driver, and the latest major version of CUDA it knows; None where there is none."""
    with _nvml() as nvml:
        if nvml is None:
            return None
        return str(nvml.nvmlSystemGetDriverVersion()), int(nvml.nvmlSystemGetCudaDriverVersion()) // 1000


@contextmanager
def _nvml() -> Iterator[Any]:
    """NVML for the time of a reading; None where there is no driver."""
    import pynvml  # noqa: PLC0415 - only this file needs it

    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError as error:
        log.debug("no NVIDIA driver", why=str(error))
        yield None
        return
    try:
        yield pynvml
    finally:
        pynvml.nvmlShutdown()


class MachineProbe:
    """Looks at the devices of this machine (see ``ports.DeviceProbe``); always from the same thread."""

    def __init__(self, devices: Sequence[Device]) -> None:
        """Know which; the driver is opened with the first look at a GPU, and again after a fault."""
        self._devices = tuple(devices)
        self._nvml: Any = None

    def read(self, pids: Mapping[str, int]) -> list[Reading]:
        """Look at every device; ``pids`` are our processes on them."""
        return [self._read(device.id, pids.get(device.id)) for device in self._devices]

    def _read(self, device: str, pid: int | None) -> Reading:
        if device == "cpu":
            return _read_cpu(pid)
        import pynvml  # noqa: PLC0415 - only this file needs it

        try:
            if self._nvml is None:
                pynvml.nvmlInit()
                self._nvml = pynvml
            return _read_gpu(pynvml, device, pid)
        except (pynvml.NVMLError, IndexError) as error:
            self._close(pynvml)
            return Reading(device, fault=str(error) if isinstance(error, pynvml.NVMLError) else "It is gone")

    def _close(self, nvml: Any) -> None:  # noqa: ANN401 - pynvml has no types
        """Forget the driver: what is wrong with a card may pass, but not for those who opened it before."""
        if self._nvml is not None:
            self._nvml = None
            with suppress(nvml.NVMLError):
                nvml.nvmlShutdown()


def _read_cpu(pid: int | None) -> Reading:
    memory, own = read_memory(), process_memory(pid) if pid else None
    return Reading(
        "cpu",
        memory_mb=memory.total_mb if memory else None,
        used_mb=memory.total_mb - memory.available_mb if memory else None,
        own_mb=own.resident_mb if own else None,
        peak_mb=own.peak_mb if own else None,
    )


def _read_gpu(nvml: Any, device: str, pid: int | None) -> Reading:  # noqa: ANN401 - pynvml has no types
    handle = _handles(nvml)[int(device.partition(":")[2])]
    memory = nvml.nvmlDeviceGetMemoryInfo(handle)
    own_mb = None if pid is None else _own_mb(nvml, handle, pid)

    def optional(ask: Callable[[], float]) -> float | None:
        try:
            return float(ask())
        except nvml.NVMLError_NotSupported:
            return None

    return Reading(
        device,
        memory_mb=memory.total // MEBIBYTE,
        used_mb=memory.used // MEBIBYTE,
        own_mb=own_mb,
        peak_mb=own_mb,
        utilization=optional(lambda: nvml.nvmlDeviceGetUtilizationRates(handle).gpu),
        temperature=optional(lambda: nvml.nvmlDeviceGetTemperature(handle, nvml.NVML_TEMPERATURE_GPU)),
    )


def _own_mb(nvml: Any, handle: Any, pid: int) -> int | None:  # noqa: ANN401 - pynvml has no types
    """What our process takes; None where the driver does not tell, as in a container it may not."""
    for process in nvml.nvmlDeviceGetComputeRunningProcesses(handle):
        if process.pid == pid and process.usedGpuMemory is not None:
            return int(process.usedGpuMemory) // MEBIBYTE
    return None
