"""The recordings of this folder, each with the text that is spoken in it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent
_MEDIA = (".mp3", ".mp4", ".opus", ".wav", ".webm")


@dataclass(frozen=True)
class Sample:
    """One recording."""

    media: Path
    language: str
    """``en`` or ``zh``."""
    reference: str
    """What is said, one sentence a line."""

    @property
    def name(self) -> str:
        """The name of the file without its ending."""
        return self.media.stem


def samples() -> list[Sample]:
    """Return all recordings, by name."""
    return [
        Sample(media, media.name.partition("-")[0], media.with_suffix(".txt").read_text(encoding="utf-8"))
        for media in sorted(FOLDER.iterdir())
        if media.suffix in _MEDIA
    ]
