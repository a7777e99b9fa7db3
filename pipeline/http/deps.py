"""What the views work with, and what a view is."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

from aiohttp import web
from pydantic import BaseModel

from pipeline.config import Live, Settings
from pipeline.control import Control
from pipeline.engine.fleet import Fleet
from pipeline.events import EventBus
from pipeline.intake import Intake
from pipeline.keyring import Keyring
from pipeline.monitor import Monitor
from pipeline.outbox import Outbox
from pipeline.refusals import Refusal
from pipeline.task_store import TaskStore


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
    monitor: Monitor
    fleet: Fleet
    outbox: Outbox
    keyring: Keyring
    bus: EventBus
    live: Live
    readiness: Callable[[], Sequence[Missing]]
    """What is missing at this moment; nothing when the daemon is ready."""
    version: str
    body_timeout_s: float = 15.0
    """How long the body of a request may take to arrive, and a file may stand still on its way."""

    @property
    def settings(self) -> Settings:
        """The settings in force at this moment."""
        return self.live.settings


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
    """One line of the route table: what answers a request, and what is promised of the answer."""

    method: str
    path: str
    view: View
    query: frozenset[str] | None = frozenset()
    """The query parameters it knows, any other is refused; None: it looks at none, so all are let pass."""
    headers: tuple[str, ...] = ()
    """The request headers that mean something to it."""
    public: bool = False
    """Whether it needs no token."""
    body: type[BaseModel] | None = None
    """The JSON body it takes."""
    body_needed: bool = True
    form: bool = False
    """Whether it takes a form with a file and the same fields as well."""
    answers: Mapping[int, tuple[type[BaseModel], ...]] = field(default_factory=dict)
    """What the envelope may hold, by status."""
    bare: tuple[str, ...] = ()
    """Media types that it answers with outside the envelope, with status 200."""
    refusals: tuple[type[Refusal], ...] = ()
    """What it may refuse with, beside what every route may."""
