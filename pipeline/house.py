"""What the parts of the daemon share, and where the files of a task lie."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from pipeline.bridge import Bridge, StopSignal
from pipeline.child import Zygote
from pipeline.config import Live, Settings
from pipeline.core.products import Artifacts
from pipeline.core.progress import Reading
from pipeline.core.task import Task
from pipeline.llm import Llm
from pipeline.task_store import TaskStore

R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class House:
    """What the parts share; stages see of it what their context shows."""

    bridge: Bridge
    store: TaskStore
    zygote: Zygote
    live: Live
    note_progress: Callable[[str, Reading], None]
    """Called on the loop with every reading."""
    llm: Llm | None = None
    """None where no endpoint is configured."""
    stop: StopSignal = field(default_factory=StopSignal)
    """Raised when the daemon is asked to stop: begin nothing more, break off what can be continued."""
    halt: StopSignal = field(default_factory=StopSignal)
    """Raised a while later: break off everything."""

    @property
    def settings(self) -> Settings:
        """The settings in force at this moment."""
        return self.live.settings

    def ask(self, question: Coroutine[Any, Any, R]) -> R:
        """Wait in this thread for an answer of the store, which keeps its own time: on a full disk it may take long."""
        return self.bridge.call(question, timeout_s=None)

    def work_folder(self, task_id: str) -> Path:
        """Where a task's media and audio lie until its transcript is stored."""
        return self.settings.storage.dir / "work" / task_id

    def products_gone(self, task: Task) -> list[str]:
        """Products whose files are gone or not as long as they were, and are still needed; later ones first."""
        audio, file, folder = task.artifacts.audio, task.artifacts.file, self.work_folder(task.id)
        was_decoded = audio is not None and audio.whole
        has_sound = audio is not None and was_decoded and _is_whole(folder / audio.name, audio.size_bytes)
        if has_sound or task.artifacts.transcript is not None:
            return []
        gone = ["audio"] if was_decoded else []
        if file is not None and not _is_whole(folder / file.name, file.size_bytes):
            gone.append("file")
        return gone

    def clear_work(self, task_id: str, known: Artifacts) -> None:
        """Remove the files of a task that needs them no more; its media and audio stay if they are to be kept."""
        folder = self.work_folder(task_id)
        products = (known.file, known.audio) if self.settings.storage.keep_media else ()
        kept = {product.name for product in products if product is not None}
        if not kept:
            shutil.rmtree(folder, ignore_errors=True)
            return
        for left in folder.glob("*"):
            if left.is_dir():  # a JavaScript runtime's, which takes this folder for its home
                shutil.rmtree(left, ignore_errors=True)
            elif left.name not in kept:
                left.unlink(missing_ok=True)


def _is_whole(file: Path, size_bytes: int) -> bool:
    try:
        return file.stat().st_size == size_bytes
    except OSError:
        return False
