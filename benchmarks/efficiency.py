"""How much of the machine's speed is left when a whole daemon is around the recognizer, and what its layout gains.

The bare loop is the best one known (`benchmarks/raw_loop.py`, `tuned`): batches shared by all files, a worker of one
thread for each core, the engine's own allocator, no HTTP, no store, no search for speech. The stock shape is what most
servers do (`stock`). The sides take turns over the same files.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.figures import AtLeast, Figure
from benchmarks.models import random_model
from benchmarks.recordings import clips, record
from benchmarks.sides import DEMO, Spent, bare, warm_daemon

CLIPS, CLIP_S = 8, 60
LONG_S = 3600
ROUNDS, LONG_ROUNDS = 5, 1


def measure() -> list[Figure]:
    """Take turns over short clips and over a long recording, with two models."""
    with tempfile.TemporaryDirectory() as folder:
        short = clips(Path(folder), CLIPS, CLIP_S)
        long = [record(Path(folder) / "long.wav", LONG_S)]
        with_tiny = asyncio.run(_rounds(random_model("tiny"), short, ("tuned", "stock"), ROUNDS))
        with_demo = asyncio.run(_rounds(DEMO, short, ("tuned",), ROUNDS))
        over_long = asyncio.run(_rounds(random_model("tiny"), long, ("tuned",), LONG_ROUNDS))
    what = f"{CLIPS} × {CLIP_S} s"
    return [
        *_efficiency(f"random tiny, {what}", with_tiny, AtLeast(0.9)),
        *_efficiency(f"random tiny, {LONG_S} s", over_long, AtLeast(0.95)),
        *_efficiency(f"demo, {what}", with_demo),
        Figure(f"stock shape / daemon, random tiny, {what}", "", _ratios(with_tiny, "stock"), AtLeast(3.0)),
        Figure(
            f"daemon, random tiny, {LONG_S} s: seconds of speech a second",
            "",
            tuple(LONG_S / one["daemon"].wall_s for one in over_long),
        ),
    ]


async def _rounds(model: Path, files: list[Path], ways: Sequence[str], count: int) -> list[dict[str, Spent]]:
    async with warm_daemon(model) as warm:
        return [
            {way: bare(way, model, files) for way in ways} | {"daemon": await warm.transcribe(files)}
            for _ in range(count)
        ]


def _efficiency(what: str, rounds: list[dict[str, Spent]], bar: AtLeast | None = None) -> list[Figure]:
    in_cpu = tuple(one["tuned"].cpu_s / one["daemon"].cpu_s for one in rounds)
    return [
        Figure(f"bare loop / daemon, {what}", "", _ratios(rounds, "tuned"), bar),
        Figure("the same in CPU seconds", "", in_cpu),
    ]


def _ratios(rounds: list[dict[str, Spent]], way: str) -> tuple[float, ...]:
    return tuple(one[way].wall_s / one["daemon"].wall_s for one in rounds)
