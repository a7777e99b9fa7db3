"""How quickly a submit is answered while speech recognition takes all the machine has."""

from __future__ import annotations

import asyncio
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import pytest

from tests.acceptance.conftest import Start
from tests.acceptance.logbook import said
from tests.acceptance.videos import serve_story
from tests.daemon import Client, Daemon
from tests.fakes.site import Reply, Site

PER_SECOND = 20
SECONDS = 8
COUNT = PER_SECOND * SECONDS
SLOWEST_S = 0.050
ATTEMPTS = 2
"""One hiccup of a shared machine delays two submits in a row, which is more than 1 %: it may not strike twice."""
BUSY = 0.8
MOSTLY_OURS = 0.7
CORES = os.cpu_count() or 1
CLOCK_HZ = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Usage:
    """CPU seconds: of the whole machine since it was started, and of the daemon and us."""

    busy_s: float
    idle_s: float
    ours_s: float

    @classmethod
    def now(cls, daemon: Daemon) -> Self:
        """Read the counters; time that the machine's host took for others counts as busy."""
        fields = Path("/proc/stat").read_text(encoding="ascii").splitlines()[0].split()[1:9]
        user, nice, system, idle, iowait, irq, softirq, steal = (int(ticks) / CLOCK_HZ for ticks in fields)
        busy = user + nice + system + irq + softirq + steal
        return cls(busy, idle + iowait, daemon.cpu_s() + time.process_time())

    def since(self, then: Usage) -> Usage:
        """What has been used between then and now."""
        return Usage(self.busy_s - then.busy_s, self.idle_s - then.idle_s, self.ours_s - then.ours_s)

    @property
    def load(self) -> float:
        """The share of the machine's time in which it was busy."""
        return self.busy_s / (self.busy_s + self.idle_s)

    @property
    def left_to_us(self) -> float:
        """The share of the machine's time that nobody else took."""
        return (self.idle_s + self.ours_s) / (self.busy_s + self.idle_s)


@dataclass(frozen=True)
class Attempt:
    """One measurement: seconds from the moment at which a submit was due to its answer, sorted, and what was used."""

    waits_s: list[float]
    usage: Usage

    @property
    def is_quick(self) -> bool:
        """Whether 99 % were quick; of a machine that others have most of, the slowest tell nothing, but half do."""
        if self.usage.left_to_us < MOSTLY_OURS:
            return self._percentile_s(50) <= SLOWEST_S
        return self._percentile_s(99) <= SLOWEST_S / self.usage.left_to_us

    def _percentile_s(self, percent: int) -> float:
        return self.waits_s[len(self.waits_s) * percent // 100]

    def __str__(self) -> str:
        """Write the figures."""
        median, slowest = (1000 * self._percentile_s(percent) for percent in (50, 99))
        return (
            f"p50 {median:.1f} ms, p99 {slowest:.1f} ms, "
            f"cores {self.usage.load:.0%} busy, {self.usage.left_to_us:.0%} left to us"
        )


@pytest.mark.alone
async def test_submits_are_quick_under_full_load(site: Site, start: Start) -> None:
    """Of 20 submits a second, 99 % are answered within 50 ms while every core recognizes speech."""
    long_ones = [serve_story(site, number, 300) for number in range(CORES + 1)]
    silent = Reply(gate=site.gate("never"))
    urls = [site.serve(f"/quick-{number}.wav", silent) for number in range(ATTEMPTS * COUNT)]
    daemon = start(concurrent={"queue_size": len(urls)}, scheduler={"max_tasks_per_gpu": len(long_ones)})
    attempts: list[Attempt] = []
    async with Client(daemon) as client:
        ids = [await client.submit(video.url) for video in long_ones]
        await said(daemon, "cause=placed", times=len(ids))
        while len(attempts) < ATTEMPTS:
            attempts.append(await _measure(daemon, client, urls[len(attempts) :: ATTEMPTS]))
            print(attempts[-1])  # noqa: T201 - shown by pytest -s
            if attempts[-1].is_quick:
                break
        stages = [(await client.state(task_id))["stage"] for task_id in ids]
    assert stages.count("transcribe") >= CORES, "the load ended before the measurement"
    assert attempts[-1].is_quick, [*map(str, attempts)]


async def _measure(daemon: Daemon, client: Client, urls: list[str]) -> Attempt:
    """Submit all while the cores are busy."""
    before = Usage.now(daemon)
    waits = sorted(await _submit_on_schedule(client, urls))
    attempt = Attempt(waits, Usage.now(daemon).since(before))
    assert attempt.usage.load > BUSY
    return attempt


async def _submit_on_schedule(client: Client, urls: list[str]) -> list[float]:
    """Submit at fixed moments, whether or not earlier answers have come; returns seconds from moment to answer."""
    loop = asyncio.get_running_loop()
    begin = loop.time() + 0.1

    async def submit(url: str, due: float) -> float:
        await asyncio.sleep(due - loop.time())
        await client.submit(url)
        return loop.time() - due

    return await asyncio.gather(*(submit(url, begin + place / PER_SECOND) for place, url in enumerate(urls)))
