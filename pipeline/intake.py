"""Accept videos: check the request, store the tasks, then hint the queue."""

from __future__ import annotations

import math
import secrets
import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path

import structlog

from pipeline.config import Live, Settings
from pipeline.core.addresses import Address, AddressPolicy, check_address
from pipeline.core.admission import Accepted, Added, AlreadyThere, KeyTaken, NewTask, NoRoom, Replayed, RequestKey
from pipeline.core.products import Artifacts, MediaFile
from pipeline.core.share_text import first_link
from pipeline.core.submission import Submission, work_key
from pipeline.core.task import Options, Source, Task, first_layers
from pipeline.core.uploads import source_of_upload
from pipeline.failures import DiskFull
from pipeline.incoming import UPLOAD_NAME, Incoming
from pipeline.refusals import (
    IdempotencyConflict,
    InvalidValue,
    ModelUnavailable,
    QueueFull,
    Refusal,
    ShuttingDown,
    UrlRefused,
)
from pipeline.task_store import TaskStore

log = structlog.get_logger()

SOONEST_S, LATEST_S = 1, 120
"""Between these, in seconds, a caller is asked to come back to a full queue."""
RESTART_S = 5
"""After so many seconds a daemon that is stopping may be back."""

KEY_HEADER = "Idempotency-Key"
"""Header by which a caller names a request."""

_DIGITS = "0123456789abcdefghjkmnpqrstvwxyz"


