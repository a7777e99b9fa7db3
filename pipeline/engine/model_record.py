"""What the files of models are to contain, and of which revision they are; looked at before a model is used.

A folder that holds ``SHA256SUMS``, as the bundled one does, says itself what its files are. Those of the hub are what
they were when they were first seen; what the hub fetched by its sum lies under that sum in its cache. A file is read
once, and again only if it has changed.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import structlog
from pydantic import TypeAdapter, ValidationError

from pipeline.failures import ModelCorrupt

WEIGHTS = "model.bin"
SUMS = "SHA256SUMS"
RECORD = "models.json"
"""In the data folder."""
_SHA256 = re.compile(r"[0-9a-f]{64}")
_LINE = re.compile(r"(?P<sum>[0-9a-f]{64}) [ *](?P<name>[^/]+)")

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class FileSeen:
    """A file when it was read."""

    size: int
    mtime_ns: int
    sha256: str


@dataclass(frozen=True, slots=True)
class ModelSeen:
    """A model's files when they were read, and the revision of the hub that they are of."""

    revision: str | None
    files: dict[str, FileSeen]


_RECORD = TypeAdapter(dict[str, ModelSeen])


class ModelRecord:
    """The record of one data folder; every method may take as long as a model takes to be read."""

    def __init__(self, folder: Path) -> None:
        """Keep it in this folder."""
        self._path = folder / RECORD

    def revision(self, name: str) -> str | None:
        """The revision of the hub that a model is pinned to; None if it was not fetched yet."""
        seen = self._read().get(name)
        return seen.revision if seen else None

    def check(self, name: str, folder: Path, revision: str | None = None) -> None:
        """Compare a model's files with what they are to be, and remember what was seen.

        Args:
            name: of the model.
            folder: where its files lie.
            revision: of the hub; None for a folder that is none of the hub's.

        Raises:
            ModelCorrupt: a file is missing, cannot be read, or is another.
        """
        record = self._read()
        before = record.get(name)
        known = before.files if before and before.revision == revision else {}
        try:
            (folder / WEIGHTS).open("rb").close()
            wanted = _wanted(folder, known, revision)
        except OSError as error:
            raise ModelCorrupt(f"{name}: {error.filename}: {error.strerror}") from None
        files = {file: _look(folder / file, known.get(file)) for file in wanted}
        for file, sha256 in wanted.items():
            if sha256 not in {None, files[file].sha256}:
                raise ModelCorrupt(f"{name}: {file} has changed")
        seen = ModelSeen(revision, files)
        if files and seen != before:
            self._write(record | {name: seen})

    def _read(self) -> dict[str, ModelSeen]:
        try:
            return _RECORD.validate_json(self._path.read_bytes())
        except (OSError, ValidationError):  # whatever is not known is looked at again
            return {}

    def _write(self, record: Mapping[str, ModelSeen]) -> None:
        shown = {name: asdict(seen) for name, seen in sorted(record.items())}
        draft = self._path.with_name(f"{RECORD}.{os.getpid()}")
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            draft.write_text(json.dumps(shown, indent=1) + "\n", encoding="utf-8")
            draft.replace(self._path)
        except OSError as error:  # on a full disk, for one: the models are fine all the same
            log.warning("what was seen of a model is not kept", why=str(error))


def _wanted(folder: Path, known: Mapping[str, FileSeen], revision: str | None) -> dict[str, str | None]:
    """The sum that each file is to have, as far as anybody says so."""
    sums = folder / SUMS
    if sums.is_file():
        found = [_LINE.fullmatch(line) for line in sums.read_text(encoding="utf-8", errors="replace").splitlines()]
        if not all(found):
            raise ModelCorrupt(f"{SUMS} is not what sha256sum writes")
        return {line["name"]: line["sum"] for line in found if line}
    if revision is None:
        return {}
    there = {path.name: _sum_of_blob(path) for path in folder.iterdir()}
    return there | {file: seen.sha256 for file, seen in known.items()}


def _sum_of_blob(path: Path) -> str | None:
    """The sum under which a file lies in the hub's cache."""
    name = path.resolve().name
    return name if _SHA256.fullmatch(name) else None


def _look(path: Path, before: FileSeen | None) -> FileSeen:
    """Read a file, unless it is as it was."""
    try:
        with path.open("rb") as file:
            now = os.fstat(file.fileno())
            if before and (before.size, before.mtime_ns) == (now.st_size, now.st_mtime_ns):
                return before
            return FileSeen(now.st_size, now.st_mtime_ns, hashlib.file_digest(file, "sha256").hexdigest())
    except OSError as error:
        raise ModelCorrupt(f"{path.name}: {error.strerror}") from None
