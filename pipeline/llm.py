"""Questions to an LLM: asked again while that may help and their time lasts, then put to the next model.

A model that fails five times in a row, or for a reason that stays, is left alone for a while.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import math
import random
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

import structlog

from pipeline.bridge import StopSignal
from pipeline.config import LlmSettings
from pipeline.core.breaker import CLOSED, Breaker
from pipeline.core.task import Usage
from pipeline.errors import Interrupted
from pipeline.llm_endpoint import Endpoint
from pipeline.llm_failures import LlmFailed, LlmRateLimited, LlmRefused, LlmUnavailable
from pipeline.ports import (
    Answer,
    Question,
    Reply,
    TooLong,
    Unanswered,
)
from pipeline.task_store import TaskStore

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 8.0
"""Before a question is asked again, where the endpoint does not say itself how long to wait."""
LONGEST_QUIET_S = 3600.0
"""An endpoint that wants to be left alone for longer is asked again all the same."""

log = structlog.get_logger()


@dataclass(slots=True)
class _Line:
    """What is known of one model: whether it answers, and why not."""

    model: str
    breaker: Breaker = CLOSED
    why: LlmFailed = field(default_factory=LlmUnavailable)
    """Its latest failure."""
    quiet_until: float = 0.0
    """Until then, by the loop's clock, the endpoint does not want to be asked."""
    probing: asyncio.Lock = field(default_factory=asyncio.Lock)


