"""How text stages ask an LLM: side by side, in halves where one is too long, more strictly where one went wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Generic, Protocol, TypeVar

from pipeline.core.task import TaskWarning
from pipeline.llm_failures import LlmFailed
from pipeline.ports import (
    Answer,
    Question,
    Reply,
    StageContext,
    TooLong,
    Unanswered,
)

MOST_HALVINGS = 3
"""A matter that is too long is cut in halves so often, then it is given up."""

Matter = TypeVar("Matter")
Product = TypeVar("Product")
Product_co = TypeVar("Product_co", covariant=True)


class Unusable(Exception):
    """An answer cannot be used; the text says why, for the log."""


class Work(Protocol[Matter, Product_co]):
    """What is asked about each matter, and what is made of the answer."""

    def question(self, matter: Matter, *, strict: bool) -> Question:
        """Ask about a matter; ``strict`` after an answer that could not be used."""
        ...

    def accept(self, matter: Matter, answer: str) -> Product_co:
        """Make the product of an answer.

        Raises:
            Unusable: it is not worth it.
        """
        ...

    def halves(self, matter: Matter) -> tuple[Matter, ...]:
        """Cut a matter in two; none where it is one thing."""
        ...


@dataclass(frozen=True, slots=True)
class Settled(Generic[Matter, Product]):
    """What became of a matter."""

    matter: Matter
    product: Product | None = None
    """None: no answer could be used."""
    model: str = ""
    error: LlmFailed | None = None
    """Why nobody answered."""


@dataclass(frozen=True, slots=True)
class _Job(Generic[Matter]):
    matter: Matter
    halvings: int = 0
    strict: bool = False


def ask_about(
    ctx: StageContext, matters: Sequence[Matter], work: Work[Matter, Product], report: Callable[[float], None]
) -> list[Settled[Matter, Product]]:
    """Ask about every matter until it has a product or is given up; ``report`` is told the done share.

    Returns:
        What became of each, in order. A matter that was too long stands there in parts.
    """
    meter = _Meter(report)
    return [each for settled in _ask(ctx, [_Job(matter) for matter in matters], work, meter) for each in settled]


def _ask(
    ctx: StageContext, jobs: Sequence[_Job[Matter]], work: Work[Matter, Product], meter: _Meter
) -> list[list[Settled[Matter, Product]]]:
    """Ask one round, then the next about what has to be asked again; one list for each job."""
    if not jobs:
        return []
    meter.known += len(jobs)
    replies = ctx.ask_llm([work.question(job.matter, strict=job.strict) for job in jobs], meter.count)
    judged = [_judge(ctx, job, reply, work) for job, reply in zip(jobs, replies, strict=True)]
    again = [job for next_jobs in judged if isinstance(next_jobs, tuple) for job in next_jobs]
    later = iter(_ask(ctx, again, work, meter))
    return [
        [each] if isinstance(each, Settled) else [settled for _ in each for settled in next(later)] for each in judged
    ]


def _judge(
    ctx: StageContext, job: _Job[Matter], reply: Reply, work: Work[Matter, Product]
) -> Settled[Matter, Product] | tuple[_Job[Matter], ...]:
    """Settle a matter, or say how to ask about it again."""
    match reply:
        case Unanswered(error=error):
            return Settled(job.matter, error=error)
        case TooLong():
            halves = work.halves(job.matter) if job.halvings < MOST_HALVINGS else ()
            return tuple(_Job(half, job.halvings + 1, job.strict) for half in halves) or Settled(job.matter)
        case Answer(text=text, model=model):
            try:
                return Settled(job.matter, work.accept(job.matter, text), model)
            except Unusable as why:
                ctx.log.warning("an answer of the LLM is not used", model=model, why=str(why), strict=job.strict)
            return Settled(job.matter) if job.strict else (replace(job, strict=True),)


class _Meter:
    """Counts replies; its share never falls, although questions are added on the way."""

    def __init__(self, report: Callable[[float], None]) -> None:
        self._report = report
        self.known = 0
        self._came = 0
        self._share = 0.0

    def count(self) -> None:
        self._came += 1
        self._share = max(self._share, self._came / self.known)
        self._report(self._share)


def warnings_of(settled: Iterable[Settled[Matter, Product]]) -> tuple[TaskWarning, ...]:
    """Say what kept an LLM from answering, each kind once."""
    kinds = dict.fromkeys(type(each.error) for each in settled if each.error is not None)
    return tuple(TaskWarning(kind.type, *kind.advice()) for kind in kinds)
