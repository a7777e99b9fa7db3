"""What there is to compute on, and how it stands with it: NVIDIA GPUs through NVML or CUDA's driver, else the CPU.

CUDA numbers only the cards that ``CUDA_VISIBLE_DEVICES`` names, and so do we, at the start. Afterwards a card goes by
what it is called: should another fall off, it is still the same.
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
from pipeline.engine.cuda_driver import find_cards
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
            return [
                Device(f"cuda:{number}", card.name, slots, card.memory_bytes // MEBIBYTE, card.uuid)
                for number, card in enumerate(find_cards())
            ]
        gpus: list[Device] = []
        for handle in _visible(nvml, _cards(nvml)):
            memory = nvml.nvmlDeviceGetMemoryInfo(handle)
            name, uuid = str(nvml.nvmlDeviceGetName(handle)), str(nvml.nvmlDeviceGetUUID(handle))
            gpus.append(Device(f"cuda:{len(gpus)}", name, slots, memory.total // MEBIBYTE, uuid))
        return gpus


def _cards(nvml: Any) -> list[Any]:  # noqa: ANN401 - pynvml has no types
    """Every card that can be used; not one that has fallen off, or that only others may use."""
    cards = []
    for number in range(nvml.nvmlDeviceGetCount()):
        try:
            card = nvml.nvmlDeviceGetHandleByIndex(number)
            nvml.nvmlDeviceGetMemoryInfo(card)
        except nvml.NVMLError as error:
            log.warning("a card cannot be used", number=number, why=str(error))
        else:
            cards.append(card)
    return cards


def _visible(nvml: Any, cards: Sequence[Any]) -> Sequence[Any]:  # noqa: ANN401 - pynvml has no types
    """Those of the cards that CUDA will see, in CUDA's order."""
    wanted = os.environ.get("CUDA_VISIBLE_DEVICES")
    if wanted is None:
        return cards
    seen = []
    for name in wanted.split(","):
        card = _named(nvml, cards, name.strip())
        if card is None:  # CUDA reads no further either
            break
        seen.append(card)
    return seen


def _named(nvml: Any, cards: Sequence[Any], name: str) -> Any:  # noqa: ANN401 - pynvml has no types
    if name.isdecimal():
        return cards[int(name)] if int(name) < len(cards) else None
    same = [card for card in cards if name and str(nvml.nvmlDeviceGetUUID(card)).startswith(name)]
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
        say = log.debug if isinstance(error, pynvml.NVMLError_LibraryNotFound) else log.warning
        say("no NVIDIA driver", why=str(error))
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
        self._devices = {device.id: device for device in devices}
        self._nvml: Any = None

    def read(self, pids: Mapping[str, int]) -> list[Reading]:
        """Look at every device; ``pids`` are our processes on them."""
        return [self._read(device, pids.get(device.id)) for device in self._devices.values()]

    def most_mb(self, device: str, pid: int) -> int | None:
        """The most that a process of ours has taken of a device, as far as it can be seen; None if it cannot."""
        if device == "cpu":
            memory = process_memory(pid)
            return memory.peak_mb if memory else None
        reading = self._read(self._devices[device], pid)  # a library that keeps what it took once
        return reading.own_mb

    def _read(self, device: Device, pid: int | None) -> Reading:
        if device.is_cpu:
            return _read_cpu(pid)
        import pynvml  # noqa: PLC0415 - only this file needs it

        try:
            if self._nvml is None:
                pynvml.nvmlInit()
                self._nvml = pynvml
            return _read_gpu(pynvml, device, pid)
        except pynvml.NVMLError_LibraryNotFound:  # then CUDA named it, which tells no more without taking memory
            return Reading(device.id, memory_mb=device.memory_mb)
        except pynvml.NVMLError as error:
            self._close(pynvml)
            return Reading(
                device.id, fault="It is gone" if isinstance(error, pynvml.NVMLError_NotFound) else str(error)
            )

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
    )


def _read_gpu(nvml: Any, device: Device, pid: int | None) -> Reading:  # noqa: ANN401 - pynvml has no types
    card = nvml.nvmlDeviceGetHandleByUUID(device.uuid)
    memory = nvml.nvmlDeviceGetMemoryInfo(card)

    def optional(ask: Callable[[], float | None]) -> float | None:
        try:
            return ask()
        except nvml.NVMLError:  # not supported, not allowed, not known to this driver; the card itself was just read
            return None

    own_mb = None if pid is None else optional(lambda: _own_mb(nvml, card, pid))
    return Reading(
        device.id,
        memory_mb=memory.total // MEBIBYTE,
        used_mb=memory.used // MEBIBYTE,
        own_mb=None if own_mb is None else int(own_mb),
        utilization=optional(lambda: float(nvml.nvmlDeviceGetUtilizationRates(card).gpu)),
        temperature=optional(lambda: float(nvml.nvmlDeviceGetTemperature(card, nvml.NVML_TEMPERATURE_GPU))),
    )


def _own_mb(nvml: Any, card: Any, pid: int) -> int | None:  # noqa: ANN401 - pynvml has no types
    """What our process takes; None where the driver does not tell, as in a container it may not."""
    for process in nvml.nvmlDeviceGetComputeRunningProcesses(card):
        if process.pid == pid and process.usedGpuMemory is not None:
            return int(process.usedGpuMemory) // MEBIBYTE
    return None
