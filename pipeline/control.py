"""What the owner of a task may still ask for: cancel it, do it again, send its messages again."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence

import structlog

from pipeline.core.lifecycle import Settled, Step, cancel, redeliver, retry
from pipeline.core.notices import cancelled_notice
from pipeline.core.products import Artifacts
from pipeline.core.task import Status, Task
from pipeline.events import EventBus
from pipeline.executor import Executor
from pipeline.house import House
from pipeline.refusals import Conflict, InvalidValue, NotFound

AUTO = "auto"
"""Go on from the first product that is missing."""

LET_GO_S = 10.0
"""How long a retry waits for the worker of a task that was cancelled: it is being ended, and soon lets go."""
LOOK_EVERY_S = 0.05

log = structlog.get_logger()


class Control:
    """Changes tasks by their owners' wish. One conditional change decides every race with the workers.

    A wish is carried out to its end, even if whoever made it hangs up: what is stored must be made known.
    """

    def __init__(
        self,
        house: House,
        executor: Executor,
        route: Sequence[Step],
        bus: EventBus,
        wake: Callable[[], None],
        let_go_s: float = LET_GO_S,
    ) -> None:
        """Take the workers to interrupt.

        Args:
            house: holds the store and the work folders.
            executor: has the work that a cancel interrupts.
            route: every stage in order.
            bus: told of every change.
            wake: nudges whoever has work after a change.
            let_go_s: how long a retry waits for the worker of a cancelled task.
        """
        self._house = house
        self._store = house.store
        self._executor = executor
        self._route = tuple(route)
        self._bus = bus
        self._wake = wake
        self._let_go_s = let_go_s

    async def cancel(self, task_id: str) -> bool:
        """Stop a task, its work and its messages; False if it was cancelled already.

        Raises:
            NotFound: there is no such task.
            Conflict: it has finished.
        """
        return await asyncio.shield(self._cancel(task_id))

    async def _cancel(self, task_id: str) -> bool:
        while True:
            task = await self._get(task_id)
            if task.status is Status.CANCELLED:
                return False
            if task.status.final:
                raise Conflict(f"it is {task.status}")
            settled = cancel(task, time.time())
            closing = cancelled_notice(self._house.settings.wechat.language)
            if await self._store.end(settled, expected=task.status, closing=closing):
                break
        self._executor.interrupt(task_id)
        await asyncio.to_thread(self._house.clear_work, task_id, task.artifacts)
        self._tell(settled)
        return True

    async def retry(self, task_id: str, start: str = AUTO) -> None:
        """Start a finished task again, from its first missing product or from a stage on.

        Two workers never have the same task: one that was just cancelled starts again once its worker has let go.

        Raises:
            NotFound: there is no such task.
            InvalidValue: ``start`` is neither ``auto`` nor a stage.
            Conflict: it has not finished, or is completed and no stage is named, or its worker does not let go.
        """
        await asyncio.shield(self._retry(task_id, start))

    async def _retry(self, task_id: str, start: str) -> None:
        makes = self._makes_from(start)
        patient_until = time.monotonic() + self._let_go_s
        while not await self._restarted(task_id, start, makes):
            if time.monotonic() >= patient_until:
                raise Conflict("its last work is still being ended: try again in a moment")
            await asyncio.sleep(LOOK_EVERY_S)

    async def _restarted(self, task_id: str, start: str, makes: Sequence[str]) -> bool:
        """Start a finished task again; False if a worker still has it in hand."""
        task = await self._get(task_id)
        if not task.status.final:
            raise Conflict(f"it is {task.status}")
        if task.status is Status.COMPLETED and start == AUTO:
            raise Conflict("it is completed: name the stage to start from")
        dropped = await asyncio.to_thread(self._dropped, task, makes)
        settled = retry(task, dropped, self._route, time.time())
        if not await self._store.restart(settled, expected=task.status, dropped=dropped):
            return False
        self._tell(settled)
        return True

    async def redeliver(self, task_id: str) -> None:
        """Send a completed task's messages again, as a new run.

        Raises:
            NotFound: there is no such task.
            Conflict: it is not completed, or never had messages.
        """
        await asyncio.shield(self._redeliver(task_id))

    async def _redeliver(self, task_id: str) -> None:
        task = await self._get(task_id)
        if task.status is not Status.COMPLETED:
            raise Conflict(f"it is {task.status}")
        if task.artifacts.messages is None or task.artifacts.messages.message_count == 0:
            raise Conflict("it has no messages")
        settled = redeliver(task, time.time())
        if not await self._store.send_again(settled, expected=task.status):
            raise Conflict("it has just changed")
        self._tell(settled)

    async def delete(self, task_id: str) -> None:
        """Remove a finished task with everything that belongs to it; messages it has not sent are never sent.

        Raises:
            NotFound: there is no such task.
            Conflict: it has not finished.
        """
        await asyncio.shield(self._delete(task_id))

    async def _delete(self, task_id: str) -> None:
        if not await self._store.delete(task_id):
            task = await self._get(task_id)
            raise Conflict(f"it is {task.status}: cancel it first")
        await asyncio.to_thread(self._house.clear_work, task_id, Artifacts())
        log.info("deleted", task=task_id)

    async def _get(self, task_id: str) -> Task:
        task = await self._store.get(task_id)
        if task is None:
            raise NotFound
        return task

    def _makes_from(self, start: str) -> list[str]:
        """The products of ``start`` and of every stage after it; none for ``auto``."""
        names = [str(step.name) for step in self._route]
        if start == AUTO:
            return []
        if start not in names:
            raise InvalidValue(f"one of {AUTO}, {', '.join(names)}", param="from")
        return [step.makes for step in self._route[names.index(start) :]]

    def _dropped(self, task: Task, makes: Sequence[str]) -> list[str]:
        """``makes``, and the products before them whose files are gone but needed again.

        Messages of a task that was cancelled are dropped even if it has all products: what is not sent is gone, so
        they have to be composed again.
        """
        makes = makes or (["messages"] if task.artifacts.messages is not None else [])
        settled = retry(task, makes, self._route, task.updated_at).task
        return [*makes, *(name for name in self._house.products_gone(settled) if name not in makes)]

    def _tell(self, settled: Settled) -> None:
        self._bus.record(settled)
        self._wake()
