"""What a daemon's own log tells of its tasks."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from tests.daemon import Daemon, Json


@dataclass(frozen=True)
class Span:
    """When something was done; seconds since the epoch."""

    began: float
    ended: float


async def said(daemon: Daemon, *words: str, times: int = 1, timeout_s: float = 60.0) -> None:
    """Wait until so many lines on the daemon's console hold all these words."""
    await daemon.console.until(
        lambda lines: times <= sum(all(word in line for word in words) for line in lines), timeout_s
    )


def finished_order(daemon: Daemon) -> list[str]:
    """Ids in the order in which tasks came to their end."""
    return [line["task"] for line in daemon.log() if line["event"] == "task" and line["stage"] == "done"]


def spans(daemon: Daemon, stage: str) -> dict[str, Span]:
    """When each task, by its id, was in a stage that it finished."""
    done = [line for line in daemon.log() if line["event"] == "stage done" and line["stage"] == stage]
    return {line["task"]: _span(line) for line in done}


def _span(line: Json) -> Span:
    ended = datetime.fromisoformat(line["ts"]).timestamp()
    return Span(ended - line["took_s"], ended)


def most_at_once(found: Iterable[Span]) -> int:
    """Count how many were under way at the same time, at most."""
    found = list(found)
    return max(sum(other.began <= span.began < other.ended for other in found) for span in found)


def overlap(some: dict[str, Span], others: dict[str, Span]) -> bool:
    """Tell whether one task was in the one stage while another one was in the other."""
    return any(
        span.began < other.ended and other.began < span.ended
        for task, span in some.items()
        for other_task, other in others.items()
        if task != other_task
    )
