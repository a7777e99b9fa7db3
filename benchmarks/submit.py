"""How quickly a submit is answered: on an idle daemon, and while every core recognizes speech."""

from __future__ import annotations

import asyncio
import os
import tempfile
from pathlib import Path

from benchmarks.figures import AtMost, Figure, percentile
from tests.daemon import Client, Daemon
from tests.fakes import media
from tests.fakes.server import running
from tests.fakes.site import Reply, Site

PER_SECOND = 50
SECONDS = 8
ROUNDS = 3
CORES = os.cpu_count() or 1


def measure() -> list[Figure]:
    """Submit at fixed moments, whether or not earlier answers have come; alternate idle and loaded."""
    waits: dict[str, list[list[float]]] = {"idle": [], "full load": []}
    with running(Site()) as site:
        for number in range(ROUNDS):
            for kind, rounds in waits.items():
                with tempfile.TemporaryDirectory() as folder:
                    loaded = kind != "idle"
                    rounds.append(asyncio.run(_round(site, Path(folder), f"{number}-{loaded}", loaded=loaded)))
    figures = [
        Figure(
            f"submit, {kind}, {PER_SECOND}/s, p{percent}",
            "ms",
            tuple(1000 * percentile(one, percent) for one in rounds),
        )
        for kind, rounds in waits.items()
        for percent in (50, 99)
    ]
    ratios = [
        percentile(busy, 99) / percentile(idle, 99)
        for idle, busy in zip(waits["idle"], waits["full load"], strict=True)
    ]
    return [
        *figures,
        Figure("submit, p99 under full load / idle", "×", tuple(ratios), AtMost(3)),
        Figure(
            f"submit, full load, {PER_SECOND}/s, the slowest",
            "ms",
            tuple(1000 * max(one) for one in waits["full load"]),
            AtMost(100),
        ),
    ]


async def _round(site: Site, folder: Path, name: str, *, loaded: bool) -> list[float]:
    count = PER_SECOND * SECONDS
    silent = Reply(gate=site.gate("never"))
    urls = [site.serve(f"/{name}/{number}.wav", silent) for number in range(count)]
    daemon = Daemon(
        folder,
        download={"allow_hosts": [site.address]},
        concurrent={"queue_size": 1000},
        scheduler={"max_tasks_per_gpu": CORES + 1},
        log={"level": "info"},
    )
    with daemon:
        async with Client(daemon) as client:
            if loaded:
                long = Reply(body=media.speech(media.story(1, 500)))
                for number in range(CORES + 1):
                    await client.submit(site.serve(f"/{name}/long-{number}.wav", long), force=True)
                await daemon.console.until(
                    lambda lines: sum("lane=asr" in line and "cause=placed" in line for line in lines) > CORES, 60
                )
            return await _submit_on_schedule(client, urls)


async def _submit_on_schedule(client: Client, urls: list[str]) -> list[float]:
    """Returns seconds from the moment a submit was due to its answer."""
    loop = asyncio.get_running_loop()
    begin = loop.time() + 0.5

    async def submit(url: str, due: float) -> float:
        await asyncio.sleep(due - loop.time())
        await client.submit(url)
        return loop.time() - due

    return await asyncio.gather(*(submit(url, begin + place / PER_SECOND) for place, url in enumerate(urls)))
