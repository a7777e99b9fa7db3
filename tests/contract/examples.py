"""Tasks, products and a route to try a store with."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from pipeline.core.admission import Added, AlreadyThere, NewTask, NoRoom
from pipeline.core.lifecycle import Succeeded, settle
from pipeline.core.messages import Kind, Message, Run
from pipeline.core.products import Audio, CleanText, MediaFile, MediaInfo, Paragraph, Summary, TranscriptInfo
from pipeline.core.retry import RetryPolicy
from pipeline.core.task import Lane, LayerState, Options, Source, Stage, Task, first_layers
from pipeline.ports import Made
from pipeline.task_store import TaskStore

OWNER = "owner"
NOW = 1_800_000_000.0
ROOM = 1_000_000


@dataclass(frozen=True)
class ExampleStep:
    """A stage as the state machine sees it."""

    name: Stage
    lane: Lane
    makes: str
    weight: float = 1.0


ROUTE = (
    ExampleStep(Stage.CAPTIONS, Lane.FETCH, "media"),
    ExampleStep(Stage.DOWNLOAD, Lane.FETCH, "file"),
    ExampleStep(Stage.DECODE, Lane.FETCH, "audio"),
    ExampleStep(Stage.TRANSCRIBE, Lane.ASR, "transcript"),
    ExampleStep(Stage.PROOFREAD, Lane.TEXT, "proofread"),
    ExampleStep(Stage.SUMMARIZE, Lane.TEXT, "summary"),
    ExampleStep(Stage.DELIVER, Lane.TEXT, "messages"),
)

MEDIA = MediaInfo("generic", "7", "A talk", "Someone", 61.5, "http://site.test/7")
TRANSCRIPT = TranscriptInfo("en", "asr", "demo", "cpu", 61.5, 2)


def run(*texts: str, robot: str | None = None) -> Run:
    """One run of text messages, numbered."""
    messages = (Message(number, len(texts), Kind.TEXT, "text", text) for number, text in enumerate(texts, start=1))
    return Run(robot, tuple(messages))


MADE = {
    "media": Made(MEDIA),
    "file": Made(MediaFile("media.bin", 12_345)),
    "audio": Made(Audio("audio.s16le", 61.5)),
    "transcript": Made(TRANSCRIPT, ("transcript", LayerState.DONE)),
    "proofread": Made(CleanText((Paragraph(0.0, 61.5, "Good morning."),), "offline"), ("proofread", LayerState.DONE)),
    "summary": Made(Summary("Morning.", "offline"), ("summary", LayerState.SKIPPED_SHORT)),
    "messages": Made((run("one", "two"),)),
}


def task(task_id: str, **changes: Any) -> Task:
    """A task as intake makes it."""
    options = Options(model="demo")
    source = Source(f"http://site.test/{task_id}", f"http://site.test/{task_id}")
    made = Task(task_id, OWNER, source, options, NOW, NOW, max_attempts=4, layers=first_layers(options))
    return replace(made, **changes)


async def add(
    store: TaskStore,
    task_id: str,
    *,
    room: int = ROOM,
    force: bool = False,
    work: str | None = None,
    **changes: Any,
) -> Added | AlreadyThere | NoRoom:
    """Add an example task that is different work from all others, unless ``work`` names the work."""
    new = NewTask(task(task_id, **changes), work or task_id)
    answer = await store.add_all([new], room=room, force=force)
    return answer if isinstance(answer, NoRoom) else answer[0]


async def keep_until(store: TaskStore, task_id: str, lane: Lane | None, *, messages: Made | None = None) -> None:
    """Keep the products of all lanes before ``lane``; None: of all lanes."""
    for step in ROUTE:
        if step.lane is lane:
            return
        made = messages if messages and step.makes == "messages" else MADE[step.makes]
        await store.keep(task_id, step.makes, made, NOW)


async def add_for(store: TaskStore, task_id: str, lane: Lane, **changes: Any) -> None:
    """Add a task that waits for ``lane``."""
    await add(store, task_id, **changes)
    await keep_until(store, task_id, lane)


async def claimed(store: TaskStore, task_id: str, lane: Lane = Lane.FETCH) -> Task:
    """Claim this task and return it as its worker gets it."""
    settled = await store.claim(lane, NOW, task_id)
    assert settled is not None
    return settled.task


async def compose(store: TaskStore, task_id: str, *runs: Run) -> None:
    """Bring a new task to delivery, with these runs of messages."""
    await add(store, task_id)
    await claimed(store, task_id)
    await keep_until(store, task_id, None, messages=Made(runs))
    await leave(store, task_id)


async def leave(store: TaskStore, task_id: str) -> None:
    """Let the worker of a task come back with success."""
    stored = await store.get(task_id)
    assert stored is not None
    settled = settle(stored, Succeeded(task_id, Lane.FETCH), ROUTE, RetryPolicy(3, 5.0), NOW, 0.0)
    assert await store.save(settled, expected=stored.status)
