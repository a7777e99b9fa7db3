"""A small real server that plays WeCom's group robots: their rules, their refusals and their silences.

In asynchronous tests ``async with WeCom("team") as wecom``, in others ``with running(WeCom("team")) as wecom``;
by hand ``python -m tests.fakes.wecom --port 8091``, which prints what arrives.
"""

from __future__ import annotations

import argparse
import asyncio
import functools
import time
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from aiohttp import web

from tests.fakes.server import PATIENCE_S, Gate, LoopbackServer, Record, close_connection, run_by_hand, written
from tests.fakes.wecom_files import Upload, read_upload
from tests.fakes.wecom_rules import (
    BAD_MEDIA_ID,
    BAD_MEDIA_SIZE,
    BAD_MEDIA_TYPE,
    BAD_WEBHOOK,
    EMPTY_MEDIA,
    MEANINGS,
    OK,
    TOO_OFTEN,
    content_of,
    parse,
    part_of,
    verdict,
)

if TYPE_CHECKING:
    from collections.abc import Callable

SEND_PATH = "/cgi-bin/webhook/send"
UPLOAD_PATH = "/cgi-bin/webhook/upload_media"
WINDOW_S = 60.0


@dataclass(frozen=True)
class Fault:
    """What goes wrong with one arrival."""

    errcode: int | None = None
    """Refused with this code, whatever was sent."""
    status: int | None = None
    """Not accepted, and answered with this HTTP status and a body that is not JSON."""
    drop_before_answer: bool = False
    """Accepted and shown in the group, but the connection closes without an answer."""
    delay_s: float = 0.0
    """Decided at once, answered after this time."""
    hold: Gate | None = None
    """Decided at once, answered when the gate opens."""
    on_arrival: Callable[[], None] | None = None
    """Called when the message has been taken or refused, before the answer."""
    on_answered: Callable[[], None] | None = None
    """Called when the answer has been written."""


@dataclass(eq=False)
class Arrival:
    """One request as it arrived at a robot, and what became of it."""

    key: str
    raw: bytes = field(repr=False)
    body: Any
    """The parsed JSON; None if it is not JSON."""
    at: float
    """By the clock of the server."""
    overlapped: bool
    """Whether another request of the same robot was in flight at that moment."""
    errcode: int | None = None
    """The decision; 0 is shown in the group, None is a fault that hides it."""
    answered: bool = False
    """Whether the decision was sent back."""
    file: Upload | None = None
    """What is shown, if it is a file."""

    @property
    def content(self) -> str:
        """What readers see: the text, or the name of the file."""
        return self.file.name if self.file else content_of(self.body)


@dataclass
class Robot:
    """One group robot: what came to it, and what shall go wrong next."""

    arrivals: list[Arrival] = field(default_factory=list)
    faults: deque[Fault | None] = field(default_factory=deque)
    uploads: list[Upload] = field(default_factory=list)
    upload_faults: deque[Fault | None] = field(default_factory=deque)
    in_flight: int = 0

    def script(self, *faults: Fault | None) -> None:
        """Apply these to the next arrivals, one each in turn; None lets one pass."""
        self.faults.extend(faults)

    def script_uploads(self, *faults: Fault | None) -> None:
        """Apply these to the next uploads, one each in turn; None lets one pass."""
        self.upload_faults.extend(faults)

    def file(self, body: Any, now: float) -> Upload | None:
        """Find the uploaded file that a message shows; it is gone after three days."""
        media_id = part_of(body).get("media_id")
        return next((one for one in self.uploads if one.media_id == media_id and one.is_there(now)), None)

    @property
    def bodies(self) -> list[bytes]:
        """The raw bytes of every arrival, in order."""
        return [arrival.raw for arrival in self.arrivals]

    @property
    def accepted(self) -> list[Arrival]:
        """What the group sees, in order."""
        return [arrival for arrival in self.arrivals if arrival.errcode == OK]

    @property
    def contents(self) -> list[str]:
        """The texts that the group sees, in order."""
        return [arrival.content for arrival in self.accepted]

    @property
    def overlaps(self) -> int:
        """How many arrivals came while another was in flight; a well-behaved sender leaves it 0."""
        return sum(arrival.overlapped for arrival in self.arrivals)


