"""Resolve: from an address to what the site says about the video."""

from __future__ import annotations

import dataclasses

from pipeline.core.task import Artifacts, Lane, MediaInfo, Stage
from pipeline.errors import MediaTooLong, SourceUnreachable
from pipeline.ports import ChildDied, ChildTimeout, Made, StageContext
from stages._work import INFO_NAME

RESOLVE_TIMEOUT_S = 120.0
"""Longest time for a site to say what it has: several pages, each within the socket's time-out."""


class Resolve:
    """Ask the site for title, author, duration and where the media lies."""

    name = Stage.CAPTIONS
    lane = Lane.FETCH
    makes = "media"
    weight = 3.0

    def run(self, ctx: StageContext, artifacts: Artifacts) -> Made:  # noqa: ARG002 - the first stage knows nothing yet
        """Make ``media``; what the caller said of the video wins over the site's word."""
        request = {
            "mode": "resolve",
            "url": ctx.task.source.url,
            "info_path": str(ctx.work / INFO_NAME),
            "socket_timeout_s": min(30.0, ctx.settings.download.stall_s),
        }
        try:
            found = ctx.run_child("stages._fetch_child", request, lambda _: None, timeout_s=RESOLVE_TIMEOUT_S)
        except ChildTimeout:
            raise SourceUnreachable("the site did not answer in time") from None
        except ChildDied as death:
            ctx.log.warning("the fetch child died", status=death.status, last_words=death.last_words)
            raise SourceUnreachable("the extractor ended without a result") from death
        media = MediaInfo(**found)
        if media.duration_s is not None and media.duration_s > ctx.settings.download.max_duration_s:
            raise MediaTooLong(f"{media.duration_s:.0f} s")
        options = ctx.task.options
        return Made(
            dataclasses.replace(media, title=options.title or media.title, author=options.author or media.author)
        )
