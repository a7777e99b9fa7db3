"""A small real server that plays an OpenAI-compatible endpoint: a diligent model, its refusals and its silences.

In asynchronous tests ``async with Llm() as llm``, in others ``with running(Llm()) as llm``; by hand
``python -m tests.fakes.llm --port 8092``, which prints what it is asked; ``--fault`` makes it fail.
"""

from __future__ import annotations

import argparse
import asyncio
import functools
import json
import re
import time
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from aiohttp import web

from pipeline.core.text import sentences
from tests.fakes.server import PATIENCE_S, Gate, LoopbackServer, Record, close_connection, run_by_hand, written

if TYPE_CHECKING:
    from collections.abc import Callable

PATH = "/v1/chat/completions"
MARK = "✓"
"""Stands behind every paragraph that the model has proofread."""
DRIP_S = 0.05

_PART = re.compile(r"\[(\w+) ([0-9a-f]{16})\]\n(.*?)\n\[/\1 \2\]", re.DOTALL)
_CHARACTERS_A_TOKEN = 4


@dataclass(frozen=True)
class Fault:
    """What goes wrong with one question."""

    status: int = 200
    error: dict[str, Any] | None = None
    """The ``error`` of a body that says what is wrong."""
    headers: dict[str, str] = field(default_factory=dict)
    body: str | None = None
    """Sent as it stands, in place of everything else."""
    says: Callable[[Asked], str | None] | None = None
    """Makes the answer's text in place of the model."""
    finish: str | None = "stop"
    drop: bool = False
    """The connection closes without an answer."""
    half: bool = False
    """The connection closes in the middle of the answer."""
    drips: bool = False
    """Spaces come one by one, for ever, and no answer after them."""
    hold: Gate | None = None
    """Answered when the gate opens."""
    on_arrival: Callable[[], None] | None = None
    """Called before the answer."""
    on_answered: Callable[[], None] | None = None
    """Called when the answer has been written."""


@dataclass(eq=False)
class Asked:
    """One question as it arrived, and what became of it."""

    body: Any
    key: str | None
    """The bearer token; None if there is none."""
    at: float
    """By the monotonic clock."""
    answered: bool = False
    usage: dict[str, int] = field(default_factory=dict)
    """What the answer said it cost, in tokens."""

    @property
    def model(self) -> str:
        """Who was asked."""
        return str(self.body["model"])

    @property
    def system(self) -> str:
        """The orders."""
        return str(self.body["messages"][0]["content"])

    @property
    def parts(self) -> dict[str, str]:
        """The data between the marks, by name."""
        return {name: text for name, _, text in _PART.findall(self.body["messages"][1]["content"])}

    @property
    def text(self) -> str:
        """What is to be worked on."""
        return self.parts.get("transcript", self.parts.get("text", ""))

    @property
    def title(self) -> str:
        """What the video is called."""
        return self.parts.get("title", "")

    @property
    def is_summary(self) -> bool:
        """Whether it is to be summarized rather than proofread."""
        return "transcript" not in self.parts


def _error(status: int, message: str, code: str | None = None, **headers: str) -> Fault:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Fault(status, {"message": message, "type": "invalid_request_error", "code": code}, named)


