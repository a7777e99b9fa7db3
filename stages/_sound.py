"""From a media file to samples: a child touches the foreign bytes, nobody else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pipeline.core.products import Artifacts, Audio
from pipeline.failures import DecodeFailed, DecodeTimeout, DownloadTruncated, MediaInvalid
from pipeline.ports import ChildDied, ChildTimeout, StageContext
from stages._work import AUDIO_NAME

LEAST_LIMIT_S = 60.0
"""Decoding may always take so long, however short the recording."""
LIMIT_SHARE = 0.2
"""And this share of the recording's length: a core is several hundred times faster than the recording."""
STALL_S = 60.0
"""Without half a minute of sound for so long, a decoder is hung."""


def decode(
    ctx: StageContext,
    artifacts: Artifacts,
    on_line: Callable[[dict[str, Any]], None],
    *,
    most_s: float | None = None,
    may_finish: bool = False,
) -> Audio:
    """Decode the first audio track to 16 kHz mono samples.

    Args:
        ctx: of the stage.
        artifacts: what is known; the file must be.
        on_line: called with ``{"done_s", "total_s"}`` after every half minute of sound.
        most_s: a longer recording is only tried so far, and nothing of it is kept.
        may_finish: whether it has a while to finish when the daemon is asked to stop.
    """
    if artifacts.file is None:
        raise DecodeFailed("there is no file")
    media, longest_s = ctx.work / artifacts.file.name, ctx.settings.download.max_duration_s
    length_s = artifacts.media.duration_s if artifacts.media else None
    limit_s = LEAST_LIMIT_S + LIMIT_SHARE * (length_s or longest_s)
    request = {
        "media_path": str(media),
        "audio_path": str(ctx.work / AUDIO_NAME),
        "max_duration_s": longest_s,
        "most_s": most_s,
    }
    try:
        found = ctx.run_child(
            "stages._decode_child", request, on_line, timeout_s=limit_s, stall_s=STALL_S, may_finish=may_finish
        )
    except DownloadTruncated as cut:
        if ctx.task.source.uploaded_name is not None:  # there is nowhere to fetch the rest from
            raise MediaInvalid(f"it was cut off: {cut.detail}") from None
        media.unlink(missing_ok=True)  # or the next attempt would find it and take it for complete
        raise
    except ChildTimeout as timeout:
        raise DecodeTimeout("it stood still" if timeout.stalled else f"longer than {limit_s:.0f} s") from None
    except ChildDied as death:
        ctx.log.warning("the decode child died", status=death.status, last_words=death.last_words)
        raise DecodeFailed("the decoder crashed on it") from death
    return Audio(AUDIO_NAME, found["duration_s"], whole=found["whole"])
