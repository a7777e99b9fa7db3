"""Files that are given to WeCom's group robots: how they come, and how long they are kept."""

from __future__ import annotations

import contextlib
import re
from dataclasses import dataclass, field

from aiohttp import BodyPartReader, web

LEAST_BYTES, MOST_BYTES = 5, 20 * 1024 * 1024
"""A file has more than the first, and at most the second."""
MEDIA_LIVES_S = 3 * 86_400.0


@dataclass(eq=False)
class Upload:
    """A file that was given to a robot, and what became of it."""

    name: str
    content: bytes = field(repr=False)
    at: float
    """By the clock of the server."""
    errcode: int | None = None
    """The decision; None is a fault."""
    media_id: str = ""
    """Under which it can be shown, if it was accepted."""

    @property
    def has_a_size_that_is_taken(self) -> bool:
        """Whether it is neither too small nor too large."""
        return LEAST_BYTES < len(self.content) <= MOST_BYTES

    def is_there(self, now: float) -> bool:
        """Tell whether it is kept still."""
        return now - self.at < MEDIA_LIVES_S


async def read_upload(request: web.BaseRequest, now: float) -> Upload:
    """Read the form's part ``media``; without it, or without a name as it must be, there is no file."""
    with contextlib.suppress(ValueError, AssertionError):
        async for part in await request.multipart():
            if isinstance(part, BodyPartReader) and part.name == "media":
                return Upload(_file_name(part), bytes(await part.read()), now)
    return Upload("", b"", now)


_NAME = re.compile(r'; ?filename="((?:[^"\\]|\\.)*)"')


def _file_name(part: BodyPartReader) -> str:
    """The name as it stands between quotes, in UTF-8: of one in ``filename*`` the real one sees nothing (44001)."""
    found = _NAME.search(part.headers.get("Content-Disposition", ""))
    return found[1].replace('\\"', '"').encode("utf-8", "surrogateescape").decode("utf-8", "replace") if found else ""
