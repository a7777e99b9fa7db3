"""The shapes of what the API says of robots and of the daemon itself."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from pipeline.core.fetch_slots import Strain
from pipeline.core.placement import Why
from pipeline.core.task import Stage, Status, Waiting
from pipeline.http.shapes import Count, Seconds, Shape


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
    missing: list[MissingPart] = Field(default_factory=list)


class Version(Shape):
    """Which version this is."""

    name: str
    version: str
