"""A task and everything known about it, as frozen values."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from typing import Literal, Self
from urllib.parse import unquote

from pipeline.core.products import Artifacts
from pipeline.failures import StageFailed

Script = Literal["simplified", "traditional", "keep"]
Notify = Literal["all", "final", "none"]


class Status(StrEnum):
    """Where a task stands."""

    PENDING = "pending"
    PROCESSING = "processing"
    RETRYING = "retrying"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    TIMEOUT = "timeout"

    @property
    def final(self) -> bool:
        """Whether nothing more happens by itself from here."""
        return self in FINAL


FINAL = frozenset({Status.COMPLETED, Status.FAILED, Status.CANCELLED, Status.TIMEOUT})


class Stage(StrEnum):
    """What a task is doing, in the order in which it does it."""

    QUEUED = "queued"
    CAPTIONS = "captions"
    DOWNLOAD = "download"
    DECODE = "decode"
    TRANSCRIBE = "transcribe"
    PROOFREAD = "proofread"
    SUMMARIZE = "summarize"
    TRANSLATE = "translate"
    DELIVER = "deliver"
    DONE = "done"


class Lane(StrEnum):
    """Which kind of worker runs a stage: many threads, one device, or the one text thread."""

    FETCH = "fetch"
    ASR = "asr"
    TEXT = "text"


class Waiting(StrEnum):
    """What a task between lanes waits for."""

    DEVICE = "device"
    LLM = "llm"
    DELIVERY = "delivery"
    DISK = "disk"
    MODEL = "model"


class Priority(IntEnum):
    """How soon a waiting task is taken, higher first."""

    LOW = 1
    NORMAL = 2
    HIGH = 3
    URGENT = 4


class LayerState(StrEnum):
    """How far one layer of a task's text is."""

    PENDING = "pending"
    DONE = "done"
    PARTIAL = "partial"
    SKIPPED_SHORT = "skipped_short"
    DISABLED = "disabled"
    FAILED = "failed"


LAYERS = ("transcript", "proofread", "summary", "chapters", "translation")


@dataclass(frozen=True, slots=True)
class Options:
    """What the caller asked for, with every default filled in when the task was accepted.

    A task keeps these through restarts, whatever the configuration says by then.
    """

    model: str
    language: str | None = None
    hotwords: str | None = None
    prompt: str | None = None
    sequential: bool = False
    """Recognize one stretch after the other, each with the text before it, instead of many at once."""
    word_times: bool = False
    proofread: bool = True
    summarize: bool = True
    script: Script = "simplified"
    notify: Notify = "final"
    robots: tuple[str, ...] = ()
    """Names of the robots that get the messages; empty means the inbox."""
    title: str | None = None
    author: str | None = None
    description: str | None = None


UPLOAD_SCHEME = "upload:"


@dataclass(frozen=True, slots=True)
class Source:
    """Where the video is: what readers are shown, what names the work, and where the media lies if elsewhere."""

    url: str
    """Address of the page or the file; of an upload ``upload:`` and the name its sender gave it."""
    canonical: str
    """Equal for the same work."""
    download_url: str | None = None
    """Address of the media where the page at ``url`` does not lead to it."""

    @property
    def media_url(self) -> str:
        """The address that leads to the media."""
        return self.download_url or self.url

    @property
    def host(self) -> str:
        """Host and port the media comes from; empty for an upload."""
        return self.media_url.partition("://")[2].partition("/")[0]

    @property
    def uploaded_name(self) -> str | None:
        """What its sender called the file; None if it was not uploaded."""
        return unquote(self.url.removeprefix(UPLOAD_SCHEME)) if self.url.startswith(UPLOAD_SCHEME) else None


@dataclass(frozen=True, slots=True)
class TaskWarning:
    """Something the reader should know about a task that went on all the same."""

    type: str
    message: str
    message_zh: str


@dataclass(frozen=True, slots=True)
class Usage:
    """What LLMs were paid for, in tokens, as they count them."""

    prompt_tokens: int = 0
    completion_tokens: int = 0


FREE = Usage()
"""Nothing was spent."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a task failed, as its state shows it."""

    type: str
    stage: Stage
    message: str
    message_zh: str
    hint: str
    retryable: bool

    @classmethod
    def of(cls, error: StageFailed, stage: Stage, model: str) -> Self:
        """Say why, in the words of the error; ``model`` is the speech model of the task."""
        hint = error.hint(model)
        return cls(error.type, stage, error.message, error.localized, hint, retryable=error.retries > 0)


@dataclass(frozen=True, slots=True)
class Task:
    """One accepted video and where it stands. Times are seconds since the epoch, UTC."""

    id: str
    owner: str
    source: Source
    options: Options
    created_at: float
    updated_at: float
    priority: Priority = Priority.NORMAL
    client_ref: str | None = None
    status: Status = Status.PENDING
    stage: Stage = Stage.QUEUED
    waiting_for: Waiting | None = None
    attempt: int = 1
    max_attempts: int = 1
    not_before: float | None = None
    """When a retrying task may start again."""
    sequence: int | None = None
    """Place of the transcript among all transcripts; the order of the TEXT lane."""
    artifacts: Artifacts = field(default_factory=Artifacts)
    layers: tuple[tuple[str, LayerState], ...] = ()
    warnings: tuple[TaskWarning, ...] = ()
    failure: Failure | None = None
    faults: tuple[tuple[str, int], ...] = ()
    """How many attempts each kind of fault, by its type, has ended; a death of the engine is ``worker_crashed``."""
    heard_language: str | None = None
    """What the segments stored so far are in; the rest of the recording is heard in the same language."""
    blame: float = 0.0
    """Its share in deaths of the daemon since something of it was last stored (see ``lifecycle.MOST_CRASHES``)."""
    started_at: float | None = None
    finished_at: float | None = None

    @property
    def text_is_removed(self) -> bool:
        """Whether it had a text that was too old to be kept."""
        had_text = dict(self.layers).get("transcript") in {LayerState.DONE, LayerState.PARTIAL}
        return had_text and self.artifacts.transcript is None

    def ended_by(self, fault: str) -> int:
        """How many attempts a kind of fault has ended."""
        return dict(self.faults).get(fault, 0)


def first_layers(options: Options) -> tuple[tuple[str, LayerState], ...]:
    """The layers of a task that was just accepted."""
    wanted = {"transcript": True, "proofread": options.proofread, "summary": options.summarize}
    return tuple((name, LayerState.PENDING if wanted.get(name) else LayerState.DISABLED) for name in LAYERS)


def with_layer(task: Task, name: str, state: LayerState) -> tuple[tuple[str, LayerState], ...]:
    """The layers of ``task`` with one of them changed."""
    return tuple((layer, state if layer == name else old) for layer, old in task.layers)
