"""What is too old goes: texts after ``storage.result_days``, tasks after ``storage.task_days``."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import structlog

from pipeline.core.products import Artifacts
from pipeline.house import House
from pipeline.service import Watch

LOOK_EVERY_S = 3600.0
DAY_S = 86_400.0
AT_ONCE = 20
"""Tasks of each kind that one transaction removes: others wait no longer than for these."""

log = structlog.get_logger()


class Retention:
    """Looks at the start and then once an hour."""

    def __init__(self, house: House, watch: Watch, clock: Callable[[], float] = time.time) -> None:
        """Take the store, the place where work folders lie, and what tells the seconds since the epoch."""
        self._house = house
        self._watch = watch
        self._clock = clock

    async def start(self) -> None:
        """Begin looking."""
        self._watch.start("retention", self._look_on())

    async def stop(self) -> None:
        """End; what was not removed yet is so after the next start."""
        await self._watch.stop("retention")

    async def _look_on(self) -> None:
        while True:
            await self.look()
            await asyncio.sleep(LOOK_EVERY_S)

    async def look(self) -> None:
        """Remove everything that is too old now, give the space back to the disk, and keep a little of it aside."""
        storage, now = self._house.settings.storage, self._clock()
        texts_before, tasks_before = now - storage.result_days * DAY_S, now - storage.task_days * DAY_S
        while True:
            gone = await self._house.store.retire(texts_before=texts_before, tasks_before=tasks_before, limit=AT_ONCE)
            if not gone.count:
                break
            for task_id in (*gone.tasks, *gone.texts):
                await asyncio.to_thread(self._house.clear_work, task_id, Artifacts())
            log.info("too old", tasks=len(gone.tasks), texts=len(gone.texts), unlisted=gone.unlisted)
        while await self._house.store.give_space_back():
            pass
        await self._house.store.adapt_to_disk()
