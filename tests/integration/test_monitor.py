"""The monitor over a real store and this very machine."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from pipeline.config import Live
from pipeline.core.fetch_slots import AHEAD, Strain
from pipeline.core.task import Lane
from pipeline.host import GIBIBYTE, MEBIBYTE as MIB, cores, read_host, read_memory
from pipeline.monitor import Monitor
from pipeline.service import LoopDied, Watch, run_services
from pipeline.store.sqlite import SqliteStore
from tests.contract.examples import ROUTE, add_for, claimed
from tests.integration.api import SOON_S, settings_for

DEVICE_SLOTS = 1


class Slots:
    """Takes the number of FETCH slots whenever it changes."""

    def __init__(self) -> None:
        self.told: list[int] = []
        self._news = asyncio.Event()

    def take(self, slots: int) -> None:
        self.told.append(slots)
        self._news.set()

    async def until(self, slots: int) -> None:
        async with asyncio.timeout(SOON_S):
            while self.told[-1:] != [slots]:
                self._news.clear()
                await self._news.wait()


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    made = SqliteStore(tmp_path / "tasks.db", ROUTE, "boot")
    await made.open()
    yield made
    await made.close()


def live(folder: Path, min_free_gb: float = 0.0) -> Live:
    storage = {"dir": str(folder), "min_free_gb": min_free_gb}
    return Live(settings_for(folder, concurrent={"max_workers": 5}, storage=storage))


async def test_backlog_halves_the_slots_and_its_end_gives_them_back(tmp_path: Path, store: SqliteStore) -> None:
    """While enough videos wait for a device there are fewer slots, down to one; then one more with each look."""
    for number in range(AHEAD):
        await add_for(store, str(number), Lane.ASR)
    slots, watch = Slots(), Watch()
    monitor = Monitor(store, live(tmp_path), DEVICE_SLOTS, watch, slots.take, look_every_s=0.01)
    await monitor.start()
    await slots.until(1)
    assert Strain.BACKLOG is monitor.strain
    await claimed(store, "0", Lane.ASR)
    await slots.until(5)
    await monitor.stop()
    assert ([2, 1, 2, 3, 4, 5], None) == (slots.told, monitor.strain)


async def test_short_disk_leaves_one_slot(tmp_path: Path, store: SqliteStore) -> None:
    """With less than twice the floor free there is one slot before long, and no task is told to wait for it."""
    floor_gb = 0.7 * shutil.disk_usage(tmp_path).free / GIBIBYTE
    slots, watch = Slots(), Watch()
    monitor = Monitor(store, live(tmp_path, floor_gb), DEVICE_SLOTS, watch, slots.take, look_every_s=0.01)
    await monitor.start()
    await slots.until(1)
    await monitor.stop()
    assert Strain.DISK is monitor.strain


async def test_monitor_is_watched(tmp_path: Path, store: SqliteStore) -> None:
    """A store that gives no answer any more ends the daemon, not only the monitor."""
    await store.close()
    watch = Watch()
    monitor = Monitor(store, live(tmp_path), DEVICE_SLOTS, watch, Slots().take)
    with pytest.raises(LoopDied, match="load"):
        await asyncio.wait_for(run_services([monitor], watch, asyncio.Event()), SOON_S)


def test_host_is_read(tmp_path: Path) -> None:
    """On Linux everything about the machine is told, in its units."""
    host = read_host(tmp_path)
    assert host.rss_mb is not None
    assert host.memory_free_mb is not None
    assert 10 < host.rss_mb < host.memory_free_mb + 10_000
    assert host.disk_free_gb > 0
    assert host.load_1m >= 0


GROUPS = {
    "2": ("0::/app.slice/daemon", "app.slice", ("memory.max", "memory.current", "inactive_file")),
    "1": (
        "4:memory:/docker/1f\n0::/",
        "memory",
        ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
    ),
}
"""By the version of control groups: how a process is listed, which of the folders around it has the limit, and how."""


@pytest.mark.parametrize("version", GROUPS)
@pytest.mark.parametrize(
    ("limit", "expected"),
    [(1024 * MIB, (1024, 824)), (2**63 - 4096, (4000, 3000)), ("max", (4000, 3000)), (100 * MIB, (100, 0))],
)
def test_the_limit_of_a_container_counts(
    tmp_path: Path, version: str, limit: int | str, expected: tuple[int, int]
) -> None:
    """Where a control group allows less memory than there is, that is what there is, less what it uses."""
    listed, limited, (limit_file, used_file, cache) = GROUPS[version]
    group = tmp_path / "sys/fs/cgroup" / limited
    group.mkdir(parents=True)
    (group / limit_file).write_text(f"{limit}\n")
    (group / used_file).write_text(f"{300 * MIB}\n")
    (group / "memory.stat").write_text(f"anon 7\n{cache} {100 * MIB}\n")
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/self/cgroup").write_text(f"{listed}\n")
    (tmp_path / "proc/meminfo").write_text(f"MemTotal: {4000 * 1024} kB\nMemAvailable: {3000 * 1024} kB\n")
    memory = read_memory(tmp_path)
    assert memory is not None
    assert expected == (memory.total_mb, memory.available_mb)


PROCESSORS = {
    "2": ("0::/app.slice/daemon", "app.slice", {"cpu.max": "{quota} {period}"}),
    "1": ("3:cpu,cpuacct:/docker/1f", "cpu,cpuacct", {"cpu.cfs_quota_us": "{quota}", "cpu.cfs_period_us": "{period}"}),
}
"""The same for processors."""


@pytest.mark.parametrize("version", PROCESSORS)
@pytest.mark.parametrize(
    ("quota", "expected"), [(50_000, 1), (100_000, 1), (10**9, cores()), ("max", cores()), (-1, cores())]
)
def test_the_processors_of_a_container_count(tmp_path: Path, version: str, quota: int | str, expected: int) -> None:
    """Where a control group allows fewer processors than there are, as many may be kept busy; at least one."""
    listed, limited, files = PROCESSORS[version]
    group = tmp_path / "sys/fs/cgroup" / limited
    group.mkdir(parents=True)
    for name, content in files.items():
        (group / name).write_text(content.format(quota=quota, period=100_000) + "\n")
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/self/cgroup").write_text(f"{listed}\n")
    assert expected == cores(tmp_path)
