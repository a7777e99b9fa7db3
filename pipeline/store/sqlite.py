"""The store in one SQLite file: every method is one unit of work on the connection's own thread."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from pipeline.clock import Clock
from pipeline.core.admission import Added, AlreadyThere, KeyTaken, NewTask, NoRoom, Replayed, RequestKey
from pipeline.core.device import Device, Reading
from pipeline.core.figures import Figures, QueueView
from pipeline.core.lifecycle import Delivery, Settled, Step
from pipeline.core.memory import ModelOnDevice, Peak
from pipeline.core.messages import Message, MessageRow, MessageState, Outgoing, Run, Write
from pipeline.core.moment import Moment
from pipeline.core.progress import Progress
from pipeline.core.task import Lane, Stage, Status, Task, Waiting
from pipeline.core.transcript import Segment
from pipeline.ports import Answer, Made, Reply, TooLong
from pipeline.store import _deliveries, _figures, _file, _keeping, _keys, _outbox, _tasks, _views, _working, backup
from pipeline.store._ballast import Ballast
from pipeline.store._changes import Changes
from pipeline.store._timers import Timers
from pipeline.store._unit import UnitsOfWork
from pipeline.task_store import Retired, TaskView, Waiter


class SqliteStore:
    """Tasks, their products and their messages in one file; ``task_store.TaskStore`` says what each method promises."""

    def __init__(self, path: Path, route: Sequence[Step], boot_id: str, clock: Clock | None = None) -> None:
        """Know the file; ``open`` touches it.

        Args:
            path: the database file; made if it does not exist.
            route: every stage in order; the first whose product is missing decides a task's lane.
            boot_id: names this start of the daemon, so that the next one can tell whose work was left behind.
            clock: the machine's, unless a test has another.
        """
        self._path = path
        self._route = tuple(route)
        self._boot_id = boot_id
        self._ballast = Ballast(path.with_name("ballast"))
        self._units = UnitsOfWork(path)
        self._timers = Timers(clock or Clock())
        self._changes = Changes(self._units, self._ballast)

    async def open(self) -> None:
        """Open, check and migrate the file.

        Raises:
            DataFolderUnusable: it is damaged, of a newer release, or cannot be written; never silently replaced.
        """
        with _file.naming(self._path):
            _file.make_private(self._path)
            await self.adapt_to_disk()
            try:
                await self._units.open(self._prepare)
            except BaseException:
                self._ballast.give_up()
                raise

    def _prepare(self, conn: sqlite3.Connection) -> None:
        _file.prepare(conn, self._path)
        self._timers.begin(conn)

    async def until_broken(self) -> None:
        """Wait until somebody comes upon damage in the file, or until what carries changes into it has ended.

        Raises:
            DataFolderUnusable: the file is damaged.
        """
        why = await self._units.broken()
        if why is not None:
            raise why

    def wait_no_longer(self) -> None:
        """Have changes that cannot be stored end with ``Interrupted``: the daemon is about to end."""
        self._changes.wait_no_longer()

    async def close(self) -> None:
        """Finish what was begun and close the file; close the store last."""
        await self._units.close()
        self._ballast.give_up()

    # Accepting

    async def add_all(
        self, new: Sequence[NewTask], *, room: int, force: bool, key: RequestKey | None = None
    ) -> tuple[Added | AlreadyThere, ...] | NoRoom | Replayed | KeyTaken:
        return await self._changes.begin(
            lambda conn: _tasks.add_all(conn, self._route, new, room=room, force=force, key=key)
        )

    async def recall(self, key: RequestKey) -> Replayed | KeyTaken | None:
        return await self._units.read(lambda conn: _keys.recall(conn, key))

    # Moving

    async def claim(
        self,
        lane: Lane,
        now: float,
        task_id: str | None = None,
        *,
        hosts_left_alone: Sequence[str] = (),
        device: str | None = None,
    ) -> Settled | None:
        return await self._changes.carry_on(
            lambda conn: _tasks.claim(conn, self._boot_id, lane, now, task_id, hosts_left_alone, device)
        )

    async def waiting(self, lane: Lane, *, after: int = 0, limit: int = 100) -> list[Task]:
        return await self._units.read(lambda conn: _tasks.waiting(conn, lane, after, limit))

    async def waiting_for_devices(self, each: int) -> list[Waiter]:
        return await self._units.read(lambda conn: _tasks.waiting_for_devices(conn, each))

    async def next_due(self) -> float | None:
        return await self._units.read(_tasks.next_due)

    async def save(self, settled: Settled, *, expected: Status, runs: Sequence[Run] = ()) -> bool:
        return await self._changes.carry_on(
            lambda conn: _tasks.save(conn, self._route, settled, expected=expected, runs=runs)
        )

    async def end(self, settled: Settled, *, expected: Status, closing: Message) -> bool:
        return await self._changes.end(lambda conn: _tasks.end(conn, settled, expected, closing))

    async def release(self, task_id: str) -> None:
        await self._changes.carry_on(lambda conn: _tasks.release(conn, task_id))

    async def restart(self, settled: Settled, *, expected: Status, dropped: Sequence[str]) -> bool:
        return await self._changes.begin(
            lambda conn: _tasks.restart(conn, self._route, settled, expected=expected, dropped=dropped)
        )

    async def send_again(self, settled: Settled, *, expected: Status) -> bool:
        return await self._changes.begin(lambda conn: _tasks.send_again(conn, self._route, settled, expected=expected))

    async def orphans(self) -> list[Task]:
        return await self._changes.carry_on(lambda conn: _tasks.orphans(conn, self._boot_id))

    # Working

    async def get(self, task_id: str) -> Task | None:
        return await self._units.read(lambda conn: _tasks.get(conn, task_id))

    async def enter(self, task_id: str, stage: Stage, now: float) -> bool:
        return await self._changes.carry_on(lambda conn: _working.enter(conn, self._route, task_id, stage, now))

    async def begin(self, task_id: str) -> None:
        await self._changes.carry_on(lambda conn: _working.begin(conn, task_id))

    async def wait_for(self, task_id: str, waiting_for: str | None, now: float) -> None:
        await self._changes.carry_on(lambda conn: _working.wait_for(conn, task_id, waiting_for, now))

    async def keep(self, task_id: str, makes: str, made: Made, now: float, took_s: float | None = None) -> bool:
        return await self._changes.carry_on(
            lambda conn: _working.keep(conn, self._route, task_id, makes, made, now, took_s)
        )

    async def drop(self, task_id: str, makes: Sequence[str]) -> None:
        await self._changes.carry_on(lambda conn: _working.drop(conn, self._route, task_id, makes))

    async def keep_segments(self, task_id: str, segments: Sequence[Segment], language: str | None = None) -> None:
        await self._changes.carry_on(lambda conn: _working.keep_segments(conn, task_id, segments, language))

    async def segments(self, task_id: str) -> tuple[Segment, ...]:
        return await self._units.read(lambda conn: _working.segments(conn, task_id))

    async def keep_reply(self, task_id: str, key: str, reply: Reply) -> None:
        await self._changes.carry_on(lambda conn: _working.keep_reply(conn, task_id, key, reply))

    async def reply(self, task_id: str, key: str) -> Answer | TooLong | None:
        return await self._units.read(lambda conn: _working.reply(conn, task_id, key))

    async def note_progress(self, latest: Mapping[str, Progress], now: float) -> None:
        await self._changes.begin(lambda conn: _working.note_progress(conn, latest, now))

    # Delivering

    async def lanes(self) -> dict[str | None, int]:
        return await self._units.read(_outbox.lanes)

    async def announce(self, task_id: str, runs: Sequence[Run], now: float) -> None:
        await self._changes.carry_on(lambda conn: _outbox.announce(conn, task_id, runs, now))

    async def next_message(self, robot: str | None) -> Outgoing | None:
        return await self._units.read(lambda conn: _outbox.next_message(conn, robot))

    async def mark(
        self,
        message_id: int,
        state: MessageState,
        now: float,
        *,
        expected: MessageState,
        why: str = "",
        refused_s: float = 0.0,
    ) -> bool:
        return await self._changes.carry_on(
            lambda conn: _deliveries.mark(conn, message_id, state, now, expected=expected, why=why, refused_s=refused_s)
        )

    async def close_run(self, message_id: int, continuation: Message, now: float) -> bool:
        return await self._changes.carry_on(lambda conn: _outbox.close_run(conn, message_id, continuation, now))

    async def note_write(self, robot: str, moment: Moment, *, forget: int) -> int:
        return await self._changes.carry_on(lambda conn: _outbox.note_write(conn, robot, moment, forget))

    async def recent_writes(self, robot: str) -> list[Write]:
        return await self._units.read(lambda conn: _outbox.recent_writes(conn, robot))

    async def doubt_unfinished_sends(self, now: float) -> int:
        return await self._changes.carry_on(lambda conn: _outbox.doubt_unfinished_sends(conn, now))

    async def delivered(self, paused: Sequence[str]) -> list[tuple[Task, Delivery]]:
        return await self._units.read(lambda conn: _deliveries.delivered(conn, paused))

    # Showing

    async def view(self, task_id: str, owner: str) -> TaskView | None:
        view = await self._units.read(lambda conn: _views.view(conn, task_id, owner))
        return None if view is None else self._as_it_stands(view)

    async def page(
        self, owner: str, *, status: Status | None, q: str | None, since: float | None, limit: int, before: int | None
    ) -> tuple[list[TaskView], int | None]:
        views, following = await self._units.read(
            lambda conn: _views.page(conn, owner, status=status, q=q, since=since, limit=limit, before=before)
        )
        return [self._as_it_stands(view) for view in views], following

    def _as_it_stands(self, view: TaskView) -> TaskView:
        """Say of unfinished tasks that they wait for the disk, which on a full disk cannot be written down."""
        if view.task.status.final or not self._changes.wait_for_disk:
            return view
        return replace(view, task=replace(view.task, waiting_for=Waiting.DISK))

    async def messages(self, task_id: str) -> list[MessageRow]:
        return await self._units.read(lambda conn: _outbox.messages(conn, task_id))

    async def figures(self) -> Figures:
        return await self._units.read(_figures.figures)

    async def prepared(self) -> int:
        return await self._units.read(_figures.prepared)

    async def queue(self, owner: str, limit: int) -> QueueView:
        return await self._units.read(lambda conn: _figures.queue(conn, owner, limit))

    # Keeping

    async def delete(self, task_id: str) -> bool:
        return await self._changes.end(lambda conn: _keeping.delete(conn, task_id))

    async def retire(self, *, texts_before: float, tasks_before: float, limit: int) -> Retired:
        return await self._changes.carry_on(lambda conn: _keeping.retire(conn, texts_before, tasks_before, limit))

    async def give_space_back(self) -> bool:
        return await self._changes.carry_on(_keeping.give_space_back)

    async def adapt_to_disk(self) -> None:
        await asyncio.to_thread(self._ballast.adapt)

    async def back_up(self, path: Path) -> int:
        """Make a consistent copy in a new file while everything goes on; returns its size in bytes.

        Raises:
            CommandFailed: it cannot be made, or is not sound.
            Interrupted: the store was closed meanwhile.
        """
        with backup.draft_of(path) as draft:
            await self._units.copy_into(draft)
        return await asyncio.to_thread(backup.finish, path)

    async def note_devices(self, devices: Sequence[Device], now: float) -> None:
        await self._changes.carry_on(lambda conn: _keeping.note_devices(conn, devices, now))

    async def note_readings(self, readings: Sequence[Reading], now: float) -> None:
        await self._changes.begin(lambda conn: _keeping.note_readings(conn, readings, now))

    async def note_peak(self, where: ModelOnDevice, peak: Peak, now: float) -> None:
        await self._changes.begin(lambda conn: _keeping.note_peak(conn, where, peak, now))

    async def peaks(self) -> Mapping[ModelOnDevice, tuple[Peak, ...]]:
        return await self._units.read(_keeping.peaks)
