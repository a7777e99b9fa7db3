"""Proofread: from segments to readable paragraphs in one script."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from pipeline.core.head import OFFLINE
from pipeline.core.products import Artifacts, CleanText, Paragraph
from pipeline.core.task import Lane, LayerState, Stage, TaskWarning
from pipeline.core.transcript import Segment
from pipeline.failures import InternalFailure
from pipeline.ports import Made, Question, StageContext
from stages import _offline, _prompts
from stages._asking import Settled, ask_about, warnings_of
from stages._chunks import Chunk, Spoken, in_chunks
from stages._guard import Alignment
from stages._script import to_script
from stages._words import words

FALLBACK = TaskWarning(
    "proofread_fallback",
    "Where the LLM has not proofread the text, punctuation and paragraphs follow the pauses only.",
    "未经大语言模型校对的部分，其标点与分段由停顿推定。",
)


class Proofread:
    """Make the script uniform, set punctuation and paragraphs by the pauses, then let an LLM correct the text."""

    name = Stage.PROOFREAD
    lane = Lane.TEXT
    makes = "proofread"
    weight = 8.0

    def run(self, ctx: StageContext, artifacts: Artifacts) -> Made:
        """Make ``proofread``; where nobody asked for it, the segments as they are, one a paragraph."""
        transcript = artifacts.transcript
        if transcript is None:
            raise InternalFailure("there is no transcript")
        options = ctx.task.options
        segments = [
            replace(segment, text=to_script(segment.text, options.script, transcript.language))
            for segment in ctx.segments()
        ]
        if not options.proofread:
            return Made(CleanText(_as_heard(segments), by=""))
        if not ctx.settings.llm.base_url:
            return _offline_only(_offline.clean(segments, transcript.language))
        paragraphs = _offline.paragraphs_of_pieces(segments, transcript.language)
        chunks = in_chunks(paragraphs, ctx.settings.llm.chunk_chars)
        if not any(words(chunk.text) for chunk in chunks):
            return _offline_only(tuple(map(_offline.paragraph, paragraphs)))
        settled = ask_about(ctx, chunks, _Correcting(ctx, artifacts, transcript.language), ctx.report)
        return _put_together(settled)


def _as_heard(segments: Sequence[Segment]) -> tuple[Paragraph, ...]:
    return tuple(
        Paragraph(segment.start, segment.end, segment.text.strip()) for segment in segments if segment.text.strip()
    )


def _offline_only(paragraphs: tuple[Paragraph, ...]) -> Made:
    state = LayerState.DONE if paragraphs else LayerState.SKIPPED_SHORT
    return Made(CleanText(paragraphs, by=OFFLINE), layer=("proofread", state))


# ---------------------------------------------------------------------------------------------
# With an LLM
# ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Correcting:
    """Asks about chunks and checks what comes back (see ``_asking.Work``)."""

    ctx: StageContext
    known: Artifacts
    language: str

    def question(self, matter: Chunk, *, strict: bool) -> Question:
        return _prompts.proofread(
            self.ctx.task,
            self.known,
            matter.text,
            language=self.language,
            glossary=self.ctx.settings.llm.glossary,
            strict=strict,
        )

    def accept(self, matter: Chunk, answer: str) -> tuple[Paragraph, ...]:
        text = to_script(_prompts.answer_in(answer), self.ctx.task.options.script, self.language)
        lines = [line.strip() for line in text.splitlines() if words(line)]
        spoken = matter.spoken()
        alignment = Alignment([each.word for each in spoken], [word for line in lines for word in words(line)])
        alignment.check()
        return tuple(_with_times(lines, spoken, alignment))

    def halves(self, matter: Chunk) -> tuple[Chunk, ...]:
        return matter.halves()


def _with_times(lines: Sequence[str], spoken: Sequence[Spoken], alignment: Alignment) -> Iterator[Paragraph]:
    """Give each line of an answer the time of the words it was made of; together they have the chunk's whole time."""
    begin = place = 0
    for number, line in enumerate(lines, start=1):
        place += len(words(line))
        end = len(spoken) if number == len(lines) else alignment.source_place(place)
        first = min(begin, len(spoken) - 1)
        yield Paragraph(spoken[first].start, spoken[max(first, end - 1)].end, line)
        begin = end


def _put_together(settled: Sequence[Settled[Chunk, tuple[Paragraph, ...]]]) -> Made:
    """Join what came of all chunks; one without a usable answer stays as the offline stage made it."""
    paragraphs = tuple(
        paragraph
        for each in settled
        for paragraph in (each.matter.paragraphs if each.product is None else each.product)
    )
    models = dict.fromkeys(each.model for each in settled if each.product is not None)
    text = CleanText(paragraphs, by=", ".join(models) or OFFLINE)
    kept = sum(len(each.matter.text) for each in settled if each.product is None)
    if not kept:
        return Made(text, layer=("proofread", LayerState.DONE))
    share = kept / sum(len(each.matter.text) for each in settled)
    state = LayerState.PARTIAL if models else LayerState.FAILED
    return Made(text, layer=("proofread", state), warnings=(*warnings_of(settled), _fallback(share)))


def _fallback(share: float) -> TaskWarning:
    percent = max(1, round(100 * share))
    return replace(
        FALLBACK,
        message=f"{FALLBACK.message} That is {percent} % of it.",
        message_zh=f"{FALLBACK.message_zh}这部分占全文的 {percent}%。",
    )
