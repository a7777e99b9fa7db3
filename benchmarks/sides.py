"""The two sides of a comparison: a daemon that is warm, and the bare loop."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.figures import ROOT
from benchmarks.recordings import record
from pipeline.engine.device_host import ENVIRONMENT
from tests.daemon import Client, Daemon
from tests.fakes.server import running
from tests.fakes.site import Reply, Site

DEMO = ROOT / "models" / "demo"
"""The bundled model, which is quick."""
PATIENCE_S = 900.0


@dataclass(frozen=True)
class Spent:
    """What something took."""

    wall_s: float
    cpu_s: float
    heard: int = 0
    """What the bare loop counted."""


class WarmDaemon:
    """A daemon whose model is loaded, with a site that it may fetch recordings from."""

    def __init__(self, daemon: Daemon, client: Client, site: Site) -> None:
        """Keep all three."""
        self.daemon, self.client = daemon, client
        self._site = site
        self._numbers = itertools.count()

    def serve(self, file: Path) -> str:
        """Offer a recording under an address that was not used before."""
        return self._site.serve(f"/{next(self._numbers)}/{file.name}", Reply(file=file))

    async def submit(self, file: Path, **fields: object) -> str:
        """Submit a recording; returns the task's id."""
        return await self.client.submit(self.serve(file), **fields)

    async def complete(self, task_id: str) -> None:
        """Wait until a task is done, with its last message."""
        state = await self.client.finished(task_id, PATIENCE_S)
        assert state["status"] == "completed", state

    async def transcribe(self, files: Sequence[Path]) -> Spent:
        """Take recordings from the first submit to the last message."""
        urls = [self.serve(file) for file in files]
        began, cpu_began = time.monotonic(), self.daemon.cpu_s()
        tasks = [await self.client.submit(url) for url in urls]
        await asyncio.gather(*map(self.complete, tasks))
        return Spent(time.monotonic() - began, self.daemon.cpu_s() - cpu_began)


@asynccontextmanager
async def warm_daemon(model: Path, *, at_once: int = 4, **transcribe: object) -> AsyncIterator[WarmDaemon]:
    """Start a daemon that takes so many recordings at once, and let it transcribe one."""
    with tempfile.TemporaryDirectory() as folder, running(Site()) as site:
        daemon = Daemon(
            Path(folder) / "daemon",
            download={"allow_hosts": [site.address], "max_duration_s": 86_400},
            concurrent={"max_workers": at_once, "queue_size": 100},
            scheduler={"max_tasks_per_gpu": at_once},
            transcribe={"model": str(model), "language": "en", **transcribe},  # as the bare loops are told
            log={"level": "info"},
        )
        with daemon:
            async with Client(daemon) as client:
                warm = WarmDaemon(daemon, client, site)
                await warm.transcribe([record(Path(folder) / "warm.wav", 20, number=99)])
                yield warm


def bare(way: str, model: Path, files: Sequence[Path]) -> Spent:
    """Run the bare loop (see ``raw_loop``); ``tuned`` gets the environment of the daemon's engine."""
    environment = ENVIRONMENT | {"OMP_NUM_THREADS": "1"} if way == "tuned" else {}
    said = subprocess.run(
        [sys.executable, "-m", "benchmarks.raw_loop", way, str(model), *map(str, files)],
        env=os.environ | environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    return Spent(**json.loads(said))
