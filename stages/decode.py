"""Decode: from any media file to plain samples."""

from __future__ import annotations

from typing import Any

from pipeline.core.products import Artifacts
from pipeline.core.task import Lane, Stage
from pipeline.ports import Made, StageContext
from stages._sound import decode

MOST_S = 90.0
"""A longer recording is only tried so far here, and decoded while it is heard: its first words need not wait for the
rest of it."""


class Decode:
    """Turn a short recording into samples, and see that a long one can be."""

    name = Stage.DECODE
    lane = Lane.FETCH
    makes = "audio"
    weight = 5.0

    def run(self, ctx: StageContext, artifacts: Artifacts) -> Made:
        """Make ``audio``."""
        # There is nothing to continue from, so it may finish.
        return Made(decode(ctx, artifacts, lambda line: _report(ctx, line), most_s=MOST_S, may_finish=True))


def _report(ctx: StageContext, line: dict[str, Any]) -> None:
    done, total = line["done_s"], line["total_s"]
    ctx.report(min(1.0, done / min(total, MOST_S)) if total else 0.0, source_done_s=done, source_total_s=total)
