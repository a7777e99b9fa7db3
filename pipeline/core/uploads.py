"""An uploaded file as the source of a video: what it is called, and when two of them are the same work."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote, unquote

from pipeline.core.task import UPLOAD_SCHEME, Source

LONGEST_NAME = 255
"""Characters of a name that are kept, as file systems do."""
NAMELESS = "file"


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that has arrived whole, and the task it waits for."""

    task_id: str
    size_bytes: int
    sha256: str


def source_of_upload(sent_name: str, sha256: str) -> Source:
    """Make the source of an uploaded file; the same bytes under the same name are the same work.

    Args:
        sent_name: the name as its sender wrote it. Another name is other work, because readers are told it.
        sha256: of the content, in hexadecimal digits.
    """
    canonical = f"sha256:{sha256} {quote(sent_name, safe='', errors='replace')}"
    return Source(UPLOAD_SCHEME + quote(display_name(sent_name), safe=""), canonical)


def display_name(sent_name: str) -> str:
    r"""What to call a file: the last part of a path of any system, without what cannot be seen.

    ``C:\talks\a%20b.mp4`` is called ``a b.mp4``. The name is only shown, never used to find a file.
    """
    last = unquote(sent_name).replace("\\", "/").rstrip("/").rpartition("/")[2]
    visible = "".join(character for character in last if character.isprintable())
    return " ".join(visible.split())[:LONGEST_NAME].strip() or NAMELESS
