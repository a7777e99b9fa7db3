"""Decode: from any media file to plain samples."""

from __future__ import annotations

from typing import Any

from pipeline.core.task import Artifacts, Audio, Lane, Stage
from pipeline.errors import DecodeFailed, DownloadTruncated, MediaInvalid
from pipeline.ports import ChildDied, ChildTimeout, Made, StageContext
from stages._work import AUDIO_NAME

DECODE_TIMEOUT_S = 1800.0
"""A core decodes several hundred times faster than real time; this is for broken files that never end."""
DECODE_STALL_S = 120.0


class Decode:
    """Turn the first audio track into 16 kHz mono samples; a child touches the foreign bytes, nobody else."""

    name = Stage.DECODE
    lane = Lane.FETCH
    makes = "audio"
    weight = 5.0

    def run(self, ctx: StageContext, artifacts: Artifacts) -> Made:
        """Make ``audio``."""
        if artifacts.file is None:
            raise DecodeFailed("there is no file")
        media = ctx.work / artifacts.file.name
        request = {
            "media_path": str(media),
            "audio_path": str(ctx.work / AUDIO_NAME),
            "max_duration_s": ctx.settings.download.max_duration_s,
        }
        try:
            found = ctx.run_child(
                "stages._decode_child",
                request,
                lambda line: _report(ctx, line),
                timeout_s=DECODE_TIMEOUT_S,
                stall_s=DECODE_STALL_S,
                may_finish=True,  # there is nothing to continue from
            )
        except DownloadTruncated:
            media.unlink(missing_ok=True)  # or the next attempt would find it and take it for complete
            raise
        except ChildTimeout:
            raise MediaInvalid("decoding it never ends") from None
        except ChildDied as death:
            ctx.log.warning("the decode child died", status=death.status, last_words=death.last_words)
            raise DecodeFailed("the decoder crashed on it") from death
        return Made(Audio(AUDIO_NAME, found["duration_s"]))


def _report(ctx: StageContext, line: dict[str, Any]) -> None:
    done, total = line["done_s"], line["total_s"]
    ctx.report(min(1.0, done / total) if total else 0.0, source_done_s=done, source_total_s=total)