class Intake:
    """The one door through which tasks come in."""

    def __init__(
        self,
        store: TaskStore,
        live: Live,
        hint: Callable[[str], None],
        work_folder: Callable[[str], Path],
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Open the door.

        Args:
            store: where an accepted task is stored before the caller hears of it.
            live: limits, and what a request leaves open.
            hint: told the id of a stored task; losing a hint only delays the task.
            work_folder: tells by a task's id where its files lie.
            clock: seconds since the epoch.
        """
        self._store = store
        self._live = live
        self._hint = hint
        self._work_folder = work_folder
        self._clock = clock
        download = live.settings.download
        self._policy = AddressPolicy.parse(download.allow_hosts, download.allow_ports)
        # The start stands for the first acceptance, so that a queue found full has an age.
        self._accepted_at = deque([clock()], maxlen=self._room)
        self._closed = False

    @property
    def _settings(self) -> Settings:
        return self._live.settings

    @property
    def _room(self) -> int:
        concurrent = self._settings.concurrent
        return concurrent.max_workers + concurrent.queue_size

    async def accept(self, wanted: Submission, owner: str, key: RequestKey | None = None) -> Accepted:
        """Store a task for this submission, or find the one that does the same work; raises as ``accept_all``."""
        return (await self.accept_all([wanted], owner, key))[0]

    async def accept_all(
        self, wanted: Sequence[Submission], owner: str, key: RequestKey | None = None
    ) -> list[Accepted]:
        """Store a task for each submission, or find the one that does the same work: for all of them, or for none.

        A request that was accepted under this ``key`` before is answered as it was then, and nothing is done.

        Raises:
            IdempotencyConflict: the key stands for another request.
            UrlRefused: an address may not be fetched.
            ModelUnavailable: the model is not named in the configuration.
            InvalidValue: the robot is not named in the configuration.
            QueueFull: nothing was stored; it says when to try again.
            ShuttingDown: the daemon takes no new work.
        """
        self._check_open()
        if key and (known := await self._store.recall(key)):
            return _as_before(known, owner)
        new = [NewTask(task, work_key(task)) for task in (self._task(each, owner) for each in wanted)]
        force = any(each.force for each in wanted)
        match await self._store.add_all(new, room=self._room, force=force, key=key):
            case NoRoom() as full:
                raise self._no_room(full)
            case Replayed() | KeyTaken() as known:  # the same request, at the same moment
                return _as_before(known, owner)
            case outcomes:
                pairs = zip((each.task for each in new), outcomes, strict=True)
                return [self._accepted(task, outcome) for task, outcome in pairs]

    def _accepted(self, task: Task, outcome: Added | AlreadyThere) -> Accepted:
        if isinstance(outcome, Added):
            self._accepted_at.append(task.created_at)
            self._hint(task.id)
            log.info("accepted", task=task.id, owner=task.owner, priority=task.priority.name.lower())
        return Accepted.of(task, outcome)

    def receive(self) -> Incoming:
        """Make room for a file that is about to come.

        Raises:
            ShuttingDown: the daemon takes no new work.
        """
        self._check_open()
        task_id = new_id(self._clock())
        return Incoming(
            task_id,
            self._work_folder(task_id),
            max_mb=self._settings.api.max_upload_mb,
            min_free_gb=self._settings.storage.min_free_gb,
        )

    async def accept_upload(
        self, wanted: Submission, incoming: Incoming, owner: str, key: RequestKey | None = None
    ) -> Accepted:
        """Accept a file that has come whole, and remove it unless a new task needs it; raises as ``accept``.

        Not to be cancelled: between the two steps nobody would know whether the file has a task.
        """
        try:
            accepted = await self.accept(wanted, owner, key)
        except (Refusal, DiskFull):
            await incoming.discard()
            raise
        if accepted.task_id != incoming.task_id:
            await incoming.discard()
        return accepted

    def close(self) -> None:
        """Take no new work from now on."""
        self._closed = True

    @property
    def closed(self) -> bool:
        """Whether no new work is taken."""
        return self._closed

    def _check_open(self) -> None:
        if self._closed:
            raise ShuttingDown(retry_after=RESTART_S)

    def _task(self, wanted: Submission, owner: str) -> Task:
        options = self._options(wanted)
        now = self._clock()
        upload = wanted.upload
        return Task(
            id=upload.task_id if upload else new_id(now),
            owner=owner,
            source=self._source(wanted),
            options=options,
            artifacts=Artifacts(file=MediaFile(UPLOAD_NAME, upload.size_bytes) if upload else None),
            created_at=now,
            updated_at=now,
            priority=wanted.priority,
            client_ref=wanted.client_ref,
            max_attempts=1 + self._settings.scheduler.max_retries,
            layers=first_layers(options),
        )

    def _source(self, wanted: Submission) -> Source:
        if wanted.upload:
            return source_of_upload(wanted.url, wanted.upload.sha256)
        page = self._address(first_link(wanted.url), wanted.param)
        if wanted.download_url is None:
            return Source(page.url, page.canonical)
        media = self._address(wanted.download_url, "download_url")
        return Source(page.url, f"{page.canonical} {media.canonical}", media.url)

    def _address(self, url: str, param: str) -> Address:
        try:
            return check_address(url, self._policy)
        except UrlRefused as refusal:
            refusal.param = param
            raise

    def _options(self, wanted: Submission) -> Options:
        transcribe, wechat = self._settings.transcribe, self._settings.wechat
        return Options(
            model=self._model(wanted.model),
            language=wanted.language or (None if transcribe.language == "auto" else transcribe.language),
            hotwords=wanted.hotwords,
            prompt=wanted.prompt,
            sequential=wanted.sequential,
            word_times=wanted.word_times,
            proofread=wanted.proofread,
            summarize=wanted.summarize,
            script=wanted.script or transcribe.script,
            notify=wanted.notify or wechat.notify,
            robots=self._robots(wanted.robot),
            title=wanted.title,
            author=wanted.author,
            description=wanted.description,
        )

    def _model(self, name: str | None) -> str:
        transcribe = self._settings.transcribe
        known = (transcribe.model, *transcribe.models)
        if name is None or name == "auto":
            return transcribe.model
        if name not in known:
            raise ModelUnavailable(param="model", more={"models": list(known)})
        return name

    def _robots(self, name: str | None) -> tuple[str, ...]:
        known = tuple(robot.name for robot in self._settings.wechat.robots)
        if name is None:
            return known
        if name not in known:
            raise InvalidValue(
                "not the name of a robot in wechat.webhook", param="wechat_webhook", more={"robots": list(known)}
            )
        return (name,)

    def _no_room(self, full: NoRoom) -> QueueFull:
        """Estimate from the latest acceptances: as many places became free in that time as were taken again."""
        concurrent = self._settings.concurrent
        pace_s = (self._clock() - self._accepted_at[0]) / len(self._accepted_at)
        never = f"{full.new} at once are more than ever fit: max_workers + queue_size = {self._room}"
        return QueueFull(
            never if full.new > self._room else "",
            retry_after=min(LATEST_S, max(SOONEST_S, math.ceil(pace_s))),
            more={
                "max_workers": concurrent.max_workers,
                "queue_size": concurrent.queue_size,
                "unfinished": full.unfinished,
            },
        )


def _as_before(known: Replayed | KeyTaken, owner: str) -> list[Accepted]:
    if isinstance(known, KeyTaken):
        raise IdempotencyConflict(param=KEY_HEADER)
    log.info("answered as before", owner=owner, tasks=[each.task_id for each in known.accepted])
    return list(known.accepted)


def new_id(now: float) -> str:
    """Make an id that nobody can guess and that sorts by time, to the millisecond; 26 of ``[0-9a-z]``."""
    number = round(now * 1000) << 80 | secrets.randbits(80)
    return "".join(_DIGITS[number >> shift & 31] for shift in range(125, -1, -5))
