"""How full the windows are that the recognizer is given: each costs it the same, whatever is in it."""

from __future__ import annotations

import math
import tempfile
import wave
from collections.abc import Sequence
from pathlib import Path

from benchmarks.figures import AtLeast, AtMost, Figure
from benchmarks.recordings import clips
from pipeline.engine.recording import Chunk, Recording

WINDOW_S = 30
LENGTHS = {60: 8, 600: 2}
"""How many recordings of each length, in seconds."""


def measure() -> list[Figure]:
    """Cut recordings of continuous speech into chunks, and count."""
    figures = []
    for seconds, count in LENGTHS.items():
        with tempfile.TemporaryDirectory() as folder:
            found = [_chunks(file) for file in clips(Path(folder), count, seconds)]
        blindly = math.ceil(seconds / WINDOW_S)
        figures += [
            Figure(f"windows filled, {seconds} s", "", tuple(map(_fill, found)), AtLeast(0.87)),
            Figure(
                f"windows / those of cutting blindly, {seconds} s",
                "",
                tuple(len(chunks) / blindly for chunks in found),
                AtMost(1),
            ),
        ]
    return figures


def _chunks(file: Path) -> list[Chunk]:
    raw = file.with_suffix(".s16le")
    with wave.open(str(file)) as sound:
        raw.write_bytes(sound.readframes(sound.getnframes()))
    with Recording(raw) as recording:
        return [found for found in recording.chunks(WINDOW_S) if isinstance(found, Chunk)]


def _fill(chunks: Sequence[Chunk]) -> float:
    return sum(chunk.seconds for chunk in chunks) / (WINDOW_S * len(chunks))
