"""Which model a name means, where its weights lie, how they are fetched when they are not here, and looked at."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from enum import StrEnum
from pathlib import Path

import structlog

from pipeline.bridge import Bridge, StopSignal
from pipeline.child import Limits, Zygote
from pipeline.core.device import Device
from pipeline.engine.model_record import WEIGHTS, ModelRecord
from pipeline.errors import Interrupted
from pipeline.failures import ModelCorrupt, ModelMissing, StageFailed
from pipeline.ports import ChildDied, ChildTimeout

BUNDLED = {"demo": Path(__file__).resolve().parents[2] / "models" / "demo"}
LARGE_MODEL_MB = 6 * 1024
"""GPU memory from which ``auto`` means the large model."""
FETCH_LIMITS = Limits(timeout_s=6 * 3600.0, stall_s=600.0)
TRY_AGAIN_S = 60.0
"""After a model could not be had, tasks that need it fail at once for so long."""

log = structlog.get_logger()


class Stock(StrEnum):
    """Whether a model's weights are here."""

    HERE = "here"
    CHECKING = "checking"
    FETCHING = "fetching"
    MISSING = "missing"
    """Or not what they are to be: ``ModelShelf.failure`` tells."""


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
    folder = Path(name)
    with suppress(RuntimeError):  # nobody here is called so
        folder = folder.expanduser()
    try:
        is_model = (folder / WEIGHTS).is_file()
    except OSError:  # it is none of ours to look into
        is_model = False
    return folder if is_model or folder.is_absolute() else None


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
    """Knows which models are here, fetches those that are not in a child, and looks at each before it is used.

    It fetches one at a time, and looks at one at a time; neither waits for the other. All methods but that work itself
    run on the loop.
    """

    def __init__(
        self, bridge: Bridge, zygote: Zygote, record: ModelRecord, stop: StopSignal, on_change: Callable[[], None]
    ) -> None:
        """Begin empty; ``on_change`` is called when a model has come, or cannot be had."""
        self._bridge = bridge
        self._zygote = zygote
        self._record = record
        self._stop = stop
        self._on_change = on_change
        self._folders: dict[str, Path] = {}
        self._coming: set[str] = set()
        self._failed: dict[str, tuple[float, StageFailed]] = {}
        self._fetching = bridge.pool("fetch-models", 1)
        self._looking = bridge.pool("models", 1)

    def want(self, name: str) -> Stock:
        """Say whether a model is here, and see to it that it comes if it is not."""
        if name in self._folders:
            return Stock.HERE
        folder = local_folder(name)
        if name not in self._coming:
            failed_at, _ = self._failed.get(name, (float("-inf"), None))
            if time.monotonic() - failed_at < TRY_AGAIN_S:
                return Stock.MISSING
            self._coming.add(name)
            if folder is None:
                self._bridge.submit(self._fetching, lambda: self._fetch(name), lambda found: self._fetched(name, found))
            else:
                self._look_at(name, folder, None)
        return Stock.FETCHING if folder is None else Stock.CHECKING

    def folder(self, name: str) -> Path | None:
        """Where the weights of a model that is here lie."""
        return self._folders.get(name)

    def failure(self, name: str) -> StageFailed:
        """Why a model could not be had when it was last tried; what its tasks end with."""
        return self._failed[name][1]

    def _fetch(self, name: str) -> Path | StageFailed | Interrupted:
        """In a pool's thread: have a child look for a model, and fetch it where it is not."""
        try:
            child = self._zygote.fork("pipeline.engine.model_fetch")
            request = {"name": name, "revision": self._record.revision(name)}
            found = child.run(request, _Diary(name).note, FETCH_LIMITS, self._stop)
        except (ChildDied, ChildTimeout) as error:
            return ModelMissing(f"{name}: {error}")
        except (StageFailed, Interrupted) as error:
            return error
        return Path(found["folder"])

    def _fetched(self, name: str, found: Path | StageFailed | Interrupted) -> None:
        if isinstance(found, Path) and not self._stop.is_raised:
            self._look_at(name, found, found.name)
        else:
            self._brought(name, found)

    def _look_at(self, name: str, folder: Path, revision: str | None) -> None:
        """Compare a model with what it is to be; that may take as long as it takes to read."""

        def look() -> Path | StageFailed:
            try:
                self._record.check(name, folder, revision)
            except StageFailed as error:
                return error
            return folder

        self._bridge.submit(self._looking, look, lambda found: self._brought(name, found))

    def _brought(self, name: str, found: Path | StageFailed | Interrupted) -> None:
        self._coming.discard(name)
        match found:
            case Path():
                self._folders[name] = found
                log.info("model is here", model=name, folder=str(found))
            case StageFailed():
                self._failed[name] = (time.monotonic(), found)
                event = "model is damaged" if isinstance(found, ModelCorrupt) else "model is missing"
                log.error(event, model=name, why=found.detail, cure=found.cure[0].replace("NAME", name))
            case Interrupted():
                return
        self._on_change()
