"""Summarize: from a text to what it says, in a few lines."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.core.head import OFFLINE
from pipeline.core.products import Artifacts, Summary
from pipeline.core.task import Lane, LayerState, Stage, TaskWarning
from pipeline.core.text import count_characters
from pipeline.failures import InternalFailure
from pipeline.ports import Made, Question, StageContext
from stages import _extract, _prompts
from stages._asking import Settled, ask_about, warnings_of
from stages._notes import check_echo, checked_notes
from stages._script import to_script

NONE = Summary("", by="")

FALLBACK = TaskWarning(
    "summary_fallback",
    "For what the LLM has not summarized, the summary quotes the text.",
    "大语言模型未能概括的部分，摘要以原文语句代替。",
)

PART_LINES = 6
"""Notes taken on one part of a long text."""
FEWEST_LINES, MOST_LINES = 3, 12
"""Lines of a summary; in between, the square root of the text's length in hundreds of characters."""
MOST_ROUNDS = 4
"""Notes are summed up in notes so often; each round leaves half at most, usually a tenth."""
ROUND = 0.8
"""Share of what is left to do that a round stands for in the progress."""


class Summarize:
    """Have an LLM sum up the whole text, or else quote the sentences that stand for it; a short text needs neither."""

    name = Stage.SUMMARIZE
    lane = Lane.TEXT
    makes = "summary"
    weight = 5.0

    def run(self, ctx: StageContext, artifacts: Artifacts) -> Made:
        """Make ``summary``, empty where nobody asked for it or the text is short."""
        if artifacts.proofread is None:
            raise InternalFailure("there is no text")
        if not ctx.task.options.summarize:
            return Made(NONE)
        text = artifacts.proofread.text
        if count_characters(text) < max(1, ctx.settings.llm.min_summary_chars):
            return Made(NONE, layer=("summary", LayerState.SKIPPED_SHORT))
        if not ctx.settings.llm.base_url:
            return Made(_quoted(text), layer=("summary", LayerState.DONE))
        return _MapReduce(ctx, artifacts).summarize(text)


def _quoted(text: str) -> Summary:
    return Summary(_extract.summarize(text), by=OFFLINE)


# ---------------------------------------------------------------------------------------------
# With an LLM
# ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Part:
    """Some paragraphs of a text, or notes on it."""

    lines: tuple[str, ...]

    @property
    def text(self) -> str:
        """All of it."""
        return "\n".join(self.lines)

    def halves(self) -> tuple[Part, ...]:
        """Cut it in two, nothing if it is one line."""
        middle = len(self.lines) // 2
        return (Part(self.lines[:middle]), Part(self.lines[middle:])) if middle else ()


def _in_parts(lines: Sequence[str], characters: int) -> list[Part]:
    """Put lines together while they have so many characters at most."""
    parts: list[list[str]] = []
    room = 0
    for line in lines:
        if room < len(line):
            parts.append([])
            room = characters
        parts[-1].append(line)
        room -= len(line)
    return [Part(tuple(part)) for part in parts]


@dataclass(frozen=True, slots=True)
class _Summing:
    """Asks about parts and checks what comes back (see ``_asking.Work``)."""

    ctx: StageContext
    known: Artifacts
    lines: int
    whole: bool

    def question(self, matter: Part, *, strict: bool) -> Question:
        return _prompts.summarize(
            self.ctx.task,
            self.known,
            matter.text,
            lines=self.lines,
            whole=self.whole,
            glossary=self.ctx.settings.llm.glossary,
            strict=strict,
        )

    def accept(self, matter: Part, answer: str) -> str:
        check_echo(answer, self.question(matter, strict=True).system)
        language = self.known.transcript.language if self.known.transcript else ""
        text = to_script(_prompts.answer_in(answer), self.ctx.task.options.script, language)
        return checked_notes(matter.text, text)

    def halves(self, matter: Part) -> tuple[Part, ...]:
        return matter.halves()


class _MapReduce:
    """Takes notes on every part of a text and sums the notes up: however long the text is, all of it is read."""

    def __init__(self, ctx: StageContext, known: Artifacts) -> None:
        self._ctx = ctx
        self._known = known
        self._settled: list[Settled[Part, str]] = []
        self._done = 0.0

    def summarize(self, text: str) -> Made:
        """Make the summary; where no answer can be used, for a part or at the end, the text is quoted."""
        lines = [line for line in text.splitlines() if line.strip()]
        for _ in range(MOST_ROUNDS):
            parts = _in_parts(lines, self._ctx.settings.llm.chunk_chars)
            if len(parts) == 1:
                break
            notes = self._ask(parts, PART_LINES, whole=False)
            if notes is None:
                return self._failed(text)
            lines = notes.splitlines()
        wanted = round(math.sqrt(count_characters(text) / 100))
        summary = self._ask([Part(tuple(lines))], max(FEWEST_LINES, min(MOST_LINES, wanted)), whole=True)
        return self._failed(text) if summary is None else self._made(summary)

    def _ask(self, parts: Sequence[Part], lines: int, *, whole: bool) -> str | None:
        """Ask about parts; returns notes on all of them, quoted where there is no other; None: there is none at all."""
        done, left = self._done, 1 - self._done
        summing = _Summing(self._ctx, self._known, lines, whole)
        settled = ask_about(self._ctx, parts, summing, lambda share: self._ctx.report(done + ROUND * left * share))
        self._done += ROUND * left
        self._settled += settled
        if all(each.product is None for each in settled):
            return None
        return "\n".join(each.product or _extract.summarize(each.matter.text) for each in settled)

    def _failed(self, text: str) -> Made:
        warnings = (*warnings_of(self._settled), FALLBACK)
        return Made(_quoted(text), layer=("summary", LayerState.FAILED), warnings=warnings)

    def _made(self, text: str) -> Made:
        models = dict.fromkeys(each.model for each in self._settled if each.product)
        summary = Summary(text, by=", ".join(models))
        if all(each.product for each in self._settled):
            return Made(summary, layer=("summary", LayerState.DONE))
        warnings = (*warnings_of(self._settled), FALLBACK)
        return Made(summary, layer=("summary", LayerState.PARTIAL), warnings=warnings)
