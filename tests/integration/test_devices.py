"""Devices as they are read: through a real libnvidia-ml, which is built here, and from the system's own files."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from pipeline.core.device import Device
from pipeline.engine.devices import MachineProbe
from pipeline.host import process_memory, read_memory
from tests.docs.pages import ROOT

MIB = 1024 * 1024
STUB = Path(__file__).with_name("nvml_stub.c")
COMPILER = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")


class Driver:
    """A driver whose cards say what is written, and a process that reads them through pynvml."""

    def __init__(self, folder: Path, process: subprocess.Popen[str]) -> None:
        self._script = folder / "script"
        self._process = process

    def say(self, *cards: str) -> None:
        self._script.write_text("\n".join(cards), encoding="ascii")

    def answer(self) -> list[Any]:
        assert self._process.stdout is not None
        answer: list[Any] = json.loads(self._process.stdout.readline())
        return answer

    def read(self, **pids: int) -> list[Any]:
        assert self._process.stdin is not None
        named = {device.replace("_", ":"): pid for device, pid in pids.items()}
        self._process.stdin.write(json.dumps(named) + "\n")
        self._process.stdin.flush()
        return self.answer()


@contextmanager
def reading(folder: Path, *cards: str, visible: str | None = None) -> Iterator[Driver]:
    """Run a process to which the stub is NVIDIA's library, over these cards."""
    if COMPILER is None:
        pytest.skip("there is no C compiler (apt-get install gcc) to build a libnvidia-ml with")
    library = folder / "libnvidia-ml.so.1"
    subprocess.run([COMPILER, "-shared", "-fPIC", "-Wall", "-Werror", "-o", library, STUB], check=True)
    environment = os.environ | {"LD_LIBRARY_PATH": str(folder), "NVML_SCRIPT": str(folder / "script")}
    environment |= {} if visible is None else {"CUDA_VISIBLE_DEVICES": visible}
    (folder / "script").write_text("\n".join(cards), encoding="ascii")
    with subprocess.Popen(
        [sys.executable, "-m", "tests.integration.reads_devices"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env=environment,
    ) as process:
        try:
            yield Driver(folder, process)
        finally:
            process.kill()


def card(total_gb: int, used_mb: int = 0, temperature: int = 40, pid: int = 0, own_mb: int = 0) -> str:
    return f"{total_gb * 1024 * MIB} {used_mb * MIB} {temperature} {pid} {own_mb * MIB}"


def test_cards_are_found_read_lost_and_found_again(tmp_path: Path) -> None:
    """Through pynvml: names and memory, what our process takes of it, what is not told, and a card that falls off."""
    with reading(tmp_path, card(24), card(8)) as driver:
        first, second, version = driver.answer()
        assert ("cuda:0", "Stub 0", 24_576, 2) == (first["id"], first["name"], first["memory_mb"], first["slots"])
        assert ("cuda:1", 8192, ["570.00", 12]) == (second["id"], second["memory_mb"], version)
        driver.say(card(24, 9000, 61, 4711, 6000), card(8, 100, temperature=0))
        first, second = driver.read(cuda_0=4711, cuda_1=4712)
        assert (24_576, 9000, 6000, 6000) == tuple(first[key] for key in ("memory_mb", "used_mb", "own_mb", "peak_mb"))
        assert (37.0, 61.0, None) == (first["utilization"], first["temperature"], first["fault"])
        assert (100, None, None) == (second["used_mb"], second["own_mb"], second["temperature"])
        driver.say(card(24, 9000), "lost")
        first, second = driver.read()
        assert (9000, None, "GPU is lost") == (first["used_mb"], first["fault"], second["fault"])
        driver.say(card(24, 9000))
        assert "It is gone" == driver.read()[1]["fault"]
        driver.say(card(24, 9000), card(8, 200))
        assert (200, None) == (driver.read()[1]["used_mb"], driver.read()[1]["fault"])


def test_only_cards_that_cuda_sees_are_devices(tmp_path: Path) -> None:
    """``CUDA_VISIBLE_DEVICES`` chooses and orders them, by place or by name, up to the first that does not exist."""
    with reading(tmp_path, card(24), card(8), card(16), visible="2,GPU-0,7,1") as driver:
        *devices, _ = driver.answer()
        assert [("cuda:0", "Stub 2"), ("cuda:1", "Stub 0")] == [(one["id"], one["name"]) for one in devices]
        driver.say(card(24, 1), card(8, 2), card(16, 3))
        assert [3, 1] == [one["used_mb"] for one in driver.read()]


def test_a_cpu_has_the_machines_memory() -> None:
    """Its reading has the machine's memory, and what our process takes now and took at most."""
    probe, mine = MachineProbe([Device("cpu", "CPU", 1)]), os.getpid()
    (seen,) = probe.read({"cpu": mine})
    memory, own = read_memory(), process_memory(mine)
    assert memory is not None
    assert own is not None
    assert memory.total_mb == seen.memory_mb
    assert seen.used_mb is not None
    assert seen.own_mb is not None
    assert seen.peak_mb is not None
    assert 0 < seen.own_mb <= seen.peak_mb <= own.peak_mb
    assert 0 < seen.used_mb < memory.total_mb
    assert (None, None) == (probe.read({})[0].own_mb, process_memory(2**22 + 1))
