"""How many submits a second become durable, beside a plain server that promises less (see ``plain_server``)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from benchmarks.figures import ROOT, AtLeast, Figure
from tests.daemon import Daemon
from tests.fakes.server import running
from tests.fakes.site import Reply, Site

REQUESTS = 3000
ROUNDS = 5


@dataclass(frozen=True)
class Server:
    """One of the two."""

    port: int
    token: str
    cpu_s: Callable[[], float]
    """CPU seconds that it has used so far, in all its processes."""


@dataclass(frozen=True)
class Pace:
    """How quickly a server took submits, and what one took."""

    per_s: float
    server_ms: float
    """CPU milliseconds of the server."""
    senders_ms: float
    """CPU milliseconds of those who submit, on the same cores."""


def measure() -> list[Figure]:
    """Let both take as many submits as they can, in turns."""
    with tempfile.TemporaryDirectory() as folder, running(Site()) as site, _plain(Path(folder)) as plain:
        url = site.serve("/held.wav", Reply(gate=site.gate("never")))
        daemon = Daemon(
            Path(folder) / "daemon",
            download={"allow_hosts": [site.address]},
            concurrent={"max_workers": 1, "queue_size": (ROUNDS + 1) * REQUESTS},
            log={"level": "info"},
        )
        with daemon:
            port = urlsplit(daemon.url).port
            assert port is not None
            servers = (Server(port, daemon.token, daemon.cpu_s), plain)
            rounds = [[_pace(server, f"{url}?{number}-") for server in servers] for number in range(ROUNDS + 1)]
    ours, theirs = zip(*rounds[1:], strict=True)  # both are warm after the first
    return [
        Figure(
            "submits a second, durable / plain server",
            "",
            tuple(our.per_s / their.per_s for our, their in zip(ours, theirs, strict=True)),
            AtLeast(2),
        ),
        *_figures("durable", ours),
        *_figures("plain server", theirs),
    ]


def _figures(name: str, paces: tuple[Pace, ...]) -> list[Figure]:
    return [
        Figure(f"submits a second, {name}", "", tuple(pace.per_s for pace in paces)),
        Figure(f"CPU of a submit, {name}", "ms", tuple(pace.server_ms for pace in paces)),
        Figure(f"CPU of sending it, {name}", "ms", tuple(pace.senders_ms for pace in paces)),
    ]


@contextmanager
def _plain(folder: Path) -> Iterator[Server]:
    command = [sys.executable, "-m", "benchmarks.plain_server", str(folder / "plain.db")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT) as server:
        assert server.stdout is not None
        yield Server(int(server.stdout.readline()), "none", lambda: _cpu_s(server.pid))
        assert server.stdin is not None
        server.stdin.close()


def _cpu_s(pid: int) -> float:
    """Read the CPU seconds of a process."""
    user, system = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def _pace(server: Server, url: str) -> Pace:
    """Let the senders submit, each the next when the last is answered."""
    before_s = server.cpu_s()
    command = [sys.executable, "-m", "benchmarks.senders", str(server.port), server.token, url, str(REQUESTS)]
    took = json.loads(subprocess.run(command, stdout=subprocess.PIPE, cwd=ROOT, check=True).stdout)
    each_ms = 1000 / REQUESTS
    return Pace(REQUESTS / took["wall_s"], (server.cpu_s() - before_s) * each_ms, took["cpu_s"] * each_ms)
