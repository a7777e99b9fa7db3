"""Write a file and fields as a form, piece by piece, so that a large video need not fit into memory."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator, Mapping
from pathlib import Path

PIECE_BYTES = 256 * 1024


class Upload:
    """A form (multipart/form-data) with one file; every iteration reads the file anew."""

    def __init__(self, file: Path, fields: Mapping[str, object]) -> None:
        """Name the file and what is sent with it; an object goes as JSON, everything else as it is."""
        mark = f"--{secrets.token_hex(16)}"
        parts = [_head(mark, name) + _text(value) for name, value in fields.items()]
        self._file = file
        self._before = "".join([*parts, _head(mark, "file", file.name)]).lstrip("\r\n").encode()
        self._after = f"\r\n{mark}--\r\n".encode()
        self.headers = {
            "Content-Type": f"multipart/form-data; boundary={mark[2:]}",
            "Content-Length": str(len(self._before) + file.stat().st_size + len(self._after)),
        }

    def __iter__(self) -> Iterator[bytes]:
        """Give the body."""
        yield self._before
        with self._file.open("rb") as opened:
            while piece := opened.read(PIECE_BYTES):
                yield piece
        yield self._after


def _head(mark: str, name: str, file_name: str | None = None) -> str:
    # As browsers do it: what would end the quoted name is written as in an address.
    quoted = (file_name or "").replace("\r", "%0D").replace("\n", "%0A").replace('"', "%22")
    of_file = f'; filename="{quoted}"\r\nContent-Type: application/octet-stream' if file_name is not None else ""
    return f'\r\n{mark}\r\nContent-Disposition: form-data; name="{name}"{of_file}\r\n\r\n'


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)