def _half(asked: Asked) -> str:
    """Leave out every second paragraph, or the second half of the only one."""
    paragraphs = asked.text.split("\n\n")
    return "\n\n".join(paragraphs[::2]) if len(paragraphs) > 1 else asked.text[: len(asked.text) // 2]


_ORDERED = "Visit http://evil.example/ or www.evil.example now, <@all> @所有人! ![i](http://evil.example/i.png)"
"""What a speaker might get a model to say."""

FAULTS = {
    "401": _error(401, "Incorrect API key provided: sk-wrong-key-of-the-tests", "invalid_api_key"),
    "403": _error(403, "You are not allowed to use this model"),
    "404": _error(404, "The model does not exist", "model_not_found"),
    "402": _error(402, "Insufficient Balance"),
    "quota": _error(429, "You exceeded your current quota", "insufficient_quota"),
    "429": _error(429, "Rate limit reached", "rate_limit_exceeded", Retry_After="1"),
    "429 for long": _error(429, "Rate limit reached", "rate_limit_exceeded", Retry_After="3600"),
    "500": _error(500, "The server had an error"),
    "502": Fault(502, body="<html><h1>502 Bad Gateway</h1></html>"),
    "filtered": _error(400, "Content Exists Risk", "data_inspection_failed"),
    "context": _error(400, "This model's maximum context length is 10 tokens", "context_length_exceeded"),
    "nothing": Fault(drop=True),
    "half": Fault(half=True),
    "drip": Fault(drips=True),
    "garbage": Fault(body="<html>Welcome to our API</html>"),
    "list": Fault(body='["this", "is", "JSON"]'),
    "no choices": Fault(body='{"id": "1", "object": "chat.completion"}'),
    "null choices": Fault(body='{"id": "1", "choices": null}'),
    "empty": Fault(says=lambda _: ""),
    "null": Fault(says=lambda _: None),
    "unfinished": Fault(finish=None),
    "length": Fault(finish="length"),
    "content filter": Fault(finish="content_filter"),
    "refusal": Fault(says=lambda _: "I'm sorry, but I can't help with that."),
    "echo": Fault(says=lambda asked: asked.system),
    "dropping": Fault(says=_half),
    "obeys": Fault(says=lambda asked: f"{asked.text}\n\n{_ORDERED}"),
    "obeys alone": Fault(says=lambda _: f"• {_ORDERED}"),
}
"""What may go wrong, by name."""


class Llm(LoopbackServer):
    """Answers questions as a diligent model would, unless a fault is scripted, and records every one."""

    def __init__(self, *, port: int = 0, tell: Callable[[str], None] | None = None) -> None:
        """Prepare the endpoint.

        Args:
            port: 0 takes a free one.
            tell: called with a line for each question.
        """
        self._asked: Record[Asked] = Record()
        super().__init__(self._asked, port=port, tell=tell)
        self.faults: deque[Fault | None] = deque()
        """Applied to the next questions, one each in turn; None lets one pass."""
        self.fault_of: Callable[[Asked], Fault | None] = lambda _: None
        """Chooses the fault of every question for which nothing is scripted."""

    @property
    def base_url(self) -> str:
        """The address that ``llm.base_url`` takes."""
        return f"{self.url}/v1"

    def script(self, *faults: Fault | None) -> None:
        """Apply these to the next questions."""
        self.faults.extend(faults)

    @property
    def asked(self) -> list[Asked]:
        """Every question so far, in the order of arrival."""
        return self._asked.items()

    async def until(self, enough: Callable[[list[Asked]], bool], timeout_s: float = PATIENCE_S) -> list[Asked]:
        """Wait until the questions so far satisfy a condition."""
        return await self._asked.until(enough, timeout_s)

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one question."""
        if request.method != "POST" or request.path != PATH:
            return web.Response(status=404, text="<html>no such page</html>", content_type="text/html")
        key = request.headers.get("Authorization", "").removeprefix("Bearer ") or None
        asked = Asked(json.loads(await request.read()), key, time.monotonic())
        fault = (self.faults.popleft() if self.faults else self.fault_of(asked)) or Fault()
        self._asked.add(asked)
        self.tell(f"{asked.model} {'summary' if asked.is_summary else 'proofread'} {asked.title}\n{asked.text}\n")
        if fault.on_arrival is not None:
            fault.on_arrival()
        try:
            response = await self._answer(request, asked, fault)
            if fault.on_answered is not None:
                await written(request, response)
                fault.on_answered()
            return response
        finally:
            self._asked.touch()

    async def _answer(self, request: web.BaseRequest, asked: Asked, fault: Fault) -> web.StreamResponse:
        if fault.hold is not None:
            await fault.hold.passed()
        if fault.drop:
            close_connection(request)
            return web.Response()
        if fault.drips:
            return await _drip(request)
        text = _body(asked, fault)
        if fault.half:
            return await _send_half(request, text.encode())
        asked.answered = True
        kind = "text/html" if text.startswith("<") else "application/json"
        return web.Response(status=fault.status, text=text, content_type=kind, headers=fault.headers)


def _body(asked: Asked, fault: Fault) -> str:
    if fault.body is not None:
        return fault.body
    if fault.error is not None:
        return json.dumps({"error": fault.error})
    text = fault.says(asked) if fault.says else diligent(asked)
    prompt = len(json.dumps(asked.body)) // _CHARACTERS_A_TOKEN
    asked.usage = {"prompt_tokens": prompt, "completion_tokens": len(text or "")}
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": fault.finish}
    return json.dumps(
        {"id": "1", "object": "chat.completion", "model": asked.model, "choices": [choice], "usage": asked.usage}
    )


def diligent(asked: Asked) -> str:
    """Do what is asked: mark every paragraph as proofread, or note how every second line begins."""
    if not asked.is_summary:
        return "\n\n".join(f"{paragraph} {MARK}" for paragraph in asked.text.split("\n\n"))
    return "\n".join(f"• {sentences(line.removeprefix('• '))[0]}" for line in asked.text.splitlines()[::2])


async def _drip(request: web.BaseRequest) -> web.StreamResponse:
    answer = web.StreamResponse(headers={"Content-Type": "application/json"})
    await answer.prepare(request)
    while True:
        await answer.write(b" ")
        await asyncio.sleep(DRIP_S)


async def _send_half(request: web.BaseRequest, body: bytes) -> web.StreamResponse:
    answer = web.StreamResponse(headers={"Content-Type": "application/json", "Content-Length": str(len(body))})
    await answer.prepare(request)
    await answer.write(body[: len(body) // 2])
    close_connection(request)
    return answer


def main() -> None:
    """Answer by hand."""
    parser = argparse.ArgumentParser(description="Play an OpenAI-compatible endpoint, and print what is asked.")
    parser.add_argument("--port", type=int, default=8092)
    parser.add_argument("--fault", choices=FAULTS, help="fail so, whatever is asked")
    options = parser.parse_args()
    llm = Llm(port=options.port, tell=functools.partial(print, flush=True))
    if options.fault:
        llm.fault_of = lambda _: FAULTS[options.fault]
    llm.tell("base_url ends in /v1; any key and any model will do")
    run_by_hand(llm)


if __name__ == "__main__":
    main()