class Llm:
    """Asks questions; ``load`` it on a thread, then use it on the loop."""

    def __init__(self, settings: LlmSettings, clock: Callable[[], float] = time.monotonic) -> None:
        """Know the endpoint; nothing is sent yet.

        Args:
            settings: endpoint, models and limits.
            clock: seconds, monotonic, for when a failing model is tried again.
        """
        self._settings = settings
        self._endpoint = Endpoint(settings)
        self._clock = clock
        self._lines: dict[str, _Line] = {}

    def load(self) -> None:
        """Make ready what takes long; never call it on the loop."""
        self._endpoint.load()

    async def close(self) -> None:
        """Close the connections."""
        await self._endpoint.close()

    @property
    def silent(self) -> dict[str, LlmFailed]:
        """Models that are left alone because they do not answer, and why."""
        return {line.model: line.why for line in self._lines.values() if line.breaker.open_until is not None}

    async def ask_all(
        self,
        task_id: str,
        questions: Sequence[Question],
        store: TaskStore,
        on_reply: Callable[[], None],
        stop: StopSignal,
        limit_s: float = math.inf,
    ) -> list[Reply]:
        """Ask several questions of one task, ``llm.parallel_chunks`` at a time.

        Args:
            task_id: whose questions they are; it pays for them.
            questions: each complete in itself.
            store: keeps every reply as it comes, and has those that came before a restart.
            on_reply: called as each reply comes.
            stop: once raised nothing more is asked; what was asked is paid for, so its answer is awaited and stored.
            limit_s: time for all of it; what has no answer by then has none.

        Returns:
            The replies in the order of the questions.

        Raises:
            Interrupted: ``stop`` was raised before everything was asked.
        """
        room = asyncio.Semaphore(self._settings.parallel_chunks)
        until = _now() + limit_s

        async def ask(question: Question) -> Reply | None:
            async with room:
                key = self._key(question)
                reply: Reply | None = await store.reply(task_id, key)
                if reply is None and stop.is_raised:
                    return None
                if reply is None:
                    reply = await self.ask(question, until)
                    await store.keep_reply(task_id, key, reply)
            on_reply()
            return reply

        asking = [asyncio.create_task(ask(question)) for question in questions]
        try:
            replies = await asyncio.gather(*asking)
        finally:
            for one in asking:
                one.cancel()
        answered = [reply for reply in replies if reply is not None]
        if len(answered) < len(replies):
            raise Interrupted
        return answered

    def _key(self, question: Question) -> str:
        """Name a question together with the models that are asked."""
        said = json.dumps([self._models(question), question.system, question.user])
        return hashlib.sha256(said.encode()).hexdigest()

    async def ask(self, question: Question, latest: float = math.inf) -> Reply:
        """Ask one model after the other until one answers; ``llm.timeout_s`` is the time for all of it.

        Args:
            question: what.
            latest: when there is no time left at all, by the loop's clock.
        """
        if _now() >= latest:
            return Unanswered(LlmUnavailable("the time for this video is over"))
        spent: list[Usage] = []
        failures: list[LlmFailed] = []
        until = 0.0
        for model in self._models(question):
            if until and _now() >= until:
                break
            line = self._lines.setdefault(model, _Line(model))
            try:
                async with self._admitted(line):
                    until = until or min(latest, _now() + self._settings.timeout_s)
                    reply = await self._ask_again(line, question, until, spent)
                    return replace(reply, usage=_sum(spent))
            except LlmFailed as error:
                failures.append(error)
        # The first model is the one that was chosen, so its failure is the one to tell of.
        return Unanswered(failures[0], usage=_sum(spent))

    def _models(self, question: Question) -> list[str]:
        settings = self._settings
        chosen = settings.proofread_model if question.purpose == "proofread" else settings.summary_model
        return list(dict.fromkeys([chosen or settings.model, *settings.fallback_models]))

    # -- whether a model is asked at all --------------------------------------------------------

    @asynccontextmanager
    async def _admitted(self, line: _Line) -> AsyncIterator[None]:
        """Let a question through to a model that answers, or as the one probe of a model that did not.

        Raises:
            LlmFailed: the model is left alone for now.
        """
        if line.breaker.probes(self._clock()):
            async with line.probing:
                if line.breaker.probes(self._clock()):
                    yield
                    return
        if line.breaker.blocks(self._clock()):
            raise type(line.why)(line.why.detail)
        yield

    def _note_success(self, line: _Line) -> None:
        if line.breaker.open_until is not None:
            log.info("the LLM answers again", model=line.model)
        line.breaker = CLOSED

    def _note_failure(self, line: _Line, error: LlmFailed) -> None:
        if isinstance(error, LlmRefused):  # a matter of this question, not of the model
            return
        now, was_open = self._clock(), line.breaker.open_until is not None
        line.breaker = line.breaker.opened(now) if error.lasts else line.breaker.failed(now)
        line.why = type(error)(error.detail)  # without its traceback, which would keep the question
        if line.breaker.open_until is not None and not was_open:
            log.error(
                "the LLM is left alone for a while; texts are made without it",
                model=line.model,
                error=error.type,
                why=error.detail,
                hint=error.hint(),
            )

    # -- asking one model -----------------------------------------------------------------------

    async def _ask_again(self, line: _Line, question: Question, until: float, spent: list[Usage]) -> Answer | TooLong:
        """Ask a model until it answers, while its failures may pass and there are retries and time left."""
        retries = 0
        while True:
            try:
                reply = await self._ask_once(line, question, until, spent)
            except LlmFailed as error:
                log.warning("the LLM failed", model=line.model, error=error.type, why=error.detail, retries=retries)
                if error.retry_after_s is not None:  # the wish concerns every question
                    line.quiet_until = _now() + min(LONGEST_QUIET_S, error.retry_after_s)
                if error.passes and retries < self._settings.max_retries and await _pause(error, retries, until):
                    retries += 1
                    continue
                self._note_failure(line, error)
                raise
            self._note_success(line)
            return reply

    async def _ask_once(self, line: _Line, question: Question, until: float, spent: list[Usage]) -> Answer | TooLong:
        if line.quiet_until >= until:
            left_s = line.quiet_until - _now()
            raise LlmRateLimited(f"{line.model}: it asks to come back in {left_s:.0f} s", retry_after_s=left_s)
        await asyncio.sleep(line.quiet_until - _now())
        return await self._endpoint.ask(line.model, question, until, spent)


async def _pause(error: LlmFailed, retries: int, until: float) -> bool:
    """Wait before a question is asked again; False, at once, if its time would be over by then."""
    backoff_s = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2**retries) * random.uniform(0.75, 1.0)  # noqa: S311 - jitter
    pause_s = backoff_s if error.retry_after_s is None else error.retry_after_s
    if _now() + pause_s >= until:
        return False
    await asyncio.sleep(pause_s)
    return True


def _now() -> float:
    """The loop's clock, by which deadlines go."""
    return asyncio.get_running_loop().time()


def _sum(spent: list[Usage]) -> Usage:
    return Usage(sum(one.prompt_tokens for one in spent), sum(one.completion_tokens for one in spent))
