"""What happened when: a timeline of several videos, and whether their work overlapped and their messages kept order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from itertools import pairwise
from typing import Any

from pipeline.cli._bars import fit
from pipeline.redaction import printable

WIDTH = 54
LABEL = 20

Json = Mapping[str, Any]


class Phase(Enum):
    """What is done to a video; the value is its mark on the timeline."""

    WAITS = "·"
    TEXT = "░"
    DOWNLOADS = "▒"
    TRANSCRIBES = "█"
    ENDED = " "


_STAGES = {
    "captions": Phase.DOWNLOADS,
    "download": Phase.DOWNLOADS,
    "decode": Phase.DOWNLOADS,
    "transcribe": Phase.TRANSCRIBES,
    "proofread": Phase.TEXT,
    "summarize": Phase.TEXT,
    "translate": Phase.TEXT,
    "deliver": Phase.TEXT,
}
LEGEND = "▒ downloads   █ transcribes   ░ text and messages   · waits"


def phase(state: Json) -> Phase:
    """Tell from a task's state what is done to it."""
    if state["finished_at"]:
        return Phase.ENDED
    if state["status"] != "processing" or state["waiting_for"]:
        return Phase.WAITS
    return _STAGES.get(state["stage"], Phase.WAITS)


@dataclass(frozen=True)
class Look:
    """All videos at one moment, in their order."""

    at_s: float
    phases: tuple[Phase, ...]

    def count(self, wanted: Phase) -> int:
        """How many videos are in this phase."""
        return self.phases.count(wanted)


def most_at_once(looks: Sequence[Look], wanted: Phase) -> int:
    """Count how many videos were in this phase at the same time, at most."""
    return max((look.count(wanted) for look in looks), default=0)


def mixed(looks: Sequence[Look]) -> bool:
    """Tell whether one video was downloaded while another one was transcribed."""
    return any(look.count(Phase.DOWNLOADS) and look.count(Phase.TRANSCRIBES) for look in looks)


def drawn(names: Sequence[str], looks: Sequence[Look]) -> list[str]:
    """Draw a line for each video, and below them how many were downloaded and transcribed at the same time."""
    columns = _columns(looks)
    rows = [
        (printable(name), [_mark([look.phases[place] for look in column]) for column in columns])
        for place, name in enumerate(names)
    ]
    for title, wanted in (("downloaded at once", Phase.DOWNLOADS), ("transcribed at once", Phase.TRANSCRIBES)):
        rows.append((title, [_digit(most_at_once(column, wanted)) for column in columns]))
    end = f"{looks[-1].at_s:.1f} s"
    return [
        f"  {'':<{LABEL}}  0 s{end:>{WIDTH - 3}}",
        *(f"  {fit(title, LABEL)}  {''.join(marks).rstrip()}" for title, marks in rows),
        f"  {LEGEND}",
    ]


def _columns(looks: Sequence[Look]) -> list[list[Look]]:
    """The looks of each column; one without any shows the look before it."""
    end_s = max(looks[-1].at_s, 0.001)
    columns: list[list[Look]] = [[] for _ in range(WIDTH)]
    for look in looks:
        columns[min(WIDTH - 1, int(WIDTH * look.at_s / end_s))].append(look)
    columns[0] = columns[0] or [looks[0]]
    for before, column in pairwise(columns):
        column.extend(column or before[-1:])
    return columns


def _mark(phases: Sequence[Phase]) -> str:
    """One column of one video: the most telling thing that happened in it."""
    order = (Phase.TRANSCRIBES, Phase.DOWNLOADS, Phase.TEXT, Phase.WAITS)
    return next((wanted.value for wanted in order if wanted in phases), Phase.ENDED.value)


def _digit(count: int) -> str:
    return " " if count == 0 else str(count) if count < 10 else "+"  # noqa: PLR2004 - one column, one digit


@dataclass(frozen=True)
class Sent:
    """One message that was delivered."""

    video: str
    robot: str
    label: str
    number: int | None
    at: datetime


def sent(video: str, messages: Sequence[Json]) -> list[Sent]:
    """Read the messages of one video that were delivered."""
    return [
        Sent(
            video,
            message["robot"] or "inbox",
            f"({message['number']}/{message['of']})" if message["number"] else message["kind"],
            message["number"],
            datetime.fromisoformat(message["sent_at"]),
        )
        for message in messages
        if message["sent_at"]
    ]


def broken_runs(delivered: Sequence[Sent]) -> list[str]:
    """Name every video whose messages did not come in order, or with another video's between them, at one robot."""
    broken = []
    for robot in sorted({message.robot for message in delivered}):
        here = [message for message in delivered if message.robot == robot]
        for video in dict.fromkeys(message.video for message in here):
            run = [message for message in here if message.video == video and message.number]
            if [message.at for message in run] != sorted(message.at for message in run):
                broken.append(f"{robot}: the messages of {video} did not come in their order")
            others = {
                other.video for other in here if other.video != video and run and run[0].at < other.at < run[-1].at
            }
            broken += [f"{robot}: a message of {other} came between those of {video}" for other in sorted(others)]
    return broken


def order(delivered: Sequence[Sent], began: datetime) -> list[str]:
    """Tell the messages in the order in which they came, a line for each unbroken run."""
    lines: list[str] = []
    for robot in sorted({message.robot for message in delivered}):
        lines.append(f"  {robot}:")
        last = ""
        for message in sorted((each for each in delivered if each.robot == robot), key=lambda each: each.at):
            if message.video != last:
                lines.append(
                    f"    {(message.at - began).total_seconds():5.1f} s  {fit(printable(message.video), LABEL)}"
                )
            lines[-1] += f" {message.label}"
            last = message.video
    return lines
