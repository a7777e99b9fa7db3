"""How many submits a second become durable, beside a plain server that promises less (see ``plain_server``)."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from benchmarks.figures import ROOT, AtLeast, Figure
from tests.daemon import Daemon
from tests.fakes.server import running
from tests.fakes.site import Reply, Site

CONNECTIONS, REQUESTS = 32, 1500
ROUNDS = 5


def measure() -> list[Figure]:
    """Let both take as many submits as they can, in turns; each connection sends the next when it is answered."""
    with tempfile.TemporaryDirectory() as folder, running(Site()) as site, _plain(Path(folder)) as plain_port:
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
            sides = [(port, daemon.token), (plain_port, "none")]
            rates = [[asyncio.run(_rate(*side, f"{url}?{number}-")) for side in sides] for number in range(ROUNDS + 1)][
                1:
            ]
    return [
        Figure(
            "submits a second, durable / plain server", "", tuple(ours / plain for ours, plain in rates), AtLeast(2)
        ),
        Figure("submits a second, durable", "", tuple(ours for ours, _ in rates)),
    ]


@contextmanager
def _plain(folder: Path) -> Iterator[int]:
    command = [sys.executable, "-m", "benchmarks.plain_server", str(folder / "plain.db")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT) as server:
        assert server.stdout is not None
        yield int(server.stdout.readline())
        assert server.stdin is not None
        server.stdin.close()


async def _rate(port: int, token: str, url: str) -> float:
    numbers = iter(range(REQUESTS))
    began = time.monotonic()
    await asyncio.gather(*(_submit_on(port, token, url, numbers) for _ in range(CONNECTIONS)))
    return REQUESTS / (time.monotonic() - began)


async def _submit_on(port: int, token: str, url: str, numbers: Iterator[int]) -> None:
    """Submit on one connection as long as there are numbers, with no more HTTP than that takes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for number in numbers:
        body = json.dumps({"url": f"{url}{number}"}).encode()
        head = (
            f"POST /api/transcribe HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAuthorization: Bearer {token}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        writer.write(head.encode() + body)
        answer = await reader.readuntil(b"\r\n\r\n")
        assert b" 202 " in answer.split(b"\r\n", 1)[0], answer
        lengths = [line for line in answer.lower().split(b"\r\n") if line.startswith(b"content-length:")]
        await reader.readexactly(int(lengths[0].split(b":")[1]))
    writer.close()
    await writer.wait_closed()
