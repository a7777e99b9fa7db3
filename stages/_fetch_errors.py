"""What went wrong with a site or its file, in our words: yt-dlp's errors translated.

A part of the fetch child, which hands it the library.
"""

from __future__ import annotations

import re
import time
from http import HTTPStatus
from typing import Any

from pipeline.core.retry import read_retry_after
from pipeline.failures import (
    DISK_IS_FULL,
    DiskFull,
    DownloadTruncated,
    MediaInvalid,
    SourceForbidden,
    SourceNotFound,
    SourceRateLimited,
    SourceUnreachable,
    SourceUnsupported,
    StageFailed,
)

_STATUS: dict[int, type[StageFailed]] = {
    HTTPStatus.UNAUTHORIZED: SourceForbidden,
    HTTPStatus.FORBIDDEN: SourceForbidden,
    HTTPStatus.NOT_FOUND: SourceNotFound,
    HTTPStatus.GONE: SourceNotFound,
    HTTPStatus.TOO_MANY_REQUESTS: SourceRateLimited,
    HTTPStatus.UNAVAILABLE_FOR_LEGAL_REASONS: SourceForbidden,
}
_LAST_TRY = re.compile(r"Got error: (.*?)\.* Giving up after", re.DOTALL)
_HTTP_ERROR = re.compile(r"HTTP Error (\d{3})")
_FORBIDDEN = re.compile(
    r"log ?in|sign in|private video|cookies|members|geo.?restrict|not available in your", re.IGNORECASE
)
_GONE = re.compile(r"removed|deleted|no longer (available|exists)|does not exist|unavailable", re.IGNORECASE)


def named(yt_dlp: Any, error: Exception) -> StageFailed:  # noqa: ANN401, PLR0911 - a module; one return a kind
    """Translate yt-dlp's errors: by their cause where there is one, by their words where not."""
    for cause in _causes(error):
        if isinstance(cause, StageFailed):
            return cause
        status = getattr(cause, "status", None)
        if isinstance(status, int):
            return _by_status(status, _wish_s(cause))
        if isinstance(cause, yt_dlp.utils.ContentTooShortError):
            return DownloadTruncated(f"{cause.downloaded} of {cause.expected} bytes")
        if isinstance(cause, yt_dlp.networking.exceptions.IncompleteRead):
            return DownloadTruncated(f"{cause.partial} bytes arrived")
        if isinstance(cause, yt_dlp.utils.GeoRestrictedError):
            return SourceForbidden("not in this region")
        if isinstance(cause, yt_dlp.utils.UnsupportedError):
            return SourceUnsupported()
        if isinstance(cause, OSError) and cause.errno in DISK_IS_FULL:
            return DiskFull()
        if isinstance(cause, yt_dlp.networking.exceptions.TransportError | TimeoutError | ConnectionError):
            return SourceUnreachable(_short(cause))
    return _by_words(str(error))


def _causes(error: BaseException) -> list[BaseException]:
    """The error and everything it came from, outermost first."""
    seen: list[BaseException] = []
    waiting: list[BaseException | None] = [error]
    while waiting:
        one = waiting.pop(0)
        if one is None or one in seen:
            continue
        seen.append(one)
        exc_info = getattr(one, "exc_info", None)
        waiting += [exc_info[1] if exc_info else None, getattr(one, "cause", None), one.__cause__, one.__context__]
    return seen


def _wish_s(error: Any) -> float | None:  # noqa: ANN401 - yt-dlp's
    """Seconds for which a server that refused asks to be left alone."""
    response = getattr(error, "response", None)
    asked = response.headers.get("Retry-After") if response is not None else None
    return read_retry_after(asked, time.time()) if asked else None


def _by_status(status: int, wish_s: float | None = None) -> StageFailed:
    follows_on = ", it redirects in a circle or too often" if status // 100 == 3 else ""  # noqa: PLR2004 - 3xx
    return _STATUS.get(status, SourceUnreachable)(f"HTTP {status}{follows_on}", wish_s=wish_s)


def _by_words(words: str) -> StageFailed:
    last_try = _LAST_TRY.search(words)
    if last_try:
        return _by_last_try(last_try[1])
    if "is empty" in words or "did not get any data blocks" in words.lower():
        return MediaInvalid("the file is empty")
    if _FORBIDDEN.search(words):
        return SourceForbidden(words[:200])
    if _GONE.search(words):
        return SourceNotFound(words[:200])
    return SourceUnsupported(words[:200])


def _by_last_try(words: str) -> StageFailed:
    """What yt-dlp's downloader met when it gave up; it hands on the words and not the cause."""
    status = _HTTP_ERROR.match(words)
    if status:
        return _by_status(int(status[1]))
    if "bytes read" in words or "bytes, expected" in words:
        return DownloadTruncated(words[:200])
    return SourceUnreachable(words[:200])


def _short(error: BaseException) -> str:
    return str(error).splitlines()[0][:200] if str(error) else type(error).__name__
