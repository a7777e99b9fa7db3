"""How much of a device's memory a model takes: its weights, and so much more for each chunk of a batch.

The length of a recording does not count: chunks wait outside the device and are decoded a batch at a time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

MEBIBYTE = 1024**2
POSITIONS = 1500
"""What the encoder makes of 30 seconds, however much of them is speech."""
BEAMS, TOKENS = 5, 100
"""Texts that are followed side by side, and how long one is thought to be."""
START_FACTOR = 2.0
"""Until a device was measured, a chunk is taken to need so many times what the formula says: 1.9 times as much was
reported of a graphics card (faster-whisper, issue 1257), for copies and what the allocator keeps."""
PROCESS_MB = 512
"""What a process takes on a device before its first model, such as CUDA's context."""
MOST_PEAKS = 50
"""So many of the latest measurements of a model on a device count."""

_BYTES = {
    "float32": (4, 4),
    "float16": (2, 2),
    "bfloat16": (2, 2),
    "int16": (2, 4),
    "int8": (1, 4),
    "int8_float32": (1, 4),
    "int8_float16": (1, 2),
    "int8_bfloat16": (1, 2),
    "default": (2, 4),
}
"""Bytes of a weight and of a number that is computed with, by CTranslate2's compute types; ``default`` is whatever the
weights were stored as."""
_TYPES = {"cpu": ("int8", "float32"), "cuda": ("float16", "int8_float16", "int8_float32", "float32")}
"""What ``auto`` means, best first: the fastest that loses nothing, then those that need less memory or any support."""


def compute_types(wanted: str, device: str) -> tuple[str, ...]:
    """The compute types to be tried on a device, best first; only ``auto`` leaves a choice."""
    return _TYPES[device.partition(":")[0]] if wanted == "auto" else (wanted,)


@dataclass(frozen=True, slots=True)
class Build:
    """What of a model's build decides how much memory it takes."""

    weights: int
    """How many numbers it consists of."""
    width: int
    heads: int
    decoder_layers: int

    def item_mb(self, compute_type: str) -> float:
        """MiB that one chunk of a batch takes, by what encoder and decoder hold at their peaks."""
        width = self.width
        encoder = self.heads * POSITIONS**2 + POSITIONS * 4 * width + 3 * POSITIONS * width
        heard = 2 * self.decoder_layers * POSITIONS * width
        said = 2 * self.decoder_layers * BEAMS * TOKENS * width
        return max(encoder, heard + said + POSITIONS * width) * _BYTES[compute_type][1] / MEBIBYTE

    def footprint(self, compute_type: str) -> Footprint:
        """What it may take on a device where it was never measured."""
        base_mb = PROCESS_MB + self.weights * _BYTES[compute_type][0] / MEBIBYTE
        return Footprint(base_mb, START_FACTOR * self.item_mb(compute_type))


@dataclass(frozen=True, slots=True)
class ModelOnDevice:
    """What a measurement of memory is of; a device goes by its name, because another may take its place."""

    device: str
    model: str
    compute_type: str


@dataclass(frozen=True, slots=True)
class Peak:
    """What a process with one model was seen to take while it had decoded no more chunks than these together."""

    items: int
    mb: int


@dataclass(frozen=True, slots=True)
class Footprint:
    """The memory of one model on one device."""

    base_mb: float
    """Weights and process, without any chunk."""
    item_mb: float
    """For each chunk of a batch."""

    def mb(self, items: int) -> int:
        """MiB for batches of so many chunks."""
        return round(self.base_mb + items * self.item_mb)

    def most_items(self, room_mb: int, wanted: int) -> int:
        """How many chunks a batch may hold, ``wanted`` at most; 0 if there is no room for even one."""
        if self.mb(1) > room_mb:
            return 0
        return next(items for items in range(wanted, 0, -1) if self.mb(items) <= room_mb)

    def learned(self, peaks: Sequence[Peak]) -> Footprint:
        """The same in the light of what was measured; a line through it, below which nothing was seen.

        Batches of two sizes tell what a chunk takes; never less than a quarter of what was thought, because texts may
        just have been short. Those of one size tell how much they take, and with more chunks it is as was thought.
        """
        most: dict[int, int] = {}
        for peak in peaks:
            most[peak.items] = max(peak.mb, most.get(peak.items, 0))
        if not most:
            return self
        least, largest = min(most), max(most)
        if least < largest:
            item_mb = (most[largest] - most[least]) / (largest - least)
        else:
            item_mb = min(self.item_mb, (most[largest] - self.base_mb) / largest)
        item_mb = max(self.item_mb / 4, item_mb)
        return Footprint(max(self.base_mb, *(mb - items * item_mb for items, mb in most.items())), item_mb)
