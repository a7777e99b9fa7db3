"""One daemon among the fakes, what it was asked to do, and how it was treated meanwhile."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import itertools
import os
import select
import signal
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeAlias

import aiohttp

from tests.chaos.clock import WallClock
from tests.chaos.recordings import Recording, Tape, speaking_of
from tests.daemon import ROOT, RUN_DAEMON, Client, Daemon, Json
from tests.fakes.llm import Llm
from tests.fakes.server import running
from tests.fakes.site import Reply, Site
from tests.fakes.wecom import WeCom

LLM_KEY = "sk-chaos-5f1d0c77aa"
FINAL = {"completed", "failed", "cancelled", "timeout"}
UNFINISHED = ("pending", "processing", "retrying")
CHILDREN_S = 2.0
"""A daemon that was killed has taken its children along by then."""
FINISH_S = 300.0

Deed: TypeAlias = Literal["kill", "stop"]
SIGNALS: dict[Deed, signal.Signals] = {"kill": signal.SIGKILL, "stop": signal.SIGTERM}


def key_of(robot: str) -> str:
    """The key of a robot's webhook, a secret."""
    return f"key-of-{robot}-9b8e41"


@dataclass
class Kill:
    """How much every robot had taken when the daemon was killed."""

    taken: dict[str, int]


@dataclass
class World:
    """The daemon, the fakes it meets, and the account of everything it has promised."""

    daemon: Daemon
    site: Site
    wecom: WeCom
    llm: Llm
    robots: tuple[str, ...]
    temporary: Path
    """The daemon's folder for temporary files."""
    clock: WallClock
    """What the machine's clock says to the daemon."""
    accepted: dict[str, Tape | None] = field(default_factory=dict)
    """Every task that was answered with 202 or 200, by its id; None: its source is bad."""
    unanswered: list[tuple[str, Tape | None]] = field(default_factory=list)
    """Addresses that were submitted to a daemon which died before it answered."""
    asked_twice: set[str] = field(default_factory=set)
    """Those addresses, once they were submitted again; a failed task of the first time may be there as well."""
    kills: list[Kill] = field(default_factory=list)
    numbers: Iterator[int] = field(default_factory=itertools.count)

    def serve(self, recording: Recording | None = None, *replies: Reply) -> str:
        """Put the next tape on the site; without a recording or replies a page that is not there."""
        path = f"/tape-{next(self.numbers)}.wav"
        if recording is None:
            return self.site.serve(path, *(replies or (Reply(status=404),)))
        return self.site.serve(path, *(replies or (Reply(body=recording.wav()),)))

    def tape(self, segments: int = 12, **script: Any) -> Recording:
        """A recording that speaks of itself."""
        return Recording(speaking_of(next(self.numbers), segments), **script)

    async def submit(self, client: Client, url: str, tape: Tape | None, **options: object) -> str:
        """Submit one address and enter it into the account as soon as the answer is there."""
        self.unanswered.append((url, tape))
        status, answer = await client.post("/api/transcribe", {"url": url, **options})
        assert status in {200, 202}, answer
        self.unanswered.remove((url, tape))
        task_id = answer["data"]["task_id"]
        self.accepted[task_id] = tape
        return task_id

    async def keep_busy(self, in_flight: int, next_tape: Iterator[tuple[str, Tape | None]]) -> None:
        """Submit until so many are in flight, then whenever one has ended, for as long as the daemon lives.

        What an earlier daemon died of answering is submitted first: the same address is the same task.
        """
        with contextlib.suppress(aiohttp.ClientError):
            async with Client(self.daemon) as client:
                await self._ask_again(client)
                while True:
                    for _ in range(in_flight - await self.in_flight(client)):
                        await self.submit(client, *next(next_tape))
                    await asyncio.sleep(0.2)

    async def _ask_again(self, client: Client) -> None:
        for url, tape in [*self.unanswered]:
            self.asked_twice.add(url)
            await self.submit(client, url, tape)
            self.unanswered.remove((url, tape))

    @property
    def events(self) -> int:
        """How many requests have come to the fakes."""
        return len(self.site.requests) + len(self.llm.asked) + len(self.wecom.arrivals)

    async def in_flight(self, client: Client) -> int:
        """Count the tasks that have not come to their end."""
        pages = [await client.get("/api/tasks", status=status, limit=200) for status in UNFINISHED]
        return sum(len(page["data"]["tasks"]) for _, page in pages)

    def doing(self, deed: Deed) -> Callable[[], None]:
        """What a fake is to call to have the daemon killed, or asked to stop, at that instant."""
        return functools.partial(self.send, SIGNALS[deed])

    def send(self, signal_number: int) -> None:
        """Send a signal to the daemon."""
        os.kill(self.daemon.pid, signal_number)

    def freeze(self) -> None:
        """Hold the daemon where it is; only a kill ends that."""
        self.send(signal.SIGSTOP)

    def kill(self) -> None:
        """Kill the daemon, whatever it is doing."""
        self.daemon.kill()
        self._bury()

    async def died(self, timeout_s: float = 60.0) -> None:
        """Wait until something has killed the daemon."""
        await self.daemon.console.until(lambda lines: bool(lines) and "ended" in lines[-1], timeout_s)
        self._bury()

    def _bury(self) -> None:
        """Wait until the dead daemon's children have followed it, by themselves, and write the kill down."""
        deadline = time.monotonic() + CHILDREN_S
        for child in self.daemon.processes():
            with contextlib.suppress(ProcessLookupError):
                ending = os.pidfd_open(child)
                select.select([ending], [], [], max(0.0, deadline - time.monotonic()))
                os.close(ending)
        assert set() == self.daemon.processes()
        self.kills.append(Kill({robot: len(self.wecom.robot(key_of(robot)).accepted) for robot in self.robots}))

    async def finish(self) -> dict[str, Json]:
        """Wait until every task has come to its end; returns their states."""
        async with Client(self.daemon) as client:
            await self._ask_again(client)
            return {task_id: await client.finished(task_id, FINISH_S) for task_id in self.accepted}


