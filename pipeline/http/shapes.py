"""The shape of every answer: what `/openapi.json` promises, and the tests hold the API to."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from pipeline.core.fetch_slots import Strain
from pipeline.core.messages import Kind, MessageState
from pipeline.core.placement import Why
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
# Robots, and the daemon itself
# ---------------------------------------------------------------------------------------------


class Robot(Shape):
    """A robot and its lane."""

    name: str
    queued: Count
    """Messages that are not sent yet."""
    paused: bool
    why: str | None
    """Why it is paused, or what it said to a message that it did not take and that is tried again."""


class Robots(Shape):
    """Every robot, those included that are no longer configured but still have messages."""

    robots: list[Robot]


class RobotTest(Shape):
    """What became of a test message."""

    robot: str
    delivered: bool
    why: str | None
    """What the robot said if it did not take it."""


class LaneCounts(Shape):
    """How many tasks wait for a lane and how many run in it."""

    lane: Literal["fetch", "asr", "text", "deliver"]
    waiting: Count
    running: Count
    slots: int | None
    """How many may run side by side; null for delivery, which has a lane for each robot."""


class ModelCounts(Shape):
    """How many tasks without a transcript want a model."""

    model: str
    waiting: Count
    running: Count


class QueuedTask(Shape):
    """Where one of your tasks stands."""

    task_id: str
    lane: Literal["fetch", "asr", "text"]
    position: int | None
    """Its place among all that wait for the lane, from 1; null: it runs."""
    model: str
    priority: Literal[1, 2, 3, 4]
    waiting_for: Waiting | None


class Room(Shape):
    """How many tasks without a transcript there are, and may be."""

    taken: Count
    at_most: Count


class Queue(Shape):
    """Who waits for what."""

    room: Room
    lanes: list[LaneCounts]
    models: list[ModelCounts]
    tasks: list[QueuedTask]
    """Your own, by lane; those that run first, then by place; the first 200."""


class LoadedModel(Shape):
    """A model that a device has loaded or is about to load."""

    model: str
    reserved_mb: Count
    """Memory promised to it, in MiB."""


class DeviceState(Shape):
    """How it stands with a device; null for what it does not tell. Memory is in MiB."""

    id: str
    """``cpu`` or ``cuda:N``."""
    name: str
    in_service: bool
    why: str | None
    """Why it is out of service."""
    memory_total_mb: Count | None
    memory_used_mb: Count | None
    """By everybody."""
    memory_free_mb: Count | None
    own_mb: Count | None
    """Of what is used, what this daemon's process takes."""
    reserved_mb: Count
    """Promised to the models below until they are unloaded."""
    utilization: float | None
    """Percent of the time in which it computed something."""
    temperature: float | None
    """Degrees Celsius."""
    slots: Count
    """Tasks that may run on it side by side."""
    running: Count
    tasks: list[str]
    """Those of the running ones that are yours."""
    models: list[LoadedModel]
    batch: Count | None
    """Chunks of speech that its process decodes together; null: there is no process."""


class ModelWaiting(Shape):
    """Why the first waiting task of a model does not start."""

    model: str
    why: Why


class Devices(Shape):
    """What speech is recognized on, and who waits for it."""

    devices: list[DeviceState]
    waiting: list[ModelWaiting]


class Totals(Shape):
    """How many tasks there are and how they ended."""

    total: Count
    done: Count
    failed: Count
    """Failed or timed out."""
    success_rate: float | None
    """``done`` of ``done`` and ``failed``; null if there is none of either."""
    mean_duration_s: Seconds | None
    """From acceptance to completion."""


class StageTime(Shape):
    """How long a stage takes."""

    stage: Stage
    count: Count
    mean_s: Seconds


class FetchSlots(Shape):
    """How many videos are fetched side by side."""

    now: int
    at_most: int
    strain: Strain | None
    """What the machine is short of; null: nothing."""


class Host(Shape):
    """What weighs on the machine; null where the system does not say."""

    load_1m: float
    memory_free_mb: int | None
    disk_free_gb: float
    rss_mb: float | None
    """Resident memory of the daemon's own process, without its children."""


class Metrics(Shape):
    """How the daemon does."""

    version: str
    started_at: datetime
    uptime_s: Seconds
    tasks: dict[Status, Count]
    """How many of each status, everybody's."""
    totals: Totals
    stages: list[StageTime]
    oldest_unfinished_s: Seconds | None
    """Age of the oldest task that has not ended; null if all have."""
    lanes: list[LaneCounts]
    fetch_slots: FetchSlots
    robots: list[Robot]
    host: Host


class Alive(Shape):
    """The daemon is alive."""

    alive: Literal[True]


class MissingPart(Shape):
    """Something the daemon lacks, with its cure."""

    what: str
    message: str
    message_zh: str


class Readiness(Shape):
    """Whether the daemon can do its work."""

    ready: bool
    missing: list[MissingPart] = []


class Version(Shape):
    """Which version this is."""

    name: str
    version: str


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
