"""What the house asks of its store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from pipeline.core.admission import Added, AlreadyThere, KeyTaken, NewTask, NoRoom, Replayed, RequestKey
from pipeline.core.device import Device, Reading
from pipeline.core.figures import Figures, QueueView
from pipeline.core.lifecycle import Delivery, Settled
from pipeline.core.memory import ModelOnDevice, Peak
from pipeline.core.messages import Message, MessageRow, MessageState, Outgoing, Run, Write
from pipeline.core.moment import Moment
from pipeline.core.progress import Progress
from pipeline.core.task import FREE, Lane, Priority, Stage, Status, Task, Usage, Waiting
from pipeline.core.transcript import Segment
from pipeline.ports import Answer, Made, Reply, TooLong


@dataclass(frozen=True, slots=True)
class TaskView:
    """A task with the figures its state shows."""

    task: Task
    progress: Progress | None
    position: int | None
    """Place among the tasks that wait for their first start, counted from 1."""
    sent: int
    pending: int
    refused: int
    usage: Usage = FREE


@dataclass(frozen=True, slots=True)
class Retired:
    """What was too old to be kept or listed any longer."""

    tasks: tuple[str, ...]
    """Ids of those removed whole."""
    texts: tuple[str, ...]
    """Ids of those whose text was removed."""
    unlisted: int

    @property
    def count(self) -> int:
        """How many tasks were changed."""
        return len(self.tasks) + len(self.texts) + self.unlisted


@dataclass(frozen=True, slots=True)
class Waiter:
    """A task that waits for a device, as far as it matters for where it goes."""

    task_id: str
    model: str
    priority: Priority
    is_suspect: bool
    """Whether an engine has died while it worked on it."""
    waiting_for: Waiting | None


class TaskStore(Protocol):
    """Where tasks live. Every change is one transaction, durable when the call returns.

    While it cannot be stored, because the disk is full or another program holds the database, what carries work on
    waits as long as it takes. What somebody asks for (``add_all``, ``end``, ``restart``, ``send_again``, ``delete``),
    and readings of progress, which are soon out of date, raise ``DiskFull`` or, after a few seconds, ``DbBusy``.
    """

    # accepting
    async def add_all(
        self, new: Sequence[NewTask], *, room: int, force: bool, key: RequestKey | None = None
    ) -> tuple[Added | AlreadyThere, ...] | NoRoom | Replayed | KeyTaken:
        """Store several tasks, but those whose work is there already: all of them, or none.

        Args:
            new: the tasks, each with its products so far.
            room: how many unfinished tasks there may be, these included.
            force: store all of them, whatever is there.
            key: names the request; the answer is remembered with the tasks unless there is no room.
        """
        ...

    async def recall(self, key: RequestKey) -> Replayed | KeyTaken | None:
        """How a request of this key was answered; None if none was accepted in the last ``KEY_LIFE_S``."""
        ...

    # moving
    async def claim(
        self,
        lane: Lane,
        now: float,
        task_id: str | None = None,
        *,
        hosts_left_alone: Sequence[str] = (),
        device: str | None = None,
    ) -> Settled | None:
        """Give the lane's next waiting task (or this one) to a worker; None if none may start now.

        FETCH and ASR go by priority and within one by owners in turn, TEXT by sequence.

        Args:
            lane: of the worker.
            now: seconds since the epoch; whether the time of a task's next attempt has come, the store knows itself.
            task_id: of the one task that is wanted, if it is.
            hosts_left_alone: the next task is none whose media comes from these.
            device: where it was placed.
        """
        ...

    async def waiting(self, lane: Lane, *, after: int = 0, limit: int = 100) -> list[Task]:
        """Tasks that wait for this lane and may start, next first; TEXT by sequence, above ``after``."""
        ...

    async def waiting_for_devices(self, each: int) -> list[Waiter]:
        """Of every model the first ``each`` tasks that wait for a device and may start, best first."""
        ...

    async def next_due(self) -> float | None:
        """When the next retrying task may start; None if no task is retrying."""
        ...

    async def save(self, settled: Settled, *, expected: Status, runs: Sequence[Run] = ()) -> bool:
        """Store a change and the runs that announce it, if the status is still ``expected``.

        A task that is to be tried again waits at the end of its owner's line, as long as from ``updated_at`` to
        ``not_before`` and no other time, even if somebody sets the clock.
        """
        ...

    async def end(self, settled: Settled, *, expected: Status, closing: Message) -> bool:
        """Store the end of a task that a worker may still have in hand, if its status is still ``expected``.

        Its unsent messages are dropped; a run that has begun ends with ``closing``.
        """
        ...

    async def release(self, task_id: str) -> None:
        """Note that the worker of a task that was ended has let go of it."""
        ...

    async def restart(self, settled: Settled, *, expected: Status, dropped: Sequence[str]) -> bool:
        """Store that a finished task starts again without these products, at the end of its owner's line.

        False if its status is not ``expected``, or a worker still has it in hand.
        """
        ...

    async def send_again(self, settled: Settled, *, expected: Status) -> bool:
        """Store that a task's latest runs go out once more, unchanged, if its status is still ``expected``."""
        ...

    async def orphans(self) -> list[Task]:
        """Tasks that a worker of an earlier boot had in hand.

        Those among them at which work had begun and stored nothing since take equal shares of the blame.
        """
        ...

    # working
    async def get(self, task_id: str) -> Task | None: ...
    async def enter(self, task_id: str, stage: Stage, now: float) -> bool:
        """Note that a worker began this stage; False if the task is not processing any more."""
        ...

    async def begin(self, task_id: str) -> None:
        """Note that from now on the work on a task may bring down what does it; what is stored next takes it back."""
        ...

    async def wait_for(self, task_id: str, waiting_for: str | None, now: float) -> None:
        """Note what a task between lanes waits for."""
        ...

    async def keep(self, task_id: str, makes: str, made: Made, now: float, took_s: float | None = None) -> bool:
        """Store a stage's product and how long it took; a transcript gets its number, runs are frozen, all in one.

        False, and nothing is stored, if the task has come to its end.
        """
        ...

    async def drop(self, task_id: str, makes: Sequence[str]) -> None:
        """Forget products whose files are gone."""
        ...

    async def keep_segments(self, task_id: str, segments: Sequence[Segment], language: str | None = None) -> None:
        """Store segments that are final, and the language they are in; what is there already stays."""
        ...

    async def segments(self, task_id: str) -> tuple[Segment, ...]: ...
    async def keep_reply(self, task_id: str, key: str, reply: Reply) -> None:
        """Add what a reply cost to the task's usage, and store it until the stage has made its product."""
        ...

    async def reply(self, task_id: str, key: str) -> Answer | TooLong | None:
        """The reply stored under this key, as one that costs nothing more."""
        ...

    async def note_progress(self, latest: Mapping[str, Progress], now: float) -> None:
        """Store the latest reading of several tasks; a percent never falls."""
        ...

    # delivering
    async def announce(self, task_id: str, runs: Sequence[Run], now: float) -> None:
        """Freeze notices, each dropped where its robot has unsent messages: a notice is worth nothing late.

        Nor is it once the task has come to its end.
        """
        ...

    async def lanes(self) -> dict[str | None, int]:
        """Robots that have unsent messages, the longest waiting first, and how many."""
        ...

    async def next_message(self, robot: str | None) -> Outgoing | None:
        """The first unsent message of the robot's first unfinished run."""
        ...

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
        """Change a message's state if it is still ``expected``; ``refused_s`` more it was refused.

        A task that was completed while this message was held warns of it no more.
        """
        ...

    async def close_run(self, message_id: int, continuation: Message, now: float) -> bool:
        """Let the rest of a run, from this message on, go out behind all others, ``continuation`` before it.

        False if the message is no longer planned.
        """
        ...

    async def note_write(self, robot: str, moment: Moment, *, forget: int) -> int:
        """Note that a request goes out to the robot, and forget those up to ``forget``; returns its id."""
        ...

    async def recent_writes(self, robot: str) -> list[Write]:
        """The requests to this robot that were not forgotten, oldest first."""
        ...

    async def doubt_unfinished_sends(self, now: float) -> int:
        """Mark what an earlier boot was sending as in doubt; returns how many."""
        ...

    async def delivered(self, paused: Sequence[str]) -> list[tuple[Task, Delivery]]:
        """Tasks whose messages have all come to rest, or are held by one of these paused robots."""
        ...

    # showing
    async def view(self, task_id: str, owner: str) -> TaskView | None: ...
    async def page(
        self, owner: str, *, status: Status | None, q: str | None, since: float | None, limit: int, before: int | None
    ) -> tuple[list[TaskView], int | None]:
        """One page of tasks, newest first, and where the next one begins."""
        ...

    async def messages(self, task_id: str) -> list[MessageRow]: ...
    async def figures(self) -> Figures: ...
    async def prepared(self) -> int:
        """How many tasks are fetched and wait for a device."""
        ...

    async def queue(self, owner: str, limit: int) -> QueueView:
        """Who waits for what; of the owner's own tasks, the first ``limit`` by lane and place."""
        ...

    # keeping
    async def delete(self, task_id: str) -> bool:
        """Remove a finished task with everything that belongs to it; False if it has not finished."""
        ...

    async def retire(self, *, texts_before: float, tasks_before: float, limit: int) -> Retired:
        """Remove what is old, of at most ``limit`` tasks of each kind; a task that still has something to send is kept.

        Args:
            texts_before: texts of tasks that finished before this time are removed.
            tasks_before: tasks that finished before this time are no longer listed, and without a text removed.
            limit: the rest is for the next call.
        """
        ...

    async def give_space_back(self) -> bool:
        """Give a little of the space that is not used any more back to the disk; False if there is none left."""
        ...

    async def adapt_to_disk(self) -> None:
        """Set a little room aside for work that is under way, where the disk has plenty."""
        ...

    def wait_no_longer(self) -> None:
        """Have every change that cannot be stored now raise ``Interrupted``: the daemon is about to end."""
        ...

    async def note_devices(self, devices: Sequence[Device], now: float) -> None:
        """Store which devices there are, in place of those stored before."""
        ...

    async def note_readings(self, readings: Sequence[Reading], now: float) -> None:
        """Store how it stands with devices; soon out of date, so raises ``DiskFull`` or ``DbBusy`` as progress does."""
        ...

    async def note_peak(self, where: ModelOnDevice, peak: Peak, now: float) -> None:
        """Store what a model was measured to take on a device, in place of the oldest if there are many.

        Raises ``DiskFull`` or ``DbBusy`` as readings do.
        """
        ...

    async def peaks(self) -> Mapping[ModelOnDevice, tuple[Peak, ...]]:
        """Everything measured, the latest last."""
        ...
