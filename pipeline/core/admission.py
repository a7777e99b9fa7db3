"""What is accepted, and what a caller is told of it: new tasks, the work that is there, requests that came before."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.core.task import Status, Task


@dataclass(frozen=True, slots=True)
class NewTask:
    """A task that wants to be stored, with what is already made for it, and the name of its work."""

    task: Task
    work_key: str


@dataclass(frozen=True, slots=True)
class Added:
    """The task is stored."""


@dataclass(frozen=True, slots=True)
class AlreadyThere:
    """The same work is stored already, under this id."""

    task_id: str
    status: Status


@dataclass(frozen=True, slots=True)
class NoRoom:
    """As many tasks are waiting for a transcript as may be."""

    unfinished: int
    new: int
    """How many more there would be."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """What a caller is told of one submission: the task that does the work, an older one if ``duplicate_of`` is set."""

    task_id: str
    status: Status
    duplicate_of: str | None
    client_ref: str | None

    @classmethod
    def of(cls, task: Task, outcome: Added | AlreadyThere) -> Accepted:
        """Say what became of the submission that ``task`` was made of."""
        if isinstance(outcome, AlreadyThere):
            return cls(outcome.task_id, outcome.status, outcome.task_id, task.client_ref)
        return cls(task.id, task.status, None, task.client_ref)


@dataclass(frozen=True, slots=True)
class RequestKey:
    """A caller's name for one request: within ``KEY_LIFE_S`` the same again is answered as it was, and does nothing."""

    owner: str
    key: str
    body: str
    """Digest of all that was asked."""


KEY_LIFE_S = 24 * 3600.0
"""Seconds for which an accepted request is remembered by its key."""


@dataclass(frozen=True, slots=True)
class Replayed:
    """The request was accepted before, with this answer."""

    accepted: tuple[Accepted, ...]


@dataclass(frozen=True, slots=True)
class KeyTaken:
    """The key stands for a request with another body."""
