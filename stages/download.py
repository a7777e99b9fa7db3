"""Download: from what the site said to one media file in the task's work folder."""

from __future__ import annotations

from typing import Any

from pipeline.core.products import Artifacts, MediaFile
from pipeline.core.task import Lane, Stage
from pipeline.failures import DownloadTimeout, DownloadTruncated, SourceForbidden, SourceNotFound
from pipeline.ports import ChildDied, ChildTimeout, Made, StageContext
from stages._access import CONNECTIONS_A_STALL, access
from stages._work import INFO_NAME, MEDIA_STEM


class Download:
    """Fetch the best audio there is, or the whole file where the sound cannot be had alone."""

    name = Stage.DOWNLOAD
    lane = Lane.FETCH
    makes = "file"
    weight = 20.0

    def run(self, ctx: StageContext, artifacts: Artifacts) -> Made:  # noqa: ARG002 - the child reads what resolve left
        """Make ``file``; a part left by an earlier attempt is continued where the server allows it."""
        source, limits = ctx.task.source, ctx.settings.download
        if source.uploaded_name is not None:
            raise SourceNotFound("the uploaded file is no longer here: upload it again 上传的文件已不在，请重新上传")
        info = ctx.work / INFO_NAME
        request = {
            "mode": "download",
            "url": source.media_url,
            "info_path": str(info),
            "folder": str(ctx.work),
            "stem": MEDIA_STEM,
            "max_bytes": limits.max_mb * 1024 * 1024,
            **access(ctx, CONNECTIONS_A_STALL),
        }
        try:
            found = ctx.run_child(
                "stages._fetch_child",
                request,
                lambda line: _report(ctx, line),
                timeout_s=limits.timeout_s,
                stall_s=limits.stall_s,
            )
        except ChildTimeout as timeout:
            raise DownloadTimeout(_which(timeout, limits)) from None
        except ChildDied as death:
            ctx.log.warning("the fetch child died", status=death.status, last_words=death.last_words)
            raise DownloadTruncated("the downloader ended without a result") from death
        except SourceForbidden:
            info.unlink(missing_ok=True)  # signed addresses expire: the next attempt asks the page again
            raise
        return Made(MediaFile(**found))


def _report(ctx: StageContext, line: dict[str, Any]) -> None:
    done, total = line["bytes_done"], line["bytes_total"]
    ctx.report(
        min(1.0, done / total) if total else 0.0,
        bytes_done=done,
        bytes_total=total,
        eta_s=line["eta_s"],
    )


def _which(timeout: ChildTimeout, limits: Any) -> str:  # noqa: ANN401 - the download section of the settings
    if timeout.stalled:
        return f"nothing came for download.stall_s = {limits.stall_s:g} s"
    return f"longer than download.timeout_s = {limits.timeout_s:g} s"