@contextlib.contextmanager
def world(
    folder: Path,
    *,
    robots: Sequence[str] = ("red",),
    speed: float = 1.0,
    with_llm: bool = True,
    real_model: bool = False,
    per_minute: int = 1200,
    **sections: Mapping[str, Any],
) -> Iterator[World]:
    """Make the fakes, and a daemon that is not started yet.

    Args:
        folder: for everything that is written.
        robots: names of the robots.
        speed: of the daemon's clock.
        with_llm: whether the daemon is given the endpoint.
        real_model: whether the demo model recognizes, not the script in a recording.
        per_minute: messages for each robot.
        sections: of the configuration.
    """
    with ExitStack() as fakes:
        # A socket's path holds 107 bytes, so its folder is not below ours, which may lie deep.
        temporary = Path(fakes.enter_context(tempfile.TemporaryDirectory(prefix="chaos-")))
        site, wecom, llm = (fakes.enter_context(running(fake)) for fake in (Site(), WeCom(per_minute=None), Llm()))
        webhooks = [{"name": robot, "url": wecom.webhook(key_of(robot))} for robot in robots]
        given = {
            "download": {"allow_hosts": [site.address]},
            "wechat": {"webhook": webhooks, "per_minute": per_minute},
            "concurrent": {"max_workers": 3, "queue_size": 1000},
            "log": {"level": "info", "max_mb": 1024},
        }
        if with_llm:
            endpoint = {"base_url": llm.base_url, "model": "m", "api_key": LLM_KEY}
            given["llm"] = endpoint | {"chunk_chars": 200, "min_summary_chars": 1}
        for section, values in sections.items():
            given[section] = given.get(section, {}) | dict(values)
        clock = folder / "clock"
        scripted = ("-m", "tests.chaos.daemon", "--speed", str(speed), "--clock", str(clock))
        program = RUN_DAEMON if real_model else scripted
        environment = {"TMPDIR": str(temporary), "PYTHONPATH": str(ROOT)}
        daemon = Daemon(folder, program=program, environment=environment, **given)
        try:
            yield World(daemon, site, wecom, llm, tuple(robots), temporary, WallClock(clock))
        finally:
            if daemon.running:
                daemon.kill()
