"""Recordings of any length, composed of the sentences in ``examples/``."""

from __future__ import annotations

import wave
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from tests.fakes import media

PAUSE_S = 0.6
"""Between two sentences."""


def record(file: Path, seconds: int, *, number: int = 0, gap_s: float = PAUSE_S) -> Path:
    """Write a WAV file of speech, never twice in the same order; memory does not grow with its length.

    Args:
        file: its name.
        seconds: its length.
        number: which of all orders.
        gap_s: the pause between two sentences.
    """
    left = seconds * media.RATE
    with wave.open(str(file), "wb") as out:
        out.setparams((1, 2, media.RATE, left, "NONE", ""))
        pieces = _pieces(number, gap_s)
        while left > 0:
            piece = next(pieces)[:left]
            out.writeframes(piece.tobytes())
            left -= len(piece)
    return file


def clips(folder: Path, count: int, seconds: int) -> list[Path]:
    """Write several such recordings."""
    return [record(folder / f"{number}.wav", seconds, number=number) for number in range(count)]


def _pieces(number: int, gap_s: float) -> Iterator[media.Pcm]:
    rng = np.random.default_rng(number)
    sentences = media.sentences("en")
    while True:
        yield media.compose([sentences[place] for place in rng.permutation(len(sentences))], gap_s)
