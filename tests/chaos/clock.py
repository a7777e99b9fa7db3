"""An event loop on which waiting takes an Nth of its time."""

from __future__ import annotations

import asyncio
import functools
import selectors


class _FastSelector(selectors.DefaultSelector):
    """Waits for an Nth of the time it is told."""

    def __init__(self, speed: float) -> None:
        super().__init__()
        self._speed = speed

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        return super().select(timeout / self._speed if timeout is not None and timeout > 0 else timeout)


class FastLoop(asyncio.SelectorEventLoop):
    """A loop for which time passes N times as fast."""

    def __init__(self, speed: float) -> None:
        self._speed = speed
        super().__init__(_FastSelector(speed))

    def time(self) -> float:
        return super().time() * self._speed


class FastPolicy(asyncio.DefaultEventLoopPolicy):
    def __init__(self, speed: float) -> None:
        super().__init__()
        self._loop_factory = functools.partial(FastLoop, speed)
