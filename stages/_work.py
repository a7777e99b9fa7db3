"""What several stages know of a task's work folder."""

from __future__ import annotations

import os
from pathlib import Path

INFO_NAME = "info.json"
"""What the extractor found, so that the page is not fetched again."""
PAGE_INFO_NAME = "page.json"
"""The same for a page that is not where the media comes from."""
MEDIA_STEM = "media"
"""The downloaded file, before its extension."""
AUDIO_NAME = "audio.s16le"
"""16 kHz mono signed 16-bit little-endian samples, nothing else."""
SAMPLE_RATE = 16_000
BYTES_PER_SAMPLE = 2


def make_durable(file: Path) -> None:
    """See to it that a file and its name outlive a power failure."""
    for path, flags in ((file, os.O_RDONLY), (file.parent, os.O_RDONLY | os.O_DIRECTORY)):
        descriptor = os.open(path, flags)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