class WeCom(LoopbackServer):
    """Accepts and refuses messages by the documented rules, and records every request."""

    def __init__(
        self,
        *keys: str,
        per_minute: int | None = 20,
        port: int = 0,
        clock: Callable[[], float] = time.monotonic,
        tell: Callable[[str], None] | None = None,
    ) -> None:
        """Prepare robots.

        Args:
            keys: the keys that exist; more may be added to ``keys`` or taken away while it runs. None: every key does.
            per_minute: messages a robot takes in any 60 s; None takes any number.
            port: 0 takes a free one.
            clock: seconds for the rate, monotonic.
            tell: called with a line for each arrival.
        """
        self._arrivals: Record[Arrival] = Record()
        super().__init__(self._arrivals, port=port, tell=tell)
        self.keys = set(keys)
        self._takes_any_key = not keys
        self._per_minute = per_minute
        self._clock = clock
        self.fault_of: Callable[[Arrival], Fault | None] = lambda _: None
        """Chooses the fault of every arrival for which nothing is scripted."""
        self._robots: dict[str, Robot] = {}

    def webhook(self, key: str) -> str:
        """Return the address of a robot, as the configuration takes it."""
        return f"{self.url}{SEND_PATH}?key={key}"

    def robot(self, key: str) -> Robot:
        """Return the robot of this key; it keeps its record even while the key does not exist."""
        return self._robots.setdefault(key, Robot())

    @property
    def arrivals(self) -> list[Arrival]:
        """Everything that arrived at any robot, in order."""
        return self._arrivals.items()

    def wait(self, enough: Callable[[list[Arrival]], bool], timeout_s: float = PATIENCE_S) -> list[Arrival]:
        """Block until the arrivals so far satisfy a condition; see ``Record.wait``."""
        return self._arrivals.wait(enough, timeout_s)

    async def until(self, enough: Callable[[list[Arrival]], bool], timeout_s: float = PATIENCE_S) -> list[Arrival]:
        """Wait as ``wait`` does, without blocking the event loop."""
        return await self._arrivals.until(enough, timeout_s)

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        """Take one message or one file."""
        take = {SEND_PATH: self._take_message, UPLOAD_PATH: self._take_file}.get(request.path)
        if request.method != "POST" or take is None:
            return web.Response(status=404)
        key = request.query.get("key", "")
        try:
            return await take(request, key, self.robot(key))
        finally:
            self._arrivals.touch()

    # -- messages ------------------------------------------------------------------------------

    async def _take_message(self, request: web.BaseRequest, key: str, robot: Robot) -> web.StreamResponse:
        overlapped = robot.in_flight > 0
        robot.in_flight += 1
        try:
            raw = await request.read()
            arrival = Arrival(key, raw, parse(raw), self._clock(), overlapped)
            arrival.file = robot.file(arrival.body, arrival.at)
            fault = (robot.faults.popleft() if robot.faults else self.fault_of(arrival)) or Fault()
            arrival.errcode = self._decide(robot, arrival, fault)
            robot.arrivals.append(arrival)
            self._arrivals.add(arrival)
            self.tell(f"{key} errcode {arrival.errcode}\n{arrival.content}\n")
            answer = await self._answer(request, arrival.errcode, fault)
            arrival.answered = answer is not None
            return answer or web.Response()
        finally:
            robot.in_flight -= 1

    def _decide(self, robot: Robot, arrival: Arrival, fault: Fault) -> int | None:
        """Choose the code of an arrival, in the order in which the real one checks."""
        if fault.status is not None:
            return None
        if fault.errcode is not None:
            return fault.errcode
        if not self._exists(arrival.key):
            return BAD_WEBHOOK
        if self._too_often(robot, arrival.at):
            return TOO_OFTEN
        if isinstance(arrival.body, dict) and arrival.body.get("msgtype") == "file":
            return OK if arrival.file else BAD_MEDIA_ID
        return verdict(arrival.body)

    def _exists(self, key: str) -> bool:
        return self._takes_any_key or key in self.keys

    def _too_often(self, robot: Robot, now: float) -> bool:
        """Tell whether the window is full; what was refused for the rate does not fill it."""
        if self._per_minute is None:
            return False
        recent = [past for past in robot.arrivals if now - past.at < WINDOW_S and past.errcode not in (None, TOO_OFTEN)]
        return len(recent) >= self._per_minute

    # -- files ---------------------------------------------------------------------------------

    async def _take_file(self, request: web.BaseRequest, key: str, robot: Robot) -> web.StreamResponse:
        upload = await read_upload(request, self._clock())
        fault = (robot.upload_faults.popleft() if robot.upload_faults else None) or Fault()
        upload.errcode = self._decide_upload(request, key, upload, fault)
        if upload.errcode == OK:
            upload.media_id = f"{key}-{len(robot.uploads) + 1}"
        robot.uploads.append(upload)
        self.tell(f"{key} errcode {upload.errcode}, a file of {len(upload.content)} bytes: {upload.name}\n")
        more = (
            {"type": "file", "media_id": upload.media_id, "created_at": str(int(upload.at))} if upload.media_id else {}
        )
        return await self._answer(request, upload.errcode, fault, **more) or web.Response()

    def _decide_upload(self, request: web.BaseRequest, key: str, upload: Upload, fault: Fault) -> int | None:
        if fault.status is not None:
            return None
        if fault.errcode is not None:
            return fault.errcode
        if not self._exists(key):
            return BAD_WEBHOOK
        if request.query.get("type") != "file":
            return BAD_MEDIA_TYPE
        if not upload.name:
            return EMPTY_MEDIA
        return OK if upload.has_a_size_that_is_taken else BAD_MEDIA_SIZE

    # -- answers -------------------------------------------------------------------------------

    async def _answer(
        self, request: web.BaseRequest, errcode: int | None, fault: Fault, **more: str
    ) -> web.StreamResponse | None:
        """Say what was decided, when the fault lets it be said; None: the connection is closed instead."""
        if fault.on_arrival is not None:
            fault.on_arrival()
        if fault.hold is not None:
            await fault.hold.passed()
        await asyncio.sleep(fault.delay_s)
        if fault.drop_before_answer:
            close_connection(request)
            return None
        answer = web.json_response({"errcode": errcode, "errmsg": MEANINGS.get(errcode, "error"), **more})
        if errcode is None:
            answer = web.Response(status=fault.status or 200, text="<html>not today</html>", content_type="text/html")
        if fault.on_answered is not None:
            await written(request, answer)
            fault.on_answered()
        return answer


def main() -> None:
    """Take messages by hand."""
    parser = argparse.ArgumentParser(description="Take group robot messages of any key, and print them.")
    parser.add_argument("--port", type=int, default=8091)
    options = parser.parse_args()
    wecom = WeCom(port=options.port, tell=functools.partial(print, flush=True))
    wecom.tell(f"{SEND_PATH}?key=ANY")
    run_by_hand(wecom)


if __name__ == "__main__":
    main()
