"""Summarize: from a text to what it says, in a few lines."""

from __future__ import annotations

from pipeline.core.head import OFFLINE
from pipeline.core.task import Artifacts, Lane, LayerState, Stage, Summary
from pipeline.core.text import count_characters
from pipeline.errors import InternalFailure
from pipeline.ports import Made, StageContext
from stages._extract import summarize

NONE = Summary("", by="")


class Summarize:
    """Quote the sentences that stand for the whole text; a short text is its own summary."""

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
        return Made(Summary(summarize(text), by=OFFLINE), layer=("summary", LayerState.DONE))
