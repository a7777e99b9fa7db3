"""Which model a name means, where its weights lie, and how they are fetched when they are not here."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from pathlib import Path

import structlog

from pipeline.bridge import Bridge, StopSignal
from pipeline.child import Limits, Zygote
from pipeline.core.device import Device
from pipeline.errors import Interrupted
from pipeline.failures import ModelMissing, StageFailed
from pipeline.ports import ChildDied, ChildTimeout

BUNDLED = {"demo": Path(__file__).resolve().parents[2] / "models" / "demo"}
LARGE_MODEL_MB = 6 * 1024
"""GPU memory from which ``auto`` means the large model."""
FETCH_TIMEOUT_S = 6 * 3600.0
TRY_AGAIN_S = 60.0
"""After a fetch that failed, tasks that need the model fail at once for so long."""

log = structlog.get_logger()


class Stock(StrEnum):
    """Whether a model's weights are here."""

    HERE = "here"
    FETCHING = "fetching"
    MISSING = "missing"


def resolve_auto(name: str, devices: Sequence[Device]) -> str:
    """The model that ``auto`` means on these devices; any other name as it is."""
    if name != "auto":
        return name
    roomy = any(device.memory_mb >= LARGE_MODEL_MB for device in devices)
    return "large-v3-turbo" if roomy else "small"


def local_folder(name: str) -> Path | None:
    """The folder of a bundled model, or of a folder the user names; None for a name of the hub."""
    if name in BUNDLED:
        return BUNDLED[name]
    folder = Path(name).expanduser()
    return folder if (folder / "model.bin").is_file() else None


class _Diary:
    """Writes into the log how far a fetch is: that it begins, then at every tenth."""

    def __init__(self, name: str) -> None:
        """Take the model's name; nothing is written yet."""
        self._name = name
        self._tenths = -1

    def note(self, progress: Mapping[str, int]) -> None:
        """Note what the child says; see ``model_fetch``."""
        done, total = progress["bytes_done"], progress["bytes_total"]
        tenths = done * 10 // max(1, total)
        if self._tenths < 0:
            log.warning("fetching model", model=self._name)
        elif tenths > self._tenths:
            log.info("fetching model", model=self._name, percent=tenths * 10, of_mb=total // 2**20)
        self._tenths = max(self._tenths, tenths)


class ModelShelf:
    """Knows which models are here and fetches those that are not, each once at a time, in a child.

    All methods but the fetch itself run on the loop.
    """

    def __init__(self, bridge: Bridge, zygote: Zygote, stop: StopSignal, on_change: Callable[[], None]) -> None:
        """Begin empty; ``on_change`` is called when a fetch has ended either way."""
        self._bridge = bridge
        self._zygote = zygote
        self._stop = stop
        self._on_change = on_change
        self._folders: dict[str, Path] = {}
        self._fetching: set[str] = set()
        self._missing: dict[str, tuple[float, str]] = {}
        self._pool = bridge.pool("models", 1)

    def want(self, name: str) -> Stock:
        """Say whether a model is here, and see to it that it comes if it is not."""
        if self.folder(name) is not None:
            return Stock.HERE
        if name in self._fetching:
            return Stock.FETCHING
        failed_at, _ = self._missing.get(name, (float("-inf"), ""))
        if time.monotonic() - failed_at < TRY_AGAIN_S:
            return Stock.MISSING
        self._fetching.add(name)
        self._bridge.submit(self._pool, lambda: self._fetch(name), lambda found: self._fetched(name, found))
        return Stock.FETCHING

    def folder(self, name: str) -> Path | None:
        """Where the weights of a model that is here lie."""
        return self._folders.get(name) or local_folder(name)

    def why_missing(self, name: str) -> str:
        """What the last attempt to fetch it said."""
        return self._missing.get(name, (0.0, name))[1]

    def _fetch(self, name: str) -> Path | StageFailed | Interrupted:
        """In the pool's thread: have a child look for it and fetch it."""
        child = self._zygote.fork("pipeline.engine.model_fetch")
        limits = Limits(FETCH_TIMEOUT_S)
        try:
            found = child.run({"name": name}, _Diary(name).note, limits, self._stop)
        except (StageFailed, Interrupted) as error:
            return error
        except (ChildDied, ChildTimeout) as error:
            return ModelMissing(f"{name}: {error}")
        return Path(found["folder"])

    def _fetched(self, name: str, found: Path | StageFailed | Interrupted) -> None:
        self._fetching.discard(name)
        match found:
            case Path():
                self._folders[name] = found
                log.info("model is here", model=name, folder=str(found))
            case StageFailed():
                self._missing[name] = (time.monotonic(), found.detail)
                log.error(
                    "model is missing", model=name, why=found.detail, cure=ModelMissing.cure[0].replace("NAME", name)
                )
            case Interrupted():
                return
        self._on_change()
