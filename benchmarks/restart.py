"""How long after ``kill -9`` and a new start the daemon answers and works again, with many tasks in its store."""

from __future__ import annotations

import asyncio
import tempfile
import time
from pathlib import Path

from benchmarks.figures import Figure
from tests.daemon import Client, Daemon
from tests.fakes.server import running
from tests.fakes.site import Reply, Site

ROUNDS = 5
QUEUED = 10_000


def measure() -> list[Figure]:
    """Kill and start again, with an empty store and with a full one."""
    figures = []
    with running(Site()) as site:
        for queued in (1, QUEUED):
            with tempfile.TemporaryDirectory() as folder:
                answers, works = _rounds(site, Path(folder), queued)
            figures += [
                Figure(f"start until it answers, {queued} queued", "s", answers),
                Figure(f"start until a task is claimed, {queued} queued", "s", works),
            ]
    return figures


def _rounds(site: Site, folder: Path, queued: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
    daemon = Daemon(
        folder,
        download={"allow_hosts": [site.address]},
        concurrent={"max_workers": 1, "queue_size": queued},
        log={"level": "info"},
    )
    url = site.serve("/held.wav", Reply(gate=site.gate("never")))
    daemon.start()
    asyncio.run(_fill(daemon, url, queued))
    answers, works = [], []
    for _ in range(ROUNDS):
        daemon.kill()
        began = time.monotonic()
        daemon.start()
        answers.append(time.monotonic() - began)
        daemon.console.wait(lambda lines: any("lane=fetch" in line for line in lines), 60)
        works.append(time.monotonic() - began)
    daemon.stop()
    return tuple(answers), tuple(works)


async def _fill(daemon: Daemon, url: str, queued: int) -> None:
    """Submit in waves, as many at once as the client's connections carry."""
    async with Client(daemon) as client:
        for begin in range(0, queued, 100):
            wave = range(begin, min(begin + 100, queued))
            await asyncio.gather(*(client.submit(f"{url}?{number}") for number in wave))
