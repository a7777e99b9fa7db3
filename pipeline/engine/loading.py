"""A model on its way onto the device, which may take minutes; whoever waits for it is told that it makes headway."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from pipeline.host import thread_work

M = TypeVar("M")

LOOK_S = 1.0
"""How often one looks whether the loading makes headway."""


class Loading(Generic[M]):
    """A thread that loads a model, and those who wait for it."""

    def __init__(self, load: Callable[[], M]) -> None:
        """Begin to load."""
        self._load = load
        self._loaded: list[M] = []
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._loaded.append(self._load())
        except Exception as error:  # noqa: BLE001 - the library raises whatever its parsers raise
            self._error = error

    @property
    def has_failed(self) -> bool:
        """Whether the model could not be loaded."""
        return self._error is not None

    def wait(self, go_on: Callable[[], object], look_s: float = LOOK_S) -> M:
        """Wait for the model.

        Args:
            go_on: called again and again for as long as the loading makes headway; what it raises ends the waiting.
            look_s: how often one looks.
        """
        seen: tuple[str, ...] = ()
        while self._thread.is_alive():
            self._thread.join(look_s)
            work = thread_work(self._thread.native_id or 0)
            if work != seen and self._thread.is_alive():
                go_on()
            seen = work
        if self._error is not None:
            raise self._error
        return self._loaded[0]
