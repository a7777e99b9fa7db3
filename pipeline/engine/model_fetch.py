"""The model child: look a model up in the hub's cache, fetch it where it is not. See ``pipeline.zygote``."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pipeline.failures import ModelMissing

Emit = Callable[[dict[str, Any]], None]


def main(request: dict[str, Any], emit: Emit) -> dict[str, Any]:
    """Return ``{"folder": path}`` of the model named ``name``; says ``{"fetching": name}`` before it goes out.

    ``revision`` is that of the hub it is pinned to; with null the newest is fetched.

    Raises:
        ModelMissing: it is not in the cache and the hub does not give it.
    """
    name, revision = request["name"], request["revision"]
    try:
        return {"folder": str(cached(name, revision))}
    except ModelMissing:
        emit({"fetching": name})
    return {"folder": str(_ask_hub(name, revision, local_only=False))}


def cached(name: str, revision: str | None) -> Path:
    """The model's folder in the hub's cache; its name is the revision.

    Raises:
        ModelMissing: it is not there.
    """
    return _ask_hub(name, revision, local_only=True)


def remove(folder: Path) -> None:
    """Remove the files of a folder in the hub's cache, so that they are fetched anew."""
    for path in folder.iterdir():
        path.resolve().unlink(missing_ok=True)
        path.unlink(missing_ok=True)


def _ask_hub(name: str, revision: str | None, *, local_only: bool) -> Path:
    os.environ["HF_HUB_DISABLE_PROGRESS_BARS"] = "1"
    from faster_whisper.utils import download_model  # noqa: PLC0415 - heavy: only here, and only in this child

    try:
        return Path(download_model(name, local_files_only=local_only, revision=revision))
    except Exception as error:
        said = str(error).splitlines() or [type(error).__name__]
        raise ModelMissing(f"{name}: {said[0][:200]}") from error
