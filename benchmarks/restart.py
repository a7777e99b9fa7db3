"""How long after ``kill -9`` and a new start the daemon answers and works again, with many tasks in its store."""

from __future__ import annotations

import asyncio
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks.figures import AtMost, Figure
from tests.daemon import Client, Daemon
from tests.fakes.server import running
from tests.fakes.site import Reply, Site

ROUNDS = 5
QUEUED = 10_000


@dataclass(frozen=True)
class Start:
    """One start of a daemon whose predecessor was killed."""

    answers_s: float
    works_s: float
    """Until a task is claimed."""
    rss_bytes: float
    """Memory of the daemon process then."""


def measure() -> list[Figure]:
    """Kill and start again, with an empty store and with a full one."""
    with running(Site()) as site:
        empty, full = (_starts(site, queued) for queued in (1, QUEUED))
    pairs = list(zip(empty, full, strict=True))
    return [
        Figure("start until it answers, 1 queued", "s", tuple(one.answers_s for one in empty)),
        Figure(f"start until it answers, {QUEUED} queued", "s", tuple(one.answers_s for one in full)),
        Figure(
            f"start until a task is claimed, {QUEUED} queued / 1",
            "",
            tuple(many.works_s / few.works_s for few, many in pairs),
            AtMost(1.3),
        ),
        Figure(
            "memory of a queued task",
            "B",
            tuple((many.rss_bytes - few.rss_bytes) / QUEUED for few, many in pairs),
            AtMost(400),
        ),
    ]


def _starts(site: Site, queued: int) -> list[Start]:
    with tempfile.TemporaryDirectory() as folder:
        return _rounds(site, Path(folder), queued)


def _rounds(site: Site, folder: Path, queued: int) -> list[Start]:
    daemon = Daemon(
        folder,
        download={"allow_hosts": [site.address]},
        concurrent={"max_workers": 1, "queue_size": queued},
        log={"level": "info"},
    )
    url = site.serve("/held.wav", Reply(gate=site.gate("never")))
    daemon.start()
    asyncio.run(_fill(daemon, url, queued))
    starts = []
    for _ in range(ROUNDS):
        daemon.kill()
        began = time.monotonic()
        daemon.start()
        answers_s = time.monotonic() - began
        daemon.console.wait(lambda lines: any("lane=fetch" in line for line in lines), 60)
        starts.append(Start(answers_s, time.monotonic() - began, daemon.rss_mb() * 2**20))
    daemon.stop()
    return starts


async def _fill(daemon: Daemon, url: str, queued: int) -> None:
    """Submit in waves, as many at once as the client's connections carry."""
    async with Client(daemon) as client:
        for begin in range(0, queued, 100):
            wave = range(begin, min(begin + 100, queued))
            await asyncio.gather(*(client.submit(f"{url}?{number}") for number in wave))
