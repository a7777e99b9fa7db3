"""A house for the stages of the TEXT lane: a task, the settings, what was heard, and an LLM if there is one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import structlog

from pipeline.config import Settings
from pipeline.core.products import Artifacts, CleanText, MediaInfo, Paragraph, Summary, TranscriptInfo
from pipeline.core.task import Options, Source, Task
from pipeline.core.transcript import Segment
from pipeline.ports import (
    Answer,
    Made,
    OnSegments,
    Question,
    Recognition,
    Recognized,
    Reply,
)

URL = "https://example.com/watch?v=1"
TASK = Task("t1", "me", Source(URL, URL), Options(model="small"), created_at=0.0, updated_at=0.0)
HEARD = (Segment(0, 0.0, 1.0, " 後臺軟體"), Segment(1, 1.1, 2.0, "很好用 "), Segment(2, 5.0, 6.0, "再見"))
KNOWN = Artifacts(
    media=MediaInfo("Generic", "1", "标题", author="王老师"),
    transcript=TranscriptInfo("zh", "asr", "small", "cpu", duration_s=65.0, segment_count=3),
    proofread=CleanText((Paragraph(0.0, 2.0, "后台很好用。"),), by="offline"),
    summary=Summary("• 后台很好用。", by="offline"),
)


def asking(**options: Any) -> Task:
    """The task with other options."""
    return replace(TASK, options=replace(TASK.options, **options))


def texts(made: Made) -> list[str]:
    """The paragraphs that a stage made."""
    assert isinstance(made.product, CleanText)
    return [paragraph.text for paragraph in made.product.paragraphs]


@dataclass
class Context:
    """What a stage of the TEXT lane may use."""

    task: Task = TASK
    heard: tuple[Segment, ...] = HEARD
    settings: Settings = field(default_factory=Settings)
    llm: Callable[[Question], Reply | str] | None = None
    """Answers one question; text stands for an answer of the model ``m``."""
    work: Path = Path("work")
    log: Any = field(default_factory=structlog.get_logger)
    rounds: list[list[Question]] = field(default_factory=list)
    """What was asked, side by side and one after the other."""
    reports: list[float] = field(default_factory=list)

    def report(self, fraction: float, **_details: float | None) -> None:
        """Take note of any progress."""
        self.reports.append(fraction)

    def segments(self) -> tuple[Segment, ...]:
        """What was heard."""
        return self.heard

    def ask_llm(self, questions: Sequence[Question], on_reply: Callable[[], None] = lambda: None) -> list[Reply]:
        """Answer one question after the other."""
        assert self.llm is not None
        self.rounds.append(list(questions))
        replies = []
        for question in questions:
            reply = self.llm(question)
            replies.append(Answer(reply, "m") if isinstance(reply, str) else reply)
            on_reply()
        return replies

    def run_child(
        self,
        program: str,
        request: Mapping[str, object],
        on_line: Callable[[dict[str, Any]], None],
        *,
        timeout_s: float,
        stall_s: float | None = None,
    ) -> dict[str, Any]:
        """Refuse: no text stage has a child."""
        raise AssertionError(program, request, on_line, timeout_s, stall_s)

    def recognize(self, request: Recognition, on_segments: OnSegments) -> Recognized:
        """Refuse: no text stage listens."""
        raise AssertionError(request, on_segments)

    def checkpoint(self, segments: Sequence[Segment], language: str) -> None:
        """Refuse: no text stage hears anything new."""
        raise AssertionError(segments, language)
