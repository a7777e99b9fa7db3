"""What the operating system says of this machine and of this process."""

from __future__ import annotations

import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

GIBIBYTE, MEBIBYTE = 1024**3, 1024**2


@dataclass(frozen=True, slots=True)
class HostReading:
    """One look; None where the system does not say, as outside Linux."""

    disk_free_gb: float
    memory_free_mb: int | None
    """What programs may still take without swapping. A limit of the container is not seen."""
    load_1m: float
    """Processes that run or wait to run, averaged over a minute."""
    rss_mb: float | None
    """Resident memory of the daemon's own process, without its children."""


def read_host(folder: Path) -> HostReading:
    """Look; the disk is the one ``folder`` lies on."""
    return HostReading(
        disk_free_gb=shutil.disk_usage(folder).free / GIBIBYTE,
        memory_free_mb=memory.available_mb if (memory := read_memory()) else None,
        load_1m=os.getloadavg()[0],
        rss_mb=_rss_mb(),
    )


@dataclass(frozen=True, slots=True)
class Memory:
    """The machine's memory."""

    total_mb: int
    available_mb: int
    """What programs may still take without swapping."""


@dataclass(frozen=True, slots=True)
class ProcessMemory:
    """What one process has in memory now, and had at most."""

    resident_mb: int
    peak_mb: int


def read_memory() -> Memory | None:
    """Look at the machine's memory; None where the system does not say."""
    total_mb, available_mb = _megabytes(_read("/proc/meminfo"), "MemTotal", "MemAvailable")
    return None if total_mb is None or available_mb is None else Memory(total_mb, available_mb)


def process_memory(pid: int) -> ProcessMemory | None:
    """Look at the memory of a process; None if it is gone, or where the system does not say."""
    resident_mb, peak_mb = _megabytes(_read(f"/proc/{pid}/status"), "VmRSS", "VmHWM")
    return None if resident_mb is None or peak_mb is None else ProcessMemory(resident_mb, peak_mb)


def _megabytes(text: str, *names: str) -> list[int | None]:
    """The values of these lines of one of the system's files."""
    found = [re.search(rf"^{name}:\s+(\d+) kB", text, re.MULTILINE) for name in names]
    return [int(one[1]) // 1024 if one else None for one in found]


def _rss_mb() -> float | None:
    fields = _read("/proc/self/statm").split()
    return int(fields[1]) * os.sysconf("SC_PAGE_SIZE") / MEBIBYTE if fields else None


def _read(path: str) -> str:
    """Read one of the system's own files; nothing where there is none."""
    try:
        return Path(path).read_text(encoding="ascii")
    except OSError:
        return ""
