"""The views of the daemon as a whole: who waits for what, and how it does, in numbers."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from aiohttp import web

from pipeline.core.figures import Figures, LaneFigures
from pipeline.core.task import Lane, Stage, Status
from pipeline.http import show
from pipeline.http.answers import answer
from pipeline.http.deps import Call, Deps
from pipeline.monitor import Monitor

MOST_STANDING = 200
"""Of one's own tasks, so many are shown with their places."""
DELIVER = "deliver"

_NONE = LaneFigures(0, 0)


async def queue(deps: Deps, call: Call) -> web.StreamResponse:
    """Show who waits for what: everybody's tasks by number, your own with their places."""
    seen = await deps.store.queue(call.owner, MOST_STANDING)
    concurrent = deps.settings.concurrent
    return answer(
        {
            "room": {"taken": seen.unfinished, "at_most": concurrent.max_workers + concurrent.queue_size},
            "lanes": _lanes(seen.lanes, deps.monitor),
            "models": [{"model": model, **asdict(counts)} for model, counts in seen.models.items()],
            "tasks": [asdict(standing) for standing in seen.tasks],
        }
    )


async def gpu(deps: Deps, call: Call) -> web.StreamResponse:
    """Show every device, and why tasks wait for one."""
    waiting = [{"model": model, "why": why} for model, why in deps.fleet.waiting.items()]
    return answer({"devices": [show.device(view) for view in deps.fleet.view(call.owner)], "waiting": waiting})


async def metrics(deps: Deps, _call: Call) -> web.StreamResponse:
    """Show how the daemon does: tasks, times, lanes, robots, and what weighs on the machine."""
    figures, host, now = await deps.store.figures(), await deps.monitor.host(), time.time()
    monitor = deps.monitor
    return answer(
        {
            "version": deps.version,
            "started_at": show.time(monitor.started_at),
            "uptime_s": round(now - monitor.started_at, 3),
            "tasks": dict(figures.tasks),
            "totals": _totals(figures),
            "stages": [
                {"stage": stage, "count": took.count, "mean_s": show.rounded(took.mean_s, 3)}
                for stage, took in sorted(figures.stages.items(), key=lambda item: [*Stage].index(Stage(item[0])))
            ],
            "oldest_unfinished_s": None if figures.oldest_at is None else max(0.0, round(now - figures.oldest_at, 3)),
            "lanes": _lanes(figures.lanes, monitor),
            "fetch_slots": {"now": monitor.fetch_slots, "at_most": monitor.most_fetch_slots, "strain": monitor.strain},
            "robots": [show.robot(lane) for lane in await deps.outbox.robots()],
            "host": {
                "load_1m": round(host.load_1m, 2),
                "memory_free_mb": host.memory_free_mb,
                "disk_free_gb": round(host.disk_free_gb, 3),
                "rss_mb": show.rounded(host.rss_mb, 1),
            },
        }
    )


def _totals(figures: Figures) -> dict[str, Any]:
    return {
        "total": sum(figures.tasks.values()),
        "done": figures.tasks[Status.COMPLETED],
        "failed": figures.tasks[Status.FAILED] + figures.tasks[Status.TIMEOUT],
        "success_rate": show.rounded(figures.success_rate, 4),
        "mean_duration_s": show.rounded(figures.whole.mean_s, 3),
    }


def _lanes(counts: Mapping[str, LaneFigures], monitor: Monitor) -> list[dict[str, Any]]:
    """Every lane in order; delivery has no slots, but one lane for each robot."""
    slots = {Lane.FETCH: monitor.fetch_slots, Lane.ASR: monitor.device_slots, Lane.TEXT: 1, DELIVER: None}
    return [{"lane": lane, **asdict(counts.get(lane, _NONE)), "slots": count} for lane, count in slots.items()]
