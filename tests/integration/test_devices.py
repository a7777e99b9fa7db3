"""Devices as they are read: through libraries of NVIDIA's names, which are built here, and from the system's files."""

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
UNTOLD = 2**32 - 1
"""The stub tells no processes of a card on which this one runs."""
STUBS = {"nvidia-ml": "nvml", "cuda": "cuda"}
"""NVIDIA's libraries, by what stands for them."""
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
def reading(folder: Path, *cards: str, visible: str | None = None, library: str = "nvidia-ml") -> Iterator[Driver]:
    """Run a process to which a stub is one of NVIDIA's libraries, over these cards; the other library is missing."""
    if COMPILER is None:
        pytest.skip(f"there is no C compiler (apt-get install gcc) to build a lib{library} with")
    built, name = folder / f"lib{library}.so.1", STUBS[library]
    stub = Path(__file__).with_name(f"{name}_stub.c")
    subprocess.run([COMPILER, "-shared", "-fPIC", "-Wall", "-Werror", "-o", built, stub], check=True)
    environment = os.environ | {"LD_LIBRARY_PATH": str(folder), f"{name.upper()}_SCRIPT": str(folder / "script")}
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


def test_cards_are_found_where_nvml_is_missing(tmp_path: Path) -> None:
    """CUDA's driver names them and their memory; of what is taken of it nobody knows, and that is no fault."""
    with reading(tmp_path, f"{8 * 1024 * MIB}", "lost", f"{24 * 1024 * MIB}", library="cuda") as driver:
        first, second, version = driver.answer()
        assert ("cuda:0", "Stub 0", 8192) == (first["id"], first["name"], first["memory_mb"])
        assert ("cuda:1", "Stub 2", 24_576, None) == (second["id"], second["name"], second["memory_mb"], version)
        assert "GPU-00000000-0000-0000-0000-000000000002" == second["uuid"]
        first, second = driver.read(cuda_0=4711)
        assert (8192, None, None, None) == tuple(first[key] for key in ("memory_mb", "used_mb", "own_mb", "fault"))


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
        assert (24_576, 9000, 6000) == tuple(first[key] for key in ("memory_mb", "used_mb", "own_mb"))
        assert (37.0, 61.0, None) == (first["utilization"], first["temperature"], first["fault"])
        assert (100, None, None) == (second["used_mb"], second["own_mb"], second["temperature"])
        driver.say(card(24, 9000), "lost")
        first, second = driver.read()
        assert (9000, None, "GPU is lost") == (first["used_mb"], first["fault"], second["fault"])
        driver.say("lost", card(8, 100))
        first, second = driver.read()
        assert (100, None, "GPU is lost") == (second["used_mb"], second["fault"], first["fault"])
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


def test_cards_that_cannot_be_used_are_left_out(tmp_path: Path) -> None:
    """One that has fallen off before the start, or that only others may use, does not keep the rest from work."""
    with reading(tmp_path, "lost", card(8), "forbidden", card(16)) as driver:
        *devices, _ = driver.answer()
        assert [("cuda:0", "Stub 1"), ("cuda:1", "Stub 3")] == [(one["id"], one["name"]) for one in devices]
        assert [0, 0] == [one["used_mb"] for one in driver.read()]


def test_what_a_driver_does_not_tell_is_no_fault(tmp_path: Path) -> None:
    """The processes of a card may not be told in a container or on a virtual card, nor its temperature."""
    with reading(tmp_path, card(24)) as driver:
        driver.answer()
        driver.say(card(24, 9000, temperature=0, pid=UNTOLD))
        (seen,) = driver.read(cuda_0=4711)
        assert (9000, None, None, None) == tuple(seen[key] for key in ("used_mb", "own_mb", "temperature", "fault"))


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
    most_mb = probe.most_mb("cpu", mine)
    assert most_mb is not None
    assert 0 < seen.own_mb <= most_mb <= own.peak_mb + 1
    assert 0 < seen.used_mb < memory.total_mb
    assert (None, None) == (probe.read({})[0].own_mb, process_memory(2**22 + 1))
