"""What an earlier attempt left of a download, and whether the rest may be put behind it.

Two files of one name are never put together. A plain file is continued only if the server says of it what it said
when the part was begun; that is kept beside the part. A stream of segments is continued behind its last segment that
is there whole.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import asdict, astuple, dataclass
from pathlib import Path
from typing import Any, Self

IDENTITY_NAME, SEGMENTS_NAME = "part.json", "segments.json"
PARTIAL_CONTENT, RANGE_NOT_SATISFIABLE = 206, 416


@dataclass(frozen=True, slots=True)
class Identity:
    """What a server says of a file by which two versions of it can be told apart; None: it does not say."""

    etag: str | None = None
    last_modified: str | None = None
    size_bytes: int | None = None

    @classmethod
    def of(cls, headers: Mapping[str, str]) -> Self:
        """Read it from the headers of a response with the whole file or the rest of it."""
        size = headers.get("Content-Range", "").rpartition("/")[2] or headers.get("Content-Length", "")
        return cls(headers.get("ETag"), headers.get("Last-Modified"), int(size) if size.isdecimal() else None)

    def is_same(self, other: Identity) -> bool:
        """Whether it may be the same file: something is known of both, and nothing of that differs."""
        known = [pair for pair in zip(astuple(self), astuple(other), strict=True) if None not in pair]
        return bool(known) and all(one == another for one, another in known)


class Leftovers:
    """The files of one download in a task's work folder."""

    def __init__(self, folder: Path, stem: str) -> None:
        """Name the folder, and the file before its extension."""
        self._folder = folder
        self._stem = stem

    def tidy(self, *, found_anew: bool) -> None:
        """Remove what must not be continued.

        Args:
            found_anew: whether the site was asked again what it has, so that its segments may be others now.
        """
        for segment in self._folder.glob(f"{self._stem}*-Frag*"):
            segment.unlink()
        identity = self._identity()
        if not self._one("ytdl"):
            if identity is None:
                self._forget_part()
        elif found_anew or not self._mend_stream():
            self._forget_part()
        size_bytes = None if identity is None else identity.size_bytes
        for file in self._folder.glob(f"{self._stem}.*"):
            is_whole = file.suffix not in {".part", ".ytdl"}
            if is_whole and size_bytes not in {None, file.stat().st_size}:  # the power failed before it was durable
                file.unlink()

    def begin(self, identity: Identity) -> None:
        """Note what is downloaded from its first byte on; what there was of it is gone."""
        self._forget_part()
        self._write(IDENTITY_NAME, asdict(identity))

    def may_continue(self, identity: Identity) -> bool:
        """Whether the part that is here is of this file."""
        begun = self._identity()
        return begun is not None and begun.is_same(identity)

    def note_segment(self, number: int, part: Path) -> None:
        """Note that segment ``number`` of a stream, from 1, is about to be put behind the part."""
        self._write(SEGMENTS_NAME, {"number": number, "behind_bytes": part.stat().st_size})

    @property
    def segments_there(self) -> int:
        """How many segments of a stream the part holds."""
        book = self._one("ytdl")
        return 0 if book is None else int(_read(book)["downloader"]["current_fragment"]["index"])

    def _mend_stream(self) -> bool:
        """Cut off a segment that was written in part; False if nobody knows where that would be."""
        part = self._one("part")
        try:
            noted, there = _read(self._folder / SEGMENTS_NAME), self.segments_there
        except (OSError, ValueError, KeyError):
            return False
        if part is not None and noted["number"] == there + 1:
            os.truncate(part, noted["behind_bytes"])
            return True
        return part is not None and noted["number"] == there

    def _identity(self) -> Identity | None:
        try:
            return Identity(**_read(self._folder / IDENTITY_NAME))
        except (OSError, ValueError):
            return None

    def _forget_part(self) -> None:
        for name in (f"{self._stem}.*.part", f"{self._stem}.*.ytdl", SEGMENTS_NAME):
            for left in self._folder.glob(name):
                left.unlink()

    def _one(self, suffix: str) -> Path | None:
        return next(self._folder.glob(f"{self._stem}.*.{suffix}"), None)

    def _write(self, name: str, content: dict[str, Any]) -> None:
        draft = self._folder / f"{name}.new"
        draft.write_text(json.dumps(content), encoding="utf-8")
        draft.replace(self._folder / name)


def _read(file: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return content


class CheckedOpen:
    """Stands before ``YoutubeDL.urlopen``: yt-dlp would put the rest of any file behind a part."""

    def __init__(
        self, urlopen: Callable[[Any], Any], http_error: type[Exception], leftovers: Leftovers, urls: set[str]
    ) -> None:
        """Take what opens a request, its error, the files of the download, and the addresses of the media itself."""
        self._urlopen = urlopen
        self._http_error = http_error
        self._leftovers = leftovers
        self._urls = urls

    def __call__(self, request: Any) -> Any:  # noqa: ANN401 - yt-dlp's, or a text
        """Open a request; the rest of a file that is not the one that was begun is answered with its beginning."""
        if isinstance(request, str) or request.url not in self._urls:
            return self._urlopen(request)
        if "Range" in request.headers:
            response = self._rest(request)
            if response is not None:
                return response
            request = request.copy()
            del request.headers["Range"]
        response = self._urlopen(request)
        self._leftovers.begin(Identity.of(response.headers))
        return response

    def _rest(self, request: Any) -> Any | None:  # noqa: ANN401 - yt-dlp's
        """Ask for the rest of a file; None: it has to be fetched from its beginning."""
        try:
            response = self._urlopen(request)
        except self._http_error as error:
            if getattr(error, "status", None) == RANGE_NOT_SATISFIABLE:
                return None
            raise
        identity = Identity.of(response.headers)
        if response.status != PARTIAL_CONTENT:
            self._leftovers.begin(identity)  # all of it came
            return response
        if self._leftovers.may_continue(identity):
            return response
        response.close()
        return None
