"""What the stages make, as frozen values: the products of a task, which together are its artifacts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class MediaInfo:
    """What the site says about the video (product of ``resolve``)."""

    extractor: str
    media_id: str
    title: str
    author: str | None = None
    duration_s: float | None = None
    page_url: str | None = None


@dataclass(frozen=True, slots=True)
class MediaFile:
    """The downloaded file (product of ``download``), named relative to the task's work folder."""

    name: str
    size_bytes: int


GROWING = ".part"
"""Behind the name of a file of sound for as long as it is being written: whoever reads it meanwhile waits for more."""


@dataclass(frozen=True, slots=True)
class Audio:
    """The sound as 16 kHz mono s16le (product of ``decode``), named relative to the work folder."""

    name: str
    duration_s: float
    """Of one that is not whole yet, as far as its file tells."""
    whole: bool = True
    """Whether all of it is there. Of a long recording only the beginning was tried: it is decoded while it is heard."""

    @property
    def size_bytes(self) -> int:
        """How long its file is."""
        return 2 * round(16_000 * self.duration_s)


@dataclass(frozen=True, slots=True)
class TranscriptInfo:
    """How the transcript came about (product of ``transcribe``); its segments are rows of their own."""

    language: str
    source: Literal["asr"]
    model: str
    device: str
    duration_s: float
    segment_count: int


@dataclass(frozen=True, slots=True)
class Paragraph:
    """A stretch of readable text with its place in the source, in seconds."""

    start: float
    end: float
    text: str


@dataclass(frozen=True, slots=True)
class CleanText:
    """The readable text (product of ``proofread``)."""

    paragraphs: tuple[Paragraph, ...]
    by: str
    """``offline``, or the LLM that proofread it; empty where nobody did, and every segment is a paragraph."""

    @property
    def text(self) -> str:
        """The paragraphs, one blank line between them; of segments a line each, as the layer ``raw`` has them."""
        return ("\n\n" if self.by else "\n").join(paragraph.text for paragraph in self.paragraphs)


@dataclass(frozen=True, slots=True)
class Summary:
    """The summary (product of ``summarize``); empty where the text is too short to need one."""

    text: str
    by: str


@dataclass(frozen=True, slots=True)
class Composed:
    """That the runs of messages are stored (product of ``compose``)."""

    message_count: int


@dataclass(frozen=True, slots=True)
class Artifacts:
    """What is known about a video so far; each is set once, by the stage that makes it."""

    media: MediaInfo | None = None
    file: MediaFile | None = None
    audio: Audio | None = None
    transcript: TranscriptInfo | None = None
    proofread: CleanText | None = None
    summary: Summary | None = None
    messages: Composed | None = None


Product = MediaInfo | MediaFile | Audio | TranscriptInfo | CleanText | Summary | Composed
