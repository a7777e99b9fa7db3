"""What there is to compute on: NVIDIA GPUs through NVML, else the CPU."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import structlog

from pipeline.core.placement import Device
from pipeline.errors import ConfigInvalid

MIB = 1024 * 1024

log = structlog.get_logger()


def find_devices(wanted: str, slots: int) -> list[Device]:
    """The devices ``transcribe.device`` asks for; ``auto`` takes every GPU, or the CPU where there is none.

    Raises:
        ConfigInvalid: it names a GPU that is not there.
    """
    if wanted == "cpu":
        return [_cpu(slots)]
    gpus = _read_gpus(slots)
    if wanted == "auto":
        return gpus or [_cpu(slots)]
    chosen = gpus if wanted == "cuda" else [gpu for gpu in gpus if gpu.id == wanted]
    if not chosen:
        there = ", ".join(gpu.id for gpu in gpus) or "none"
        raise ConfigInvalid([f"transcribe.device: {wanted!r} is not there (GPUs found: {there}) / 找不到该设备"])
    return chosen


def _cpu(slots: int) -> Device:
    return Device("cpu", f"CPU, {os.cpu_count()} cores", slots)


def _read_gpus(slots: int) -> list[Device]:
    with _nvml() as nvml:
        if nvml is None:
            return []
        gpus = []
        for index in range(nvml.nvmlDeviceGetCount()):
            handle = nvml.nvmlDeviceGetHandleByIndex(index)
            memory = nvml.nvmlDeviceGetMemoryInfo(handle)
            gpus.append(Device(f"cuda:{index}", str(nvml.nvmlDeviceGetName(handle)), slots, memory.total // MIB))
        return gpus


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
