"""What it gains that short videos share batches: the same daemon with batches and without, in CPU seconds."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

from benchmarks.figures import AtLeast, Figure
from benchmarks.models import random_model
from benchmarks.recordings import clips
from benchmarks.sides import warm_daemon

CLIPS, CLIP_S = 8, 28
ROUNDS = 3
BARS = {"tiny": AtLeast(1.3), "base": AtLeast(1.2)}


def measure() -> list[Figure]:
    """Let a daemon that may batch and one that may not take turns over clips of one window each."""
    return [
        Figure(
            f"CPU seconds without batches / with, random {size}, {CLIPS} × {CLIP_S} s",
            "",
            asyncio.run(_ratios(size)),
            bar,
        )
        for size, bar in BARS.items()
    ]


async def _ratios(size: str) -> tuple[float, ...]:
    model = random_model(size)
    with tempfile.TemporaryDirectory() as folder:
        files = clips(Path(folder), CLIPS, CLIP_S)
        async with (
            warm_daemon(model, at_once=CLIPS) as batching,
            warm_daemon(model, at_once=CLIPS, batch_size=1) as alone,
        ):
            found = []
            for _ in range(ROUNDS):
                with_batches = await batching.transcribe(files)
                without = await alone.transcribe(files)
                found.append(without.cpu_s / with_batches.cpu_s)
    return tuple(found)
