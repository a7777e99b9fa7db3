"""The fetch child: yt-dlp inside a process of its own. Forked from the zygote; see ``pipeline.zygote``.

Two modes. ``resolve`` asks the site what it has and leaves the extractor's findings in a file; ``download``
fetches the media those findings name, going on from a part left by an earlier attempt.
"""

from __future__ import annotations

import json
import os
import resource
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pipeline.failures import (
    DownloadTooLarge,
    DownloadTruncated,
    LiveNotSupported,
    MediaInvalid,
    PlaylistNotAllowed,
    SourceUnsupported,
    StageFailed,
)
from stages._cookies import cookies_in
from stages._fetch_errors import named
from stages._parts import CheckedOpen, Leftovers
from stages._work import make_durable

Emit = Callable[[dict[str, Any]], None]

MIB = 1024 * 1024
FILE_SIZE_SLACK_BYTES = 64 * MIB
"""The kernel's limit lies this far above ours, so that ours speaks first and the kernel's is the wall."""


def warm() -> None:
    """Do once, in the zygote, what every child would do again: build the list of sites and compile their addresses.

    What only web pages need, the search for players of known sites in them, stays cold: it would load half of
    yt-dlp, which is a quarter of a CPU-second of every start and 22 MiB for as long as the daemon runs.
    """
    import yt_dlp  # noqa: PLC0415 - heavy: loaded by the zygote, before it forks

    with yt_dlp.YoutubeDL({"quiet": True, "cachedir": False}) as ydl:
        for extractor in ydl._ies.values():  # noqa: SLF001 - yt-dlp has no public way to do this ahead of a request
            extractor.suitable("https://warm.invalid/")
        ydl.get_info_extractor("Generic")


def main(request: dict[str, Any], emit: Emit) -> dict[str, Any]:
    """Run one mode; returns the fields of ``MediaInfo`` or ``MediaFile``.

    Raises:
        StageFailed: the failure, by its name.
    """
    import yt_dlp  # noqa: PLC0415 - heavy; already loaded in the zygote

    os.environ.update(HOME=str(Path(request["info_path"]).parent), YTDLP_NO_PLUGINS="1")
    try:
        if request["mode"] == "resolve":
            return _resolve(yt_dlp, request, emit)
        return _download(yt_dlp, request, emit)
    except StageFailed:
        raise
    except yt_dlp.utils.YoutubeDLError as error:
        raise named(yt_dlp, error) from error


def _resolve(yt_dlp: Any, request: dict[str, Any], emit: Emit) -> dict[str, Any]:  # noqa: ANN401 - a module
    with _with_cookies(yt_dlp.YoutubeDL(_options(request, emit)), request, emit) as ydl:
        info = ydl.extract_info(request["url"], download=False)
        info = _single(info)
        _write(Path(request["info_path"]), json.dumps(ydl.sanitize_info(info)))
    author = info.get("uploader") or info.get("channel") or info.get("creator")
    return {
        "extractor": str(info.get("extractor_key") or "Generic"),
        "media_id": _encodable(info.get("id")),
        "title": _title(info),
        "author": _encodable(author) or None,
        "duration_s": float(info["duration"]) if info.get("duration") else None,
        "page_url": _encodable(info.get("webpage_url")) or None,
    }


def _write(path: Path, text: str) -> None:
    """Write a file that is there whole or not at all."""
    draft = path.with_suffix(".new")
    draft.write_text(text, encoding="utf-8")
    draft.replace(path)


def _encodable(text: object) -> str:
    """The text with whatever UTF-8 cannot hold (half a surrogate pair) replaced."""
    return str(text or "").encode("utf-8", "replace").decode()


def _title(info: dict[str, Any]) -> str:
    title = _encodable(info.get("title") or info.get("id"))
    # A page's only <video> is numbered like one of several.
    return title.removesuffix(" (1)") if info.get("extractor_key") == "HTML5MediaEmbed" else title


def _single(info: dict[str, Any] | None) -> dict[str, Any]:
    """The one video of what was found; several are refused."""
    if info is None:
        raise SourceUnsupported
    if info.get("_type") in {"playlist", "multi_video"}:
        entries = [entry for entry in info.get("entries") or () if entry]
        if not entries:
            raise SourceUnsupported
        if len(entries) > 1:
            raise PlaylistNotAllowed(str(len(entries)))
        info = entries[0]
    if info.get("is_live") or info.get("live_status") == "is_upcoming":
        raise LiveNotSupported
    return info


