"""Something that asks a fake endpoint, as the text stages do."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from pipeline.config import LlmSettings
from pipeline.llm import Llm
from pipeline.ports import Question, Reply, Unanswered
from tests.fakes.llm import Llm as Endpoint

LASTING = {"401": "llm_auth", "403": "llm_auth", "402": "llm_quota", "quota": "llm_quota", "404": "llm_model"}


@dataclass
class Clock:
    """A clock that a test moves."""

    now: float = 0.0

    def __call__(self) -> float:
        """What time it is."""
        return self.now


@asynccontextmanager
async def asking(endpoint: Endpoint, clock: Clock | None = None, **settings: Any) -> AsyncIterator[Llm]:
    """Something that asks this endpoint's model ``m``, without retries unless they are wanted."""
    llm = Llm(_settings(endpoint, **settings), clock or Clock())
    await asyncio.to_thread(llm.load)
    try:
        yield llm
    finally:
        await llm.close()


def _settings(endpoint: Endpoint, **settings: Any) -> LlmSettings:
    return LlmSettings.model_validate({"base_url": endpoint.base_url, "model": "m", "max_retries": 0} | settings)


def question(text: str = "one", purpose: Any = "proofread") -> Question:
    """Ask about a text."""
    name = "transcript" if purpose == "proofread" else "text"
    fence = "0123456789abcdef"
    return Question(purpose, "orders", f"[{name} {fence}]\n{text}\n[/{name} {fence}]")


def kind(reply: Reply) -> str:
    """Why nobody answered."""
    assert isinstance(reply, Unanswered)
    return reply.error.type
