"""How quickly a submit is answered while speech recognition takes all the machine has."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from tests.acceptance.conftest import Start
from tests.acceptance.logbook import said
from tests.acceptance.videos import serve_story
from tests.daemon import Client
from tests.fakes.site import Reply, Site

PER_SECOND = 20
SECONDS = 8
COUNT = PER_SECOND * SECONDS
SLOWEST_S = 0.050
ATTEMPTS = 2
"""One hiccup of a shared machine delays two submits in a row, which is more than 1 %: it may not strike twice."""
CORES = os.cpu_count() or 1


async def test_submits_are_quick_under_full_load(site: Site, start: Start) -> None:
    """Of 20 submits a second, 99 % are answered within 50 ms while every core recognizes speech."""
    long_ones = [serve_story(site, number, 300) for number in range(CORES + 1)]
    silent = Reply(gate=site.gate("never"))
    urls = [site.serve(f"/quick-{number}.wav", silent) for number in range(ATTEMPTS * COUNT)]
    daemon = start(concurrent={"queue_size": len(urls)}, scheduler={"max_tasks_per_gpu": len(long_ones)})
    async with Client(daemon) as client:
        ids = [await client.submit(video.url) for video in long_ones]
        await said(daemon, "cause=placed", times=len(ids))
        for attempt in range(ATTEMPTS):
            p99, figures = await _measure(client, urls[attempt::ATTEMPTS])
            print(figures)  # noqa: T201 - shown by pytest -s
            if p99 <= SLOWEST_S:
                break
        stages = [(await client.state(task_id))["stage"] for task_id in ids]
    assert stages.count("transcribe") >= CORES, "the load ended before the measurement"
    assert p99 <= SLOWEST_S, figures


async def _measure(client: Client, urls: list[str]) -> tuple[float, str]:
    """Submit all while the cores are busy; returns the 99th percentile in seconds, and the figures in words."""
    busy, idle = _cpu_ticks()
    waits = sorted(await _submit_on_schedule(client, urls))
    busy, idle = (now - then for now, then in zip(_cpu_ticks(), (busy, idle), strict=True))
    load = busy / (busy + idle)
    assert load > 0.8
    median, p99 = (waits[int(len(waits) * share)] for share in (0.5, 0.99))
    return p99, f"p50 {1000 * median:.1f} ms, p99 {1000 * p99:.1f} ms, cores {load:.0%} busy"


async def _submit_on_schedule(client: Client, urls: list[str]) -> list[float]:
    """Submit at fixed moments, whether or not earlier answers have come; returns seconds from moment to answer."""
    loop = asyncio.get_running_loop()
    begin = loop.time() + 0.1

    async def submit(url: str, due: float) -> float:
        await asyncio.sleep(due - loop.time())
        await client.submit(url)
        return loop.time() - due

    return await asyncio.gather(*(submit(url, begin + place / PER_SECOND) for place, url in enumerate(urls)))


def _cpu_ticks() -> tuple[int, int]:
    """Read how long the machine's cores have been busy and idle."""
    user, nice, system, idle, iowait, irq, softirq, *_ = map(
        int, Path("/proc/stat").read_text().splitlines()[0].split()[1:]
    )
    return user + nice + system + irq + softirq, idle + iowait
