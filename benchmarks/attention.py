"""How soon somebody gets something: the first words of an hour, a short video beside a long one, a cancel."""

from __future__ import annotations

import asyncio
import re
import sqlite3
import tempfile
import time
from contextlib import closing
from pathlib import Path

from benchmarks.figures import AtMost, Figure
from benchmarks.models import random_model
from benchmarks.recordings import record
from benchmarks.sides import PATIENCE_S, WarmDaemon, bare, warm_daemon
from pipeline.engine.memory_book import BATCH_ON_CPU

LONG_S, SHORT_S = 3600, 60
ROUNDS = 3


def measure() -> list[Figure]:
    """Take turns: an hour alone until its first segment, a minute alone, a minute beside the hour, the hour's end."""
    with tempfile.TemporaryDirectory() as folder:
        return asyncio.run(_measure(Path(folder)))


async def _measure(folder: Path) -> list[Figure]:
    model = random_model("tiny")
    long = record(folder / "long.wav", LONG_S)
    short = record(folder / "short.wav", SHORT_S, number=1)
    first, beside, cancel, starved, filled = [], [], [], [], []
    async with warm_daemon(model) as warm:
        for _ in range(ROUNDS):
            library = bare("first", model, [long])
            alone = await warm.transcribe([short])
            began = time.monotonic()
            task = await warm.submit(long)
            await _first_segment(warm, task)
            first.append((time.monotonic() - began) / library.wall_s)
            beside.append((await warm.transcribe([short])).wall_s / alone.wall_s)
            done = await _cancelled(warm, task)
            cancel.append(done["latency_s"] * done["batches"] / done["busy_s"])
            starved.append(100 * done["starved_s"] / (done["starved_s"] + done["busy_s"]))
            filled.append(done["pieces"] / done["batches"] / BATCH_ON_CPU)
    return [
        Figure(f"first segment of {LONG_S} s / the library's, random tiny", "", tuple(first), AtMost(0.1)),
        Figure(f"{SHORT_S} s beside {LONG_S} s / alone", "", tuple(beside), AtMost(3)),
        Figure("from cancel to an idle device / duration of a batch", "", tuple(cancel), AtMost(1.5)),
        Figure("device without a batch although there is sound for one", "%", tuple(starved), AtMost(5)),
        Figure("share of their places that batches fill", "", tuple(filled)),
    ]


async def _first_segment(warm: WarmDaemon, task_id: str) -> None:
    """Wait until the store has a segment of a task; until then the API says no more than how far it is."""
    with closing(sqlite3.connect(warm.daemon.data / "transcribed.db")) as conn:
        async with asyncio.timeout(PATIENCE_S):
            asked = "SELECT 1 FROM segment WHERE task_id = ?"
            while not conn.execute(asked, (task_id,)).fetchone():  # noqa: ASYNC110 - written by another process
                await asyncio.sleep(0.01)


async def _cancelled(warm: WarmDaemon, task_id: str) -> dict[str, float]:
    """Cancel what the device is busy with; returns what the engine then says of its work, and how late."""
    began = time.monotonic()
    seen = len(warm.daemon.console.items())
    await warm.client.post(f"/api/task/{task_id}/cancel", {})
    lines = await warm.daemon.console.until(lambda lines: any("engine rests" in line for line in lines[seen:]), 60)
    [said] = [line for line in lines[seen:] if "engine rests" in line]
    return {"latency_s": time.monotonic() - began} | {
        name: float(value) for name, value in re.findall(r"(\w+)=([\d.]+)", said)
    }
