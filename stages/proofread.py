"""Proofread: from segments to readable paragraphs in one script."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from pipeline.core.head import OFFLINE
from pipeline.core.task import Artifacts, CleanText, Lane, LayerState, Paragraph, Stage
from pipeline.core.transcript import Segment
from pipeline.errors import InternalFailure
from pipeline.ports import Made, StageContext
from stages import _offline
from stages._script import to_script


class Proofread:
    """Make the script uniform, then set punctuation and paragraphs by the pauses."""

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
        paragraphs = _offline.clean(segments, transcript.language)
        state = LayerState.DONE if paragraphs else LayerState.SKIPPED_SHORT
        return Made(CleanText(paragraphs, by=OFFLINE), layer=("proofread", state))


def _as_heard(segments: Sequence[Segment]) -> tuple[Paragraph, ...]:
    return tuple(
        Paragraph(segment.start, segment.end, segment.text.strip()) for segment in segments if segment.text.strip()
    )
