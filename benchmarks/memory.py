"""How much memory ten hours of speech take more than one: all processes of the daemon at their peak."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

from benchmarks.figures import AtMost, Figure
from benchmarks.recordings import record
from benchmarks.sides import DEMO, WarmDaemon, warm_daemon

HOUR_S, HOURS = 3600, 10
LOOK_EVERY_S = 0.2


def measure() -> list[Figure]:
    """Transcribe one hour, then ten, each with a daemon of its own and the bundled model, which is quick."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "long.wav"
        short_mib, long_mib = (asyncio.run(_peak(record(file, hours * HOUR_S))) for hours in (1, HOURS))
    model_mib = (DEMO / "model.bin").stat().st_size / 2**20
    return [
        Figure(f"memory at its peak, {HOURS} h / 1 h", "", (long_mib / short_mib,), AtMost(1.15)),
        Figure(f"memory at its peak, {HOURS} h, above the model", "MiB", (long_mib - model_mib,), AtMost(600)),
    ]


async def _peak(file: Path) -> float:
    async with warm_daemon(DEMO) as warm, _watched(warm) as seen:
        await warm.transcribe([file])
    return max(seen)


@contextlib.asynccontextmanager
async def _watched(warm: WarmDaemon) -> AsyncIterator[list[float]]:
    seen: list[float] = []

    async def look() -> None:
        while True:
            seen.append(await asyncio.to_thread(_memory_mib, warm))
            await asyncio.sleep(LOOK_EVERY_S)

    looking = asyncio.create_task(look())
    try:
        yield seen
    finally:
        looking.cancel()


def _memory_mib(warm: WarmDaemon) -> float:
    """Add up what all processes hold; memory that several share counts once."""
    return sum(map(_share_kib, warm.daemon.processes())) / 1024


def _share_kib(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="utf-8").splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0)
