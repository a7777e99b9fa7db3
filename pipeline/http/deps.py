"""What the views work with, and what a view is."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from aiohttp import web

from pipeline.config import Settings
from pipeline.control import Control
from pipeline.events import EventBus
from pipeline.intake import Intake
from pipeline.keyring import Keyring
from pipeline.ports import TaskStore


@dataclass(frozen=True, slots=True)
class Missing:
    """Something the daemon needs before it can do its work, with its cure."""

    what: str
    """A stable name for programs."""
    message: str
    message_zh: str


@dataclass(frozen=True, slots=True)
class Deps:
    """The parts of the daemon that the API shows."""

    store: TaskStore
    intake: Intake
    control: Control
    keyring: Keyring
    bus: EventBus
    settings: Settings
    readiness: Callable[[], Sequence[Missing]]
    """What is missing at this moment; nothing when the daemon is ready."""
    version: str
    body_timeout_s: float = 15.0
    """How long the body of a request may take to arrive."""


@dataclass(frozen=True, slots=True)
class Call:
    """One request that passed the door."""

    request: web.Request
    owner: str
    """Whose tasks it may see; nobody's on a public route."""
    query: Mapping[str, str]


View = Callable[[Deps, Call], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class Route:
    """One line of the route table."""

    method: str
    path: str
    view: View
    query: frozenset[str] | None = frozenset()
    """The query parameters it knows, any other is refused; None: it looks at none, so all are let pass."""
    public: bool = False
    """Whether it needs no token."""
