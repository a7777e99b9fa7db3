"""The model child: look a model up in the hub's cache, fetch it where it is not. See ``pipeline.zygote``."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pipeline.failures import ModelMissing

Emit = Callable[[dict[str, Any]], None]

TELL_EVERY_S = 0.5
FILES = ("config.json", "preprocessor_config.json", "model.bin", "tokenizer.json", "vocabulary.*")
"""What of a repository faster-whisper reads."""


def main(request: dict[str, Any], emit: Emit) -> dict[str, Any]:
    """Return ``{"folder": path}`` of the model named ``name``.

    ``revision`` is that of the hub which the model is pinned to; with null the newest is fetched. What is emitted is
    said at ``fetch``.

    Raises:
        ModelMissing: it is not in the cache and the hub does not give it.
    """
    name, revision = request["name"], request["revision"]
    try:
        folder = cached(name, revision)
    except ModelMissing:
        folder = fetch(name, revision, emit)
    return {"folder": str(folder)}


def fetch(name: str, revision: str | None, emit: Emit) -> Path:
    """Have the hub give a model, the newest if ``revision`` is None; the name of its folder is its revision.

    It says ``{"bytes_done": …, "bytes_total": …}`` twice a second; the total is 0 until the hub has said it.

    Raises:
        ModelMissing: the hub does not give it.
    """
    repository = _repository(name)
    emit({"bytes_done": 0, "bytes_total": 0})
    wanted = _ask_hub(name, repository, revision, dry_run=True)
    total = sum(file.file_size for file in wanted if file.will_download)
    return Path(_ask_hub(name, repository, revision, _Progress(total, emit).tell))


def cached(name: str, revision: str | None) -> Path:
    """The model's folder in the hub's cache; what it is called is its revision.

    Raises:
        ModelMissing: it is not there.
    """
    folder = Path(_ask_hub(name, _repository(name), revision, local_files_only=True))
    if not (folder / "model.bin").is_file():
        raise ModelMissing(f"{name}: its weights were not fetched to their end")
    return folder


def remove(folder: Path) -> None:
    """Remove the files of a folder in the hub's cache, so that they are fetched anew."""
    for path in folder.iterdir():
        path.resolve().unlink(missing_ok=True)
    shutil.rmtree(folder)


def _repository(name: str) -> str:
    """Name the hub's repository of a model."""
    # Heavy: only in this child. The table of names is the library's own, and has no public name.
    from faster_whisper.utils import _MODELS  # noqa: PLC0415

    repository: str | None = name if "/" in name else _MODELS.get(name)
    if repository is None:
        raise ModelMissing(f"{name}: no folder, and none of {', '.join(_MODELS)}")
    return repository


def _ask_hub(
    name: str, repository: str, revision: str | None, tell: Callable[[int], None] | None = None, **how: bool
) -> Any:  # noqa: ANN401 - a folder, or with ``dry_run`` a list of files
    from huggingface_hub import snapshot_download  # noqa: PLC0415 - as heavy

    try:
        return snapshot_download(
            repository, revision=revision, allow_patterns=list(FILES), tqdm_class=_silent_bars(tell), **how
        )
    except Exception as error:
        why = error.__cause__ or error  # what the client made of it depends on what it was asked for
        said = str(why).partition("\n")[0][:200]
        raise ModelMissing(f"{name}: {type(why).__name__}: {said}") from error


class _Progress:
    """Says how many bytes are here, not too often."""

    def __init__(self, total: int, emit: Emit) -> None:
        """Begin with nothing of ``total`` bytes."""
        self._total = total
        self._emit = emit
        self._told_at = float("-inf")

    def tell(self, done: int) -> None:
        """So many are here by now."""
        now = time.monotonic()
        if done >= self._total or now - self._told_at >= TELL_EVERY_S:
            self._told_at = now
            self._emit({"bytes_done": min(done, self._total), "bytes_total": self._total})


def _silent_bars(tell: Callable[[int], None] | None) -> type:
    """Make what stands where the hub's client would draw its bars: nothing is drawn, the bytes so far are told."""
    from tqdm import tqdm  # noqa: PLC0415 - the hub's client brings it, and is loaded as late

    # Nothing is known of the library's types.
    class Bar(tqdm):  # type: ignore[misc]
        def __init__(self, *args: object, **options: Any) -> None:  # noqa: ANN401 - as tqdm takes them
            super().__init__(*args, **options | {"disable": True})
            # Two bars count bytes, those that arrive and those that are written; another one counts files.
            self._counts_bytes = options.get("unit") == "B"
            self._done = 0

        def update(self, n: float | None = 1) -> None:
            if tell is not None and self._counts_bytes:
                self._done += int(n or 0)
                tell(self._done)

    return Bar
