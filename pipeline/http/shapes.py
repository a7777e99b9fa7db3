"""The shape of every answer: what `/openapi.json` promises, and the tests hold the API to."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from pipeline.core.messages import Kind, MessageState
from pipeline.core.task import LayerState, Stage, Status, Waiting
from pipeline.http.layers import Layer

Percent = Annotated[float, Field(ge=0, le=100)]
Count = Annotated[int, Field(ge=0)]
Seconds = Annotated[float, Field(ge=0)]


class Shape(BaseModel):
    """A JSON object with exactly these fields."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)


# ---------------------------------------------------------------------------------------------
# Submitting, and what may still be asked of a task
# ---------------------------------------------------------------------------------------------


class AcceptedTask(Shape):
    """The task that does the work."""

    task_id: str
    status: Status
    duplicate_of: str | None
    """The same task again if it was there before; nothing new was stored."""
    client_ref: str | None


class AcceptedTasks(Shape):
    """A task for each address, in their order."""

    tasks: list[AcceptedTask]


class ChangedTask(Shape):
    """A task and its new status."""

    task_id: str
    status: Status


# ---------------------------------------------------------------------------------------------
# Looking at a task
# ---------------------------------------------------------------------------------------------


class TaskProgress(Shape):
    """How far a task is."""

    percent: Percent
    """Of the whole way; never falls, and is 100 only when the task is completed."""
    stage_percent: Percent
    source_seconds_done: Seconds | None
    source_seconds_total: Seconds | None
    speed: float | None
    """Seconds of the source in one second."""
    eta_seconds: float | None
    bytes_done: Count | None
    bytes_total: Count | None


class Media(Shape):
    """What is known about the video."""

    extractor: str
    media_id: str
    title: str
    author: str | None
    duration: Seconds | None


class Layers(Shape):
    """How far each layer of the text is."""

    transcript: LayerState
    proofread: LayerState
    summary: LayerState
    chapters: LayerState
    translation: LayerState


class MessageFigures(Shape):
    """How many messages of a task are where."""

    sent: Count
    pending: Count
    failed: Count


class TokenUsage(Shape):
    """What LLMs were paid for, in tokens."""

    prompt_tokens: Count
    completion_tokens: Count


class Notice(Shape):
    """Something the reader should know about a task that went on all the same."""

    type: str
    message: str
    message_zh: str


class TaskFailure(Shape):
    """Why the latest attempt failed."""

    type: str
    stage: Stage
    message: str
    message_zh: str
    hint: str
    retryable: bool


class TaskState(Shape):
    """The whole state of a task."""

    task_id: str
    client_ref: str | None
    url: str
    """The address; of a file ``upload:`` and its name."""
    status: Status
    stage: Stage
    progress: TaskProgress
    waiting_for: Waiting | None
    position: int | None
    """Place among the tasks that were never started, from 1."""
    attempt: int
    max_attempts: int
    priority: Literal[1, 2, 3, 4]
    created_at: datetime
    started_at: datetime | None
    updated_at: datetime
    finished_at: datetime | None
    media: Media | None
    source: str | None
    """Where the text came from: ``asr``, the recognizer."""
    device: str | None
    model: str
    language: str | None
    layers: Layers
    messages: MessageFigures
    usage: TokenUsage
    warnings: list[Notice]
    error: TaskFailure | None


class TaskPage(Shape):
    """Tasks, newest first."""

    tasks: list[TaskState]
    next_cursor: str | None
    """For the next page; null on the last."""


class ResultWord(Shape):
    """A word with its times in the source, in seconds."""

    start: Seconds
    end: Seconds
    word: str
    probability: float


class ResultSegment(Shape):
    """A stretch of text with its times in the source, in seconds."""

    id: int
    start: Seconds
    end: Seconds
    text: str
    words: list[ResultWord] = []


class TaskResult(Shape):
    """The text of one layer."""

    task_id: str
    layer: Layer
    language: str | None
    source: str | None
    text: str
    segments: list[ResultSegment]


class TaskMessage(Shape):
    """A message and what became of it."""

    number: int | None
    """Its place in the run, from 1; a notice or a continuation has none."""
    of: int | None
    channel: Literal["inbox", "wecom"]
    robot: str | None
    kind: Kind
    bytes: Count
    """How much goes out in UTF-8: the text, or of a file what is in it."""
    state: MessageState
    text: str
    """Exactly what goes out; of a file its name."""
    sent_at: datetime | None


class TaskMessages(Shape):
    """The messages of a task, in the order in which they go out."""

    messages: list[TaskMessage]


# ---------------------------------------------------------------------------------------------
# Refusals
# ---------------------------------------------------------------------------------------------


class ErrorBody(Shape):
    """Why a request was refused."""

    type: str
    """A stable name for programs."""
    param: str | None
    """Dotted name of the field or parameter at fault."""
    retry_after: int | None
    """Seconds after which the same request may succeed."""
    detail: dict[str, Any]
    """Further facts; ``message_zh`` is the message in Chinese."""


class Refused(Shape):
    """The body of every answer that is not 2xx, but of a daemon that is not ready."""

    code: int
    """The HTTP status."""
    message: str
    error: ErrorBody
    request_id: str
    """The same as in the header ``X-Request-Id``, and in the log."""
