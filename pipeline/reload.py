"""SIGHUP: read the configuration again and, if it is valid, put into force what may change while the daemon runs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import structlog

from pipeline.config import Live, Settings, secrets_of
from pipeline.errors import ConfigInvalid
from pipeline.redaction import hide
from pipeline.service import Watch

log = structlog.get_logger()


class Reload:
    """Waits for the wish to read the configuration again."""

    def __init__(
        self,
        live: Live,
        read: Callable[[], Settings],
        adopt: Callable[[Settings], None],
        watch: Watch,
        asked: asyncio.Event,
    ) -> None:
        """Take what is to change.

        Args:
            live: the settings in force.
            read: reads the configuration as at the start; called on a thread.
            adopt: tells the parts that must act on a change; if it raises `ConfigInvalid`, it has changed nothing.
            watch: notices if the loop dies.
            asked: set whenever the configuration is to be read again.
        """
        self._live = live
        self._read = read
        self._adopt = adopt
        self._watch = watch
        self._asked = asked

    async def start(self) -> None:
        """Begin to listen."""
        self._watch.start("reload", self._reload_on())

    async def stop(self) -> None:
        """Listen no more."""
        await self._watch.stop("reload")

    async def _reload_on(self) -> None:
        while True:
            await self._asked.wait()
            self._asked.clear()
            for problem in await self._problems():
                log.error("the configuration is not taken; nothing changes", problem=problem)

    async def _problems(self) -> list[str]:
        """Read and take the configuration; returns why it cannot be."""
        try:
            self._take(await asyncio.to_thread(self._read))
        except ConfigInvalid as invalid:
            return invalid.problems
        return []

    def _take(self, read: Settings) -> None:
        for secret in secrets_of(read):
            hide(secret)
        change = self._live.change_to(read)
        self._adopt(change.settings)
        self._live.take(change)
        log.info("the configuration was read again", changed=list(change.taken))
        if change.waiting:
            log.warning("these keys need a restart", keys=list(change.waiting))
