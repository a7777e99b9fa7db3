"""What the operating system says of this machine and of this process."""

from __future__ import annotations

import math
import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

GIBIBYTE, MEBIBYTE = 1024**3, 1024**2


@dataclass(frozen=True, slots=True)
class HostReading:
    """One look; None where the system does not say, as outside Linux."""

    disk_free_gb: float
    memory_free_mb: int | None
    """What programs may still take without swapping."""
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
    """The machine's memory, or of it what the container or service may take."""

    total_mb: int
    available_mb: int
    """What programs may still take without swapping."""


@dataclass(frozen=True, slots=True)
class ProcessMemory:
    """What one process has in memory now, and had at most."""

    resident_mb: int
    peak_mb: int


def read_memory(system: Path = Path("/")) -> Memory | None:
    """Look at the machine's memory; None where the system does not say.

    A control group around this process, such as a container or a systemd service with ``MemoryMax``, may allow less.

    Args:
        system: where the folders ``proc`` and ``sys`` are.
    """
    total_mb, available_mb = _megabytes(_read(system / "proc/meminfo"), "MemTotal", "MemAvailable")
    if total_mb is None or available_mb is None:
        return None
    for limit_mb, used_mb in _memory_limits(system):
        total_mb, available_mb = min(total_mb, limit_mb), min(available_mb, max(0, limit_mb - used_mb))
    return Memory(total_mb, available_mb)


def cores(system: Path = Path("/")) -> int:
    """How many processors this process may keep busy; a control group around it may allow less than there are."""
    affinity = getattr(os, "sched_getaffinity", None)  # Linux only; containers may be bound to some of the processors
    count = len(affinity(0)) if affinity else os.cpu_count() or 1
    return max(1, min([count, *(math.ceil(share) for share in _processor_shares(system))]))


def _processor_shares(system: Path) -> Iterator[float]:
    """How many processors each control group around this process may keep busy, where it is limited."""
    for controllers, folder in _control_groups(system, "cpu"):
        if controllers:
            quota, period = _read(folder / "cpu.cfs_quota_us").strip(), _read(folder / "cpu.cfs_period_us").strip()
        else:
            quota, _, period = _read(folder / "cpu.max").strip().partition(" ")
        if quota.isdecimal() and period.isdecimal():
            yield int(quota) / int(period)


def _memory_limits(system: Path) -> Iterator[tuple[int, int]]:
    """Limit and use, in MiB, of each control group around this process that has a limit."""
    for controllers, folder in _control_groups(system, "memory"):
        files = _FILES["memory" if controllers else ""]
        limit, used = _read(folder / files.limit).strip(), _read(folder / files.used).strip()
        if limit.isdecimal() and used.isdecimal():
            kept = re.search(rf"^{files.cache} (\d+)$", _read(folder / "memory.stat"), re.MULTILINE)
            in_use = int(used) - (int(kept[1]) if kept else 0)  # what was only read from files can be dropped
            yield int(limit) // MEBIBYTE, in_use // MEBIBYTE


def _control_groups(system: Path, wanted: str) -> Iterator[tuple[str, Path]]:
    """The control groups around this process that may limit what is ``wanted``; versions 2 and 1.

    Inside a container the own group may be shown as the root, whatever its path is, so every parent is looked at.

    Yields:
        The controllers by which it is listed, none in version 2, and the folder of the group.
    """
    for line in _read(system / "proc/self/cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers and wanted not in controllers.split(","):
            continue
        root = system / "sys/fs/cgroup" / controllers
        group = root / path.lstrip("/")
        for folder in (group, *group.parents[: len(group.parts) - len(root.parts)]):
            yield controllers, folder


@dataclass(frozen=True, slots=True)
class _Files:
    """Where a control group tells of its memory, and the line of ``memory.stat`` that tells of its idle file cache."""

    limit: str
    used: str
    cache: str


_FILES = {
    "": _Files("memory.max", "memory.current", "inactive_file"),
    "memory": _Files("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
}
"""By the name under which ``/proc/self/cgroup`` lists the hierarchy: version 2 has none."""


def process_memory(pid: int) -> ProcessMemory | None:
    """Look at the memory of a process; None if it is gone, or where the system does not say."""
    resident_mb, peak_mb = _megabytes(_read(Path(f"/proc/{pid}/status")), "VmRSS", "VmHWM")
    return None if resident_mb is None or peak_mb is None else ProcessMemory(resident_mb, peak_mb)


def thread_work(thread: int) -> tuple[str, ...]:
    """What a thread of this process has done so far, to be compared: it changes for as long as the thread is at work.

    That is pages and time of the processor that it took, and what it read; nothing where the system does not say.
    """
    folder = Path(f"/proc/self/task/{thread}")
    numbers = _read(folder / "stat").rpartition(")")[2].split()
    return (*numbers[7:13], _read(folder / "io"))


def _megabytes(text: str, *names: str) -> list[int | None]:
    """The values of these lines of one of the system's files."""
    found = [re.search(rf"^{name}:\s+(\d+) kB", text, re.MULTILINE) for name in names]
    return [int(one[1]) // 1024 if one else None for one in found]


def _rss_mb() -> float | None:
    fields = _read(Path("/proc/self/statm")).split()
    return int(fields[1]) * os.sysconf("SC_PAGE_SIZE") / MEBIBYTE if fields else None


def _read(path: Path) -> str:
    """Read one of the system's own files; nothing where there is none."""
    try:
        return path.read_text(encoding="ascii")
    except OSError:
        return ""
