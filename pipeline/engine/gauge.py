"""What this process takes of its device's memory, measured behind each batch."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Gauge:
    """Knows what the process took while it had decoded no more than so many chunks together; for all its threads."""

    def __init__(self, read: Callable[[], int | None]) -> None:
        """Begin with nothing measured.

        Args:
            read: tells the most MiB that the process has taken so far; None where nobody knows.
        """
        self._read = read
        self._lock = threading.Lock()
        self._in_hand: list[int] = []
        self._most = 0
        self._peaks: dict[int, int] = {}
        self._untold: set[int] = set()

    @contextmanager
    def batch(self, items: int) -> Iterator[None]:
        """Measure what is taken by the decoding of so many chunks in this block; if that fails, it does not count."""
        with self._lock:
            self._in_hand.append(items)
        try:
            yield
            with self._lock:
                self._measure(items)
        finally:
            with self._lock:
                self._in_hand.remove(items)

    def _measure(self, items: int) -> None:
        self._most = max(self._most, items)
        together = max(self._most, *self._in_hand)  # those of other workers take memory already
        mb = self._read()
        if mb is not None and mb > self._peaks.get(together, 0):
            self._peaks[together] = mb
            self._untold.add(together)

    def news(self) -> list[tuple[int, int]]:
        """What was measured since this was last asked: chunks, and MiB."""
        with self._lock:
            told, self._untold = sorted(self._untold), set()
            return [(items, self._peaks[items]) for items in told]
