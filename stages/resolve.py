"""Resolve: from an address to what the site says about the video."""

from __future__ import annotations

from dataclasses import replace
from pathlib import PurePosixPath

from pipeline.core.products import Artifacts, MediaInfo
from pipeline.core.task import Lane, Stage
from pipeline.failures import MediaTooLong, SourceTimeout, SourceUnreachable, StageFailed
from pipeline.ports import ChildDied, ChildTimeout, Made, StageContext
from stages._access import access
from stages._work import INFO_NAME, PAGE_INFO_NAME

RESOLVE_TIMEOUT_S = 120.0
"""Longest time for a site to say what it has: several pages, each within the socket's time-out."""
PAGE_TIMEOUT_S = 40.0
"""Longest time for a page that is asked for no more than what the video is called."""


class Resolve:
    """Ask the site for title, author, duration and where the media lies."""

    name = Stage.CAPTIONS
    lane = Lane.FETCH
    makes = "media"
    weight = 3.0

    def run(self, ctx: StageContext, artifacts: Artifacts) -> Made:  # noqa: ARG002 - the first stage knows nothing yet
        """Make ``media``; what the caller said of the video wins over the site's word."""
        media = _look(ctx)
        if media.duration_s is not None and media.duration_s > ctx.settings.download.max_duration_s:
            raise MediaTooLong(f"{media.duration_s:.0f} s")
        options = ctx.task.options
        return Made(replace(media, title=options.title or media.title, author=options.author or media.author))


def _look(ctx: StageContext) -> MediaInfo:
    source = ctx.task.source
    if source.uploaded_name is not None:
        return MediaInfo("Upload", source.canonical.split()[0], title=PurePosixPath(source.uploaded_name).stem)
    media = _ask(ctx, source.media_url, INFO_NAME, RESOLVE_TIMEOUT_S)
    return media if source.download_url is None else _as_on_page(ctx, media)


def _as_on_page(ctx: StageContext, media: MediaInfo) -> MediaInfo:
    """Take the page's word for what the video is called; if it says nothing, the media will do."""
    try:
        page = _ask(ctx, ctx.task.source.url, PAGE_INFO_NAME, PAGE_TIMEOUT_S)
    except StageFailed as failure:
        ctx.log.info("the page says nothing of the video", why=failure.message)
        return media
    return replace(page, duration_s=media.duration_s or page.duration_s)


def _ask(ctx: StageContext, url: str, info_name: str, timeout_s: float) -> MediaInfo:
    request = {
        "mode": "resolve",
        "url": url,
        "info_path": str(ctx.work / info_name),
        **access(ctx),
    }
    limit_s = min(timeout_s, ctx.settings.download.timeout_s)
    try:
        found = ctx.run_child("stages._fetch_child", request, lambda _: None, timeout_s=limit_s)
    except ChildTimeout:
        raise SourceTimeout(f"longer than {limit_s:g} s") from None
    except ChildDied as death:
        ctx.log.warning("the fetch child died", status=death.status, last_words=death.last_words)
        raise SourceUnreachable("the extractor ended without a result") from death
    return MediaInfo(**found)
