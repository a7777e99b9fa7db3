"""What it gains that short videos share batches, and what it costs to find out their languages, in CPU seconds."""

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
    """Let a daemon as it is take turns with one that is set otherwise, over clips of one window each."""
    clips_of = f"{CLIPS} × {CLIP_S} s"
    batches = [
        Figure(
            f"CPU seconds without batches / with, random {size}, {clips_of}",
            "",
            asyncio.run(_ratios(size, batch_size=1)),
            bar,
        )
        for size, bar in BARS.items()
    ]
    language = asyncio.run(_ratios("tiny", language="auto"))
    return [*batches, Figure(f"CPU seconds without a language named / with, random tiny, {clips_of}", "", language)]


async def _ratios(size: str, **otherwise: object) -> tuple[float, ...]:
    model = random_model(size)
    with tempfile.TemporaryDirectory() as folder:
        files = clips(Path(folder), CLIPS, CLIP_S)
        async with (
            warm_daemon(model, at_once=CLIPS) as usual,
            warm_daemon(model, at_once=CLIPS, **otherwise) as other,
        ):
            found = []
            for _ in range(ROUNDS):
                of_usual = await usual.transcribe(files)
                found.append((await other.transcribe(files)).cpu_s / of_usual.cpu_s)
    return tuple(found)
