"""Working: stages, products, segments and progress of a task in hand."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from pipeline.core.lifecycle import Cause, Settled
from pipeline.core.products import Artifacts, Composed
from pipeline.core.progress import Progress, Reading
from pipeline.core.task import Lane, LayerState, Stage, Status, TaskWarning, Usage, Waiting
from pipeline.core.transcript import Segment, Word
from pipeline.llm_failures import LlmUnavailable
from pipeline.ports import Answer, Made, TooLong, Unanswered
from pipeline.task_store import TaskStore
from tests.contract.conftest import SqliteStores
from tests.contract.examples import MADE, MEDIA, NOW, OWNER, TRANSCRIPT, add, claimed, keep_until, leave, run, task

WARNING = TaskWarning("no_speech", "no speech", "没有人声")


async def test_enter_notes_the_stage(store: TaskStore) -> None:
    """A worker that begins a stage is no longer waiting."""
    await add(store, "a", waiting_for=Waiting.DISK)
    await claimed(store, "a")
    await store.enter("a", Stage.DOWNLOAD, NOW + 3)
    stored = await store.get("a")
    assert stored is not None
    assert (Stage.DOWNLOAD, None, NOW + 3) == (stored.stage, stored.waiting_for, stored.updated_at)


async def test_enter_leaves_a_finished_task_alone(store: TaskStore) -> None:
    """A worker that begins a stage too late does not change where the task ended."""
    done = task("a", status=Status.CANCELLED, stage=Stage.QUEUED)
    await add(store, "a", status=Status.CANCELLED, stage=Stage.QUEUED)
    await store.enter("a", Stage.DOWNLOAD, NOW + 3)
    assert done == await store.get("a")


async def test_wait_for_is_for_tasks_that_nobody_has_in_hand(store: TaskStore) -> None:
    """What a waiting task waits for can be noted and taken back; a running one waits for nothing."""
    await add(store, "a")
    await store.wait_for("a", Waiting.MODEL, NOW + 1)
    assert task("a", waiting_for=Waiting.MODEL, updated_at=NOW + 1) == await store.get("a")
    await store.wait_for("a", Waiting.MODEL, NOW + 2)
    assert task("a", waiting_for=Waiting.MODEL, updated_at=NOW + 1) == await store.get("a")
    await store.wait_for("a", None, NOW + 3)
    assert task("a", updated_at=NOW + 3) == await store.get("a")
    before = await claimed(store, "a")
    await store.wait_for("a", Waiting.DISK, NOW + 4)
    assert before == await store.get("a")


async def test_products_read_back_equal(stores: SqliteStores) -> None:
    """Every product reads back as the same value, also at the next boot."""
    store = await stores.boot("boot 1")
    await add(store, "a")
    await keep_until(store, "a", None)
    made = {name: made.product for name, made in MADE.items() if name != "messages"}
    expected = Artifacts(**made, messages=Composed(2))  # type: ignore[arg-type]
    for boot in ("boot 1", "boot 2"):
        stored = await (await stores.boot(boot)).get("a")
        assert stored is not None
        assert expected == stored.artifacts


async def test_keep_moves_the_task_to_the_lane_of_the_next_product(store: TaskStore) -> None:
    """Each product lets the task wait for the lane of the first one that is missing."""
    await add(store, "a")
    lanes = []
    for name in MADE:
        waiting = [lane for lane in Lane if await store.waiting(lane)]
        lanes += waiting
        await store.keep("a", name, MADE[name], NOW)
    assert [Lane.FETCH] * 3 + [Lane.ASR] + [Lane.TEXT] * 3 == lanes
    assert [] == [lane for lane in Lane if await store.waiting(lane)]


async def test_keep_notes_layer_and_warning(store: TaskStore) -> None:
    """The layer a product stands for changes with it, and a warning is given once."""
    await add(store, "a")
    await store.keep("a", "media", Made(MEDIA, None, (WARNING,)), NOW + 1)
    again = replace(WARNING, message="another")
    await store.keep("a", "transcript", Made(TRANSCRIPT, ("transcript", LayerState.PARTIAL), (again,)), NOW + 2)
    stored = await store.get("a")
    assert stored is not None
    assert (WARNING,) == stored.warnings
    assert {"transcript": LayerState.PARTIAL, "proofread": LayerState.PENDING}.items() <= dict(stored.layers).items()
    assert NOW + 2 == stored.updated_at


async def test_keep_again_changes_nothing(store: TaskStore) -> None:
    """A product is set once: number, layers, warnings, times and messages stay as the first one made them."""
    await add(store, "a")
    await keep_until(store, "a", None)
    before, messages = await store.get("a"), await store.messages("a")
    await store.keep("a", "media", Made(replace(MEDIA, title="another")), NOW + 9)
    await store.keep("a", "transcript", Made(TRANSCRIPT, ("transcript", LayerState.FAILED), (WARNING,)), NOW + 9)
    await store.keep("a", "messages", Made((run("another"),)), NOW + 9)
    assert before == await store.get("a")
    assert messages == await store.messages("a")


async def test_keep_for_a_task_that_is_gone(store: TaskStore) -> None:
    """A product of an unknown task is not stored."""
    await store.keep("a", "transcript", MADE["transcript"], NOW)
    await add(store, "a")
    assert task("a") == await store.get("a")


async def test_transcripts_are_numbered_in_the_order_they_come(stores: SqliteStores) -> None:
    """Fifty transcripts at once get the numbers 1 to 50; the next boot goes on with 51."""
    store = await stores.boot("boot 1")
    ids = [str(number) for number in range(50)]
    for task_id in [*ids, "last"]:
        await add(store, task_id)
    await asyncio.gather(*(store.keep(task_id, "transcript", MADE["transcript"], NOW) for task_id in ids))
    stored = [await store.get(task_id) for task_id in ids]
    assert list(range(1, 51)) == [task.sequence for task in stored if task]
    store = await stores.boot("boot 2")
    await store.keep("last", "transcript", MADE["transcript"], NOW)
    last = await store.get("last")
    assert last is not None
    assert 51 == last.sequence


async def test_drop_takes_the_task_back(store: TaskStore) -> None:
    """Products that were dropped are missing again, and the task waits where they are made."""
    await add(store, "a")
    await keep_until(store, "a", Lane.ASR)
    await store.drop("a", ["file", "audio"])
    stored = await store.get("a")
    assert stored is not None
    assert Artifacts(media=MEDIA) == stored.artifacts
    assert ["a"] == [task.id for task in await store.waiting(Lane.FETCH)]
    await store.keep("a", "file", MADE["file"], NOW)
    await store.keep("a", "audio", MADE["audio"], NOW)
    assert ["a"] == [task.id for task in await store.waiting(Lane.ASR)]


async def test_drop_of_what_is_not_there(store: TaskStore) -> None:
    """Dropping nothing, or from an unknown task, changes nothing."""
    await add(store, "a")
    await store.drop("a", ["audio"])
    await store.drop("unknown", ["audio"])
    assert task("a") == await store.get("a")


async def test_segments_are_kept_once_and_in_order(store: TaskStore) -> None:
    """Segments read back equal and by id; one that comes a second time stays as it was."""
    words = (Word(0.5, 1.0, " Hello", 0.9), Word(1.0, 1.25, " 世界", 0.5))
    segments = [Segment(0, 0.0, 1.25, " Hello 世界", words), Segment(1, 1.25, 2.5, " again"), Segment(2, 2.5, 3.0, "")]
    await add(store, "a")
    await add(store, "b")
    await store.keep_segments("a", segments[1:])
    await store.keep_segments("a", [segments[0], replace(segments[1], text="another")])
    assert tuple(segments) == await store.segments("a")
    assert () == await store.segments("b")


async def test_the_first_language_that_was_heard_stays(store: TaskStore) -> None:
    """A task knows the language of its first stored segments, whatever later ones are said to be in."""
    await add(store, "a")
    for place, language in enumerate((None, "en", "de")):
        await store.keep_segments("a", [Segment(place, place, place + 1.0, "text")], language)
    assert "en" == (await claimed(store, "a")).heard_language


async def test_replies_are_kept_until_their_stage_is_done(stores: SqliteStores) -> None:
    """A reply reads back equal at the next boot, but costs nothing more; with the next product all are forgotten."""
    store = await stores.boot("boot 1")
    for task_id in ("a", "b"):
        await add(store, task_id)
        await keep_until(store, task_id, Lane.TEXT)
        await store.keep_reply(task_id, "1", Answer("Good morning.", "m", Usage(10, 5)))
    await store.keep_reply("a", "2", TooLong("m", Usage(100, 50)))
    await store.keep_reply("a", "3", Unanswered(LlmUnavailable("m: silent"), Usage(1000, 0)))
    store = await stores.boot("boot 2")
    expected = [Answer("Good morning.", "m"), TooLong("m"), None, None]
    assert expected == [await store.reply("a", key) for key in ("1", "2", "3", "4")]
    await store.keep("a", "proofread", MADE["proofread"], NOW)
    assert [None, None] == [await store.reply("a", key) for key in ("1", "2")]
    assert Answer("Good morning.", "m") == await store.reply("b", "1")


async def test_usage_adds_up(store: TaskStore) -> None:
    """A task pays for every reply, answered or not, each once more where it is kept once more."""
    await add(store, "a")
    for reply in (
        Answer("one", "m", Usage(10, 5)),
        Unanswered(LlmUnavailable(), Usage(3, 0)),
        TooLong("m", Usage(1, 1)),
    ):
        await store.keep_reply("a", "1", reply)
    view = await store.view("a", OWNER)
    assert view is not None
    assert Usage(14, 6) == view.usage
    assert Answer("one", "m") == await store.reply("a", "1")


async def test_reply_for_a_task_that_is_gone(store: TaskStore) -> None:
    """A reply for an unknown task is not stored."""
    await store.keep_reply("unknown", "1", Answer("one", "m"))
    assert await store.reply("unknown", "1") is None


def measured(percent: float, **fields: float | None) -> Progress:
    """A reading in the middle of the transcription."""
    return Progress(percent, Reading(Stage.TRANSCRIBE, 0.5, **fields))  # type: ignore[arg-type]


async def test_percent_never_falls(store: TaskStore) -> None:
    """The latest reading is shown with the highest percent so far."""
    for task_id in ("a", "b"):
        await add(store, task_id)
        await claimed(store, task_id)
    await store.note_progress({"a": measured(40.0), "b": measured(7.5)}, NOW + 1)
    await store.note_progress({"a": measured(30.0, speed=12.5, source_total_s=61.5)}, NOW + 2)
    a, b = await store.view("a", OWNER), await store.view("b", OWNER)
    assert a is not None
    assert b is not None
    assert measured(40.0, speed=12.5, source_total_s=61.5) == a.progress
    assert measured(7.5) == b.progress
    assert (NOW + 2, NOW + 1) == (a.task.updated_at, b.task.updated_at)


@pytest.mark.parametrize(("status", "percent"), [(Status.COMPLETED, 100.0), (Status.FAILED, 40.0)])
async def test_late_reading_does_not_move_a_finished_task(store: TaskStore, status: Status, percent: float) -> None:
    """A reading that comes after the end is forgotten."""
    await add(store, "a")
    running = await claimed(store, "a")
    await store.note_progress({"a": measured(40.0)}, NOW)
    await store.save(Settled(replace(running, status=status), Cause.FINISHED), expected=Status.PROCESSING)
    await store.note_progress({"a": measured(90.0)}, NOW)
    view = await store.view("a", OWNER)
    assert view is not None
    assert measured(percent) == view.progress


async def test_work_goes_on_between_lanes(store: TaskStore) -> None:
    """A worker that comes back leaves the task waiting for the next lane, with everything it made."""
    await add(store, "a")
    await claimed(store, "a")
    await keep_until(store, "a", Lane.ASR)
    await leave(store, "a")
    stored = await store.get("a")
    assert stored is not None
    assert (Status.PROCESSING, Stage.TRANSCRIBE, Waiting.DEVICE) == (stored.status, stored.stage, stored.waiting_for)
    assert [stored] == await store.waiting(Lane.ASR)
