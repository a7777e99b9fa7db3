"""A small real web server that plays the video sites of the internet, faults included.

In asynchronous tests ``async with Site() as site``, in others ``with running(Site()) as site``; by hand
``python -m tests.fakes.site --port 8090 --folder examples``.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import functools
import itertools
import math
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from aiohttp import web
from multidict import CIMultiDict

from tests.fakes.pages import video_page
from tests.fakes.server import PATIENCE_S, Gate, LoopbackServer, Record, close_connection, run_by_hand

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

_PIECE_BYTES = 16 * 1024
# A slow body goes out in so many pieces a second.
_PIECES_PER_S = 20
# Not the system's table of types: a test must mean the same on every machine.
_CONTENT_TYPES = {
    ".aac": "audio/aac",
    ".avi": "video/x-msvideo",
    ".flac": "audio/flac",
    ".html": "text/html; charset=utf-8",
    ".json": "application/json",
    ".m3u8": "application/vnd.apple.mpegurl",
    ".m4a": "audio/mp4",
    ".m4s": "video/iso.segment",
    ".mkv": "video/x-matroska",
    ".mov": "video/quicktime",
    ".mp3": "audio/mpeg",
    ".mp4": "video/mp4",
    ".ogg": "audio/ogg",
    ".opus": "audio/ogg",
    ".ts": "video/mp2t",
    ".txt": "text/plain; charset=utf-8",
    ".wav": "audio/wav",
    ".webm": "video/webm",
    ".wma": "audio/x-ms-wma",
}


@dataclass(frozen=True)
class Reply:
    """How one request is answered."""

    status: int = 200
    body: bytes = b""
    file: Path | None = None
    """Sent in place of ``body``."""
    content_type: str | None = None
    """None: guessed from the name of the file or from the path."""
    headers: Mapping[str, str] = field(default_factory=dict)
    gate: Gate | None = None
    """Nothing is sent before it is open."""
    delay_s: float = 0.0
    """Nothing is sent before this time is over."""
    bytes_per_s: float | None = None
    cut_after: int | None = None
    """The connection is closed after so many bytes of this response, whatever length was declared.

    A client that resumes by ``Range`` comes further each time, unless ``ranges`` is off."""
    stall_after: int | None = None
    """Nothing more is sent after so many bytes of the body, and the connection stays open."""
    chunked: bool = False
    """No length is declared."""
    endless: bool = False
    """The body is repeated until the client leaves; no length is declared."""
    redirect_to: str | None = None
    """With status 302, or the given one if it is 3xx."""
    ranges: bool = True
    """Whether a ``Range`` is honored; if not, the whole body is sent."""
    strike: Callable[[], None] | None = None
    """Called once ``strike_after`` bytes of the body have been written; with 0 before anything is sent."""
    strike_after: int = 0

    def __post_init__(self) -> None:
        """Refuse what would never send anything."""
        if self.endless and not (self.body or self.file):
            raise ValueError("an endless reply needs something to repeat")


def page(html: str) -> Reply:
    """Answer with an HTML page."""
    return Reply(body=html.encode("utf-8", "replace"), content_type="text/html; charset=utf-8")


@dataclass(eq=False)
class Visit:
    """One request as it arrived, and what became of it. Times are those of ``time.monotonic``."""

    method: str
    path: str
    query: str
    headers: CIMultiDict[str] = field(repr=False)
    arrived_at: float
    status: int | None = None
    """None until the reply begins."""
    bytes_sent: int = 0
    """Bytes of the body."""
    finished: bool = False
    """Whether the whole reply was sent, as far as the server can see."""
    ended_at: float | None = None

    @property
    def range(self) -> str | None:
        """The ``Range`` header."""
        return self.headers.get("Range")


class Site(LoopbackServer):
    """Serves what a test tells it to, under the paths it says, and records every request."""

    def __init__(self, *, port: int = 0, tell: Callable[[str], None] | None = None) -> None:
        """Prepare a site without pages; every path is 404 until something is served there."""
        self._visits: Record[Visit] = Record()
        super().__init__(self._visits, port=port, tell=tell)
        self._replies: dict[str, Iterator[Reply]] = {}

    def serve(self, path: str, *replies: Reply) -> str:
        """Answer requests for a path with these replies in turn, the last one for ever.

        Returns:
            The whole address of the path, as it is once the site has started.
        """
        self._replies[path] = itertools.chain(replies, itertools.repeat(replies[-1]))
        return self.url + path

    def serve_folder(self, folder: Path) -> list[str]:
        """Serve every file of a folder under its name, and a page with a ``<video>`` for each medium.

        Returns:
            The paths of files and pages.
        """
        paths = []
        for file in sorted(path for path in folder.iterdir() if path.is_file()):
            paths.append(f"/{file.name}")
            self.serve(paths[-1], Reply(file=file))
            if _guessed_type(file).startswith(("audio/", "video/")):
                paths.append(f"/watch/{file.name}")
                self.serve(paths[-1], page(video_page(file.stem, f"/{file.name}")))
        return paths

    @property
    def requests(self) -> list[Visit]:
        """All requests so far, in the order of arrival."""
        return self._visits.items()

    def requests_of(self, path: str) -> list[Visit]:
        """All requests for one path so far, in the order of arrival."""
        return [visit for visit in self.requests if visit.path == path]

    def wait(self, enough: Callable[[list[Visit]], bool], timeout_s: float = PATIENCE_S) -> list[Visit]:
        """Block until the requests so far satisfy a condition; see ``Record.wait``."""
        return self._visits.wait(enough, timeout_s)

    async def until(self, enough: Callable[[list[Visit]], bool], timeout_s: float = PATIENCE_S) -> list[Visit]:
        """Wait as ``wait`` does, without blocking the event loop."""
        return await self._visits.until(enough, timeout_s)

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        """Record one request and answer it by the next reply of its path."""
        visit = Visit(
            request.method, request.path, request.query_string, CIMultiDict(request.headers), time.monotonic()
        )
        reply = next(self._replies.get(request.path, itertools.repeat(Reply(status=404))))
        self._visits.add(visit)
        try:
            if reply.gate is not None:
                await reply.gate.passed()
            await asyncio.sleep(reply.delay_s)
            if reply.strike is not None and not reply.strike_after:
                reply.strike()
            return await self._respond(request, reply, visit)
        finally:
            visit.ended_at = time.monotonic()
            self._visits.touch()
            self.tell(f"{visit.method} {visit.path} {visit.status} {visit.bytes_sent} bytes")

    async def _respond(self, request: web.BaseRequest, reply: Reply, visit: Visit) -> web.StreamResponse:
        """Send headers and body; a client that leaves ends the reply, and the record shows how far it came."""
        portion = _portion(request, reply)
        visit.status = portion.status
        response = web.StreamResponse(status=portion.status, headers=portion.headers)
        if reply.chunked or reply.endless:
            response.enable_chunked_encoding()
        else:
            response.content_length = len(portion.body)
        with contextlib.suppress(ConnectionResetError):
            await response.prepare(request)
            if request.method != "HEAD":
                await self._send(response, reply, portion.body, visit)
            visit.finished = await _ended(request, response, reply)
        return response

    async def _send(self, response: web.StreamResponse, reply: Reply, body: bytes, visit: Visit) -> None:
        """Send the body, at its speed, as far as it goes."""
        began_at = time.monotonic()
        for piece in _pieces(reply, body):
            due_at = began_at + (visit.bytes_sent + len(piece)) / (reply.bytes_per_s or math.inf)
            await asyncio.sleep(max(0.0, due_at - time.monotonic()))
            await response.write(piece)
            before, visit.bytes_sent = visit.bytes_sent, visit.bytes_sent + len(piece)
            self._visits.touch()
            if reply.strike is not None and before < reply.strike_after <= visit.bytes_sent:
                reply.strike()


async def _ended(request: web.BaseRequest, response: web.StreamResponse, reply: Reply) -> bool:
    """End a reply in its own way, and tell whether it was whole."""
    if reply.stall_after is not None:
        await asyncio.Event().wait()
    if reply.cut_after is not None:
        close_connection(request)
        return False
    await response.write_eof()
    return True


class _Portion(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes


def _portion(request: web.BaseRequest, reply: Reply) -> _Portion:
    """Decide what of the reply this request gets: all of it, or the range it asks for."""
    whole = reply.file.read_bytes() if reply.file else reply.body
    headers = {"Content-Type": reply.content_type or _guessed_type(reply.file or Path(request.path)), **reply.headers}
    if reply.redirect_to is not None:
        status = reply.status if 300 <= reply.status < 400 else 302
        return _Portion(status, headers | {"Location": reply.redirect_to}, whole)
    if not reply.ranges or reply.status != 200 or "Range" not in request.headers:
        return _Portion(reply.status, headers, whole)
    try:
        start, stop, _ = request.http_range.indices(len(whole))
    except ValueError:
        start = stop = len(whole)
    if start >= len(whole):
        return _Portion(416, headers | {"Content-Range": f"bytes */{len(whole)}"}, b"")
    return _Portion(206, headers | {"Content-Range": f"bytes {start}-{stop - 1}/{len(whole)}"}, whole[start:stop])


def _pieces(reply: Reply, body: bytes) -> Iterator[bytes]:
    """Cut the body, once or for ever, into what is written at a time, and end where the reply breaks off."""
    size = max(1, int(reply.bytes_per_s / _PIECES_PER_S)) if reply.bytes_per_s else _PIECE_BYTES
    left = min((limit for limit in (reply.cut_after, reply.stall_after) if limit is not None), default=sys.maxsize)
    for block in itertools.repeat(body) if reply.endless else (body,):
        for start in range(0, len(block), size):
            piece = block[start : start + size][:left]
            if not piece:
                return
            left -= len(piece)
            yield piece


def _guessed_type(name: Path) -> str:
    return _CONTENT_TYPES.get(name.suffix.lower(), "application/octet-stream")


def main() -> None:
    """Serve a folder by hand."""
    parser = argparse.ArgumentParser(description="Serve a folder as a video site would, and tell what is asked for.")
    parser.add_argument("--port", type=int, default=8090)
    parser.add_argument("--folder", type=Path, default=Path("examples"))
    options = parser.parse_args()
    site = Site(port=options.port, tell=functools.partial(print, flush=True))
    for path in site.serve_folder(options.folder):
        site.tell(path)
    run_by_hand(site)


if __name__ == "__main__":
    main()
