"""Recordings for the scripted recognizer: each carries its own script in its samples.

The first samples hold a JSON object, one byte a sample, behind their number; the rest is silence up to the length
of the script. A WAV of 16 kHz mono passes the real download and the real decoding without a changed sample, so what
is recognized still comes from the sound and from nowhere else.
"""

from __future__ import annotations

import dataclasses
import json
import random
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np

from examples.scoring import error_rate
from tests.fakes import media

WORST_ERROR_RATE = 0.1
SEGMENT_S = 0.5
"""Length of one segment; a recording of twelve is 190 KB."""
LANGUAGE, LANGUAGE_OF_THE_REST = "en", "de"
"""What a recording seems to be in from its beginning, and from anywhere else."""
# fmt: off
_WORDS = ["anchor", "basket", "candle", "dancer", "engine", "forest", "garden", "harbor", "island", "jacket", "kettle",
          "ladder", "market", "needle", "orange", "pepper", "quiver", "ribbon", "saddle", "temple", "velvet", "window",
          "yellow", "zipper", "bridge", "copper", "desert", "feather", "glacier"]
# fmt: on

Fault: TypeAlias = Literal["die", "hang", "kill the daemon", "stop the daemon"]


@dataclasses.dataclass(frozen=True)
class Recording:
    """What the scripted recognizer says of one recording, how fast, and what goes wrong meanwhile."""

    says: tuple[str, ...]
    pace_s: float = 0.0
    """Before each segment."""
    fault: Fault | None = None
    at: int = 0
    """So many segments are told before the fault."""
    again: bool = False
    """Whether the fault comes each time, not only once."""

    @property
    def seconds(self) -> float:
        return len(self.says) * SEGMENT_S

    def segment(self, place: int) -> tuple[float, float, str]:
        """Start, end and text; a short pause stands behind each."""
        return place * SEGMENT_S, (place + 0.9) * SEGMENT_S, self.says[place]

    def is_heard_in(self, segments: list[str]) -> bool:
        """Whether these are its words."""
        return segments == [*self.says]

    def wav(self) -> bytes:
        script = json.dumps(dataclasses.asdict(self)).encode()
        samples = np.zeros(round(self.seconds * media.RATE), np.int16)
        samples[0] = len(script)
        samples[1 : len(script) + 1] = np.frombuffer(script, np.uint8)
        return media.wav(samples)


@dataclasses.dataclass(frozen=True)
class Speech:
    """Real speech, for the real model."""

    text: str

    def is_heard_in(self, segments: list[str]) -> bool:
        """Whether these are its words, as far as a small model can tell."""
        return error_rate(self.text, " ".join(segments), "en") <= WORST_ERROR_RATE


Tape: TypeAlias = Recording | Speech


def told_by(samples: Path) -> Recording:
    """Read the recording that a file of decoded samples holds."""
    found = np.fromfile(samples, "<i2")
    script = json.loads(found[1 : found[0] + 1].astype(np.uint8).tobytes())
    return Recording(**script | {"says": tuple(script["says"])})


def speaking_of(number: int, segments: int = 12) -> tuple[str, ...]:
    """Sentences that no other number has."""
    chosen = random.Random(number)  # noqa: S311 - the same words every time are wanted
    things = [" and ".join(chosen.sample(_WORDS, 3)) for _ in range(segments)]
    return tuple(f"Part {place} of tape {number} tells of {told}." for place, told in enumerate(things, start=1))
