"""Clients that submit as fast as they are answered, in a process of their own, so that no server pays for them.

``python -m benchmarks.senders PORT TOKEN URL COUNT`` submits ``URL0``, ``URL1`` … and prints what that took as JSON. It
says no more HTTP than it must: where it shares the cores with the server, whatever it takes is missing there.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Iterator
from functools import partial

CONNECTIONS = 32


async def main(port: int, token: str, url: str, count: int) -> None:
    """Submit on all connections, each as long as there is something left to submit."""
    requests = (_request(token, f"{url}{number}") for number in range(count))
    loop = asyncio.get_running_loop()
    began, cpu_began = time.monotonic(), time.process_time()
    ends: list[asyncio.Future[None]] = [loop.create_future() for _ in range(CONNECTIONS)]
    for end in ends:
        await loop.create_connection(partial(_Sender, requests, end), "127.0.0.1", port)
    await asyncio.gather(*ends)
    print(json.dumps({"wall_s": time.monotonic() - began, "cpu_s": time.process_time() - cpu_began}))


def _request(token: str, url: str) -> bytes:
    body = json.dumps({"url": url})
    return (
        f"POST /api/transcribe HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    ).encode()


class _Sender(asyncio.Protocol):
    """One connection: sends the next request when the last one is answered."""

    def __init__(self, requests: Iterator[bytes], end: asyncio.Future[None]) -> None:
        self._requests = requests
        self._end = end
        self._answer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._send()

    def _send(self) -> None:
        request = next(self._requests, None)
        if request is None:
            self._transport.close()
        else:
            self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._answer += data
        head, is_whole, body = self._answer.partition(b"\r\n\r\n")
        if not is_whole or len(body) < int(head.lower().partition(b"content-length:")[2].split()[0]):
            return
        assert b" 202 " in head, self._answer
        self._answer = b""
        self._send()

    def connection_lost(self, error: Exception | None) -> None:
        if error is None:
            self._end.set_result(None)
        else:
            self._end.set_exception(error)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4])))