def _download(yt_dlp: Any, request: dict[str, Any], emit: Emit) -> dict[str, Any]:  # noqa: ANN401 - a module
    limit = request["max_bytes"]
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit + FILE_SIZE_SLACK_BYTES, limit + FILE_SIZE_SLACK_BYTES))
    folder, known = Path(request["folder"]), _known(request)
    leftovers = Leftovers(folder, request["stem"])
    leftovers.tidy(found_anew=known is None)
    options = _options(request, emit) | {
        "outtmpl": {"default": f"{request['stem']}.%(ext)s"},
        "paths": {"home": request["folder"]},
        "progress_hooks": [_Meter(limit, emit, leftovers)],
    }
    with _with_cookies(yt_dlp.YoutubeDL(options), request, emit) as ydl:
        info = known or _single(ydl.extract_info(request["url"], download=False))
        ydl.urlopen = CheckedOpen(ydl.urlopen, yt_dlp.networking.exceptions.HTTPError, leftovers, _files_in(info))
        info = ydl.process_ie_result(info, download=True)
    path = _downloaded(info, request)
    if path.stat().st_size == 0:
        raise MediaInvalid("the file is empty")
    make_durable(path)
    return {"name": path.name, "size_bytes": path.stat().st_size}


def _files_in(info: dict[str, Any]) -> set[str]:
    """Addresses in ``info`` that lead to media in one file, rather than to a list of its segments."""
    formats = [info, *(info.get("formats") or ())]
    return {one["url"] for one in formats if one.get("url") and one.get("protocol") in {"http", "https", None}}


def _with_cookies(ydl: Any, request: dict[str, Any], emit: Emit) -> Any:  # noqa: ANN401 - a library's object
    """Give yt-dlp the cookies there are; it keeps what it learns to itself, and no file is written."""
    if request["cookies_dir"] is not None:
        for cookie in cookies_in(Path(request["cookies_dir"]), emit):
            ydl.cookiejar.set_cookie(cookie)
    return ydl


def _known(request: dict[str, Any]) -> dict[str, Any] | None:
    """What ``resolve`` found, if it is still there."""
    try:
        found: dict[str, Any] = json.loads(Path(request["info_path"]).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return None
    return found


def _downloaded(info: dict[str, Any], request: dict[str, Any]) -> Path:
    for download in info.get("requested_downloads") or ():
        return Path(download["filepath"])
    raise DownloadTruncated(f"nothing arrived under {request['stem']}")


class _Meter:
    """Counts what arrives, whatever length the server named, and says so when there is more of it."""

    def __init__(self, limit: int, emit: Emit, leftovers: Leftovers) -> None:
        self._limit = limit
        self._emit = emit
        self._leftovers = leftovers
        self._segments = leftovers.segments_there
        self._most = -1

    def __call__(self, reading: dict[str, Any]) -> None:
        segments = reading.get("fragment_index")
        if segments is not None and segments > self._segments:
            self._segments = segments
            self._leftovers.note_segment(segments, Path(reading["tmpfilename"]))
        done, declared = reading.get("downloaded_bytes") or 0, reading.get("total_bytes")
        size = max(done, declared or 0)  # an estimate may be twice the truth and refuses nothing
        if size > self._limit:
            raise DownloadTooLarge(f"{size // MIB} MiB")
        if done > self._most:
            self._most = done
            total = declared or reading.get("total_bytes_estimate")
            self._emit({"bytes_done": done, "bytes_total": int(total) if total else None, "eta_s": reading.get("eta")})


class _Relay:
    """Hands yt-dlp's own words to our log."""

    def __init__(self, emit: Emit) -> None:
        self._emit = emit

    def debug(self, message: str) -> None:
        self._say(10, message)

    def info(self, message: str) -> None:
        self._say(10, message)

    def warning(self, message: str) -> None:
        self._say(10, message)

    def error(self, message: str) -> None:
        self._say(20, message)

    def _say(self, level: int, message: str) -> None:
        self._emit({"log": {"level": level, "event": "yt-dlp", "says": message[:2000]}})


def _options(request: dict[str, Any], emit: Emit) -> dict[str, Any]:
    """Everything yt-dlp may do here; what is not named stays off."""
    return {
        "format": "bestaudio/best",
        "noplaylist": True,
        "default_search": "error",
        "socket_timeout": request["socket_timeout_s"],
        "retries": 2,
        "fragment_retries": 2,
        "skip_unavailable_fragments": False,  # a hole in the sound would be a hole in the text
        "extractor_retries": 1,
        "continuedl": True,
        "hls_prefer_native": True,
        "cachedir": False,
        "allow_unplayable_formats": False,
        "enable_file_urls": False,
        "postprocessors": [],
        "fixup": "never",
        "overwrites": False,
        "quiet": True,
        "noprogress": True,
        "color": "never",
        "logger": _Relay(emit),
        "proxy": request["proxy"],
        "js_runtimes": dict(map(_runtime, request["js_runtimes"])),
    }


def _runtime(entry: str) -> tuple[str, dict[str, str]]:
    """Read ``NAME`` or ``NAME:PATH`` as yt-dlp takes it."""
    name, _, path = entry.partition(":")
    return name, {"path": path} if path else {}
