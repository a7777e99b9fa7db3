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
        memory_free_mb=_memory_free_mb(),
        load_1m=os.getloadavg()[0],
        rss_mb=_rss_mb(),
    )


def _memory_free_mb() -> int | None:
    found = re.search(r"^MemAvailable:\s+(\d+) kB", _read("/proc/meminfo"), re.MULTILINE)
    return int(found[1]) // 1024 if found else None


def _rss_mb() -> float | None:
    fields = _read("/proc/self/statm").split()
    return int(fields[1]) * os.sysconf("SC_PAGE_SIZE") / MEBIBYTE if fields else None


def _read(path: str) -> str:
    """Read one of the system's own files; nothing where there is none."""
    try:
        return Path(path).read_text(encoding="ascii")
    except OSError:
        return ""
