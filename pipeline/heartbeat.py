"""Tells systemd that the event loop turns, as often as it wants to hear it: one that stands still is started again."""

from __future__ import annotations

import asyncio

from pipeline.service import Watch
from pipeline.systemd import tell_systemd, watchdog_s

BEATS = 3
"""In the time after which systemd gives the daemon up, so that one that comes late does no harm."""


class Heartbeat:
    """Beats while the daemon runs, its start and stop included; where no systemd listens, there is no loop."""

    def __init__(self, watch: Watch) -> None:
        """Nothing beats yet."""
        self._watch = watch

    async def start(self) -> None:
        """Begin, if anybody wants to hear it."""
        limit_s = watchdog_s()
        if limit_s is not None:
            self._watch.start("heartbeat", _beat_on(limit_s / BEATS))

    async def stop(self) -> None:
        """End."""
        await self._watch.stop("heartbeat")


async def _beat_on(pause_s: float) -> None:
    while True:
        tell_systemd("WATCHDOG=1")
        await asyncio.sleep(pause_s)
