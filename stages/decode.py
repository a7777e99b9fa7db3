"""Decode: from any media file to plain samples."""

from __future__ import annotations

from typing import Any

from pipeline.core.task import Artifacts, Audio, Lane, Stage
from pipeline.failures import DecodeFailed, DecodeTimeout, DownloadTruncated
from pipeline.ports import ChildDied, ChildTimeout, Made, StageContext
from stages._work import AUDIO_NAME

LEAST_LIMIT_S = 60.0
"""Decoding may always take so long, however short the recording."""
LIMIT_SHARE = 0.2
"""And this share of the recording's length: a core is several hundred times faster than the recording."""
STALL_S = 60.0
"""Without half a minute of sound for so long, a decoder is hung."""


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
        media, longest_s = ctx.work / artifacts.file.name, ctx.settings.download.max_duration_s
        length_s = artifacts.media.duration_s if artifacts.media else None
        limit_s = LEAST_LIMIT_S + LIMIT_SHARE * (length_s or longest_s)
        request = {
            "media_path": str(media),
            "audio_path": str(ctx.work / AUDIO_NAME),
            "max_duration_s": longest_s,
        }
        try:
            found = ctx.run_child(
                "stages._decode_child",
                request,
                lambda line: _report(ctx, line),
                timeout_s=limit_s,
                stall_s=STALL_S,
                may_finish=True,  # there is nothing to continue from
            )
        except DownloadTruncated:
            media.unlink(missing_ok=True)  # or the next attempt would find it and take it for complete
            raise
        except ChildTimeout as timeout:
            raise DecodeTimeout("it stood still" if timeout.stalled else f"longer than {limit_s:.0f} s") from None
        except ChildDied as death:
            ctx.log.warning("the decode child died", status=death.status, last_words=death.last_words)
            raise DecodeFailed("the decoder crashed on it") from death
        return Made(Audio(AUDIO_NAME, found["duration_s"]))


def _report(ctx: StageContext, line: dict[str, Any]) -> None:
    done, total = line["done_s"], line["total_s"]
    ctx.report(min(1.0, done / total) if total else 0.0, source_done_s=done, source_total_s=total)
