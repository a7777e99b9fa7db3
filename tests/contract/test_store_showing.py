"""Showing: what an owner sees of tasks, in lists and one by one."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pipeline.core.messages import MessageState
from pipeline.core.products import Artifacts
from pipeline.core.task import Lane, Options, Priority, Source, Status
from pipeline.ports import Made
from pipeline.task_store import TaskStore, TaskView
from tests.contract.examples import MADE, MEDIA, NOW, OWNER, add, add_for, claimed, compose, run, task


async def listed(
    store: TaskStore,
    owner: str = OWNER,
    *,
    status: Status | None = None,
    q: str | None = None,
    since: float | None = None,
) -> list[str]:
    """Ids of an owner's tasks."""
    views, cursor = await store.page(owner, status=status, q=q, since=since, limit=200, before=None)
    assert cursor is None
    return [view.task.id for view in views]


async def test_view_of_a_new_task(store: TaskStore) -> None:
    """A new task is the first in line, without progress and without messages."""
    await add(store, "a")
    assert TaskView(task("a"), None, position=1, sent=0, pending=0, refused=0) == await store.view("a", OWNER)


async def test_view_of_a_stranger(store: TaskStore) -> None:
    """A stranger's task and one that never was look the same."""
    await add(store, "a", owner="someone")
    assert await store.view("a", OWNER) is None
    assert await store.view("unknown", OWNER) is None
    assert [] == await listed(store)


async def test_position_is_the_place_in_the_order_of_claims(store: TaskStore) -> None:
    """Tasks that wait for their first start are counted from 1 by priority and age; all others have no place."""
    for task_id, priority in (("a", 2), ("b", 4), ("c", 1), ("d", 2)):
        await add(store, task_id, priority=Priority(priority))
    views, _ = await store.page(OWNER, status=None, q=None, since=None, limit=9, before=None)
    assert {"a": 2, "b": 1, "c": 4, "d": 3} == {view.task.id: view.position for view in views}
    await claimed(store, "b")
    a, b = await store.view("a", OWNER), await store.view("b", OWNER)
    assert a is not None
    assert b is not None
    assert (1, None) == (a.position, b.position)


async def test_figures_count_messages_by_state(store: TaskStore) -> None:
    """Planned, sending and in doubt are pending; refused is not sent."""
    await compose(store, "a", run("1", "2", "3"), run("4", "5", "6", "7", robot="x"))
    await compose(store, "b", run("8"))
    ends = (MessageState.SENT, MessageState.SENT, MessageState.REFUSED, MessageState.IN_DOUBT, MessageState.SENDING)
    for number, state in enumerate(ends, start=1):
        await store.mark(number, state, NOW, expected=MessageState.PLANNED)
    view = await store.view("a", OWNER)
    assert view is not None
    assert (2, 4, 1) == (view.sent, view.pending, view.refused)
    views, _ = await store.page(OWNER, status=None, q=None, since=None, limit=9, before=None)
    assert [("b", 0, 1, 0), ("a", 2, 4, 1)] == [(view.task.id, view.sent, view.pending, view.refused) for view in views]


async def test_view_has_all_products_and_a_list_only_the_short_ones(store: TaskStore) -> None:
    """The texts of a task are read with the task, but not for lists."""
    await compose(store, "a", run("1"))
    view = await store.view("a", OWNER)
    views, _ = await store.page(OWNER, status=None, q=None, since=None, limit=9, before=None)
    assert view is not None
    assert MADE["proofread"].product == view.task.artifacts.proofread
    known = view.task.artifacts
    assert Artifacts(known.media, None, known.audio, known.transcript) == views[0].task.artifacts


async def test_pages_follow_each_other(store: TaskStore) -> None:
    """Pages are newest first without gap or repeat, even if tasks are added between them."""
    for number in range(5):
        await add(store, str(number))
    seen, cursor = [], None
    while True:
        views, cursor = await store.page(OWNER, status=None, q=None, since=None, limit=2, before=cursor)
        seen.append([view.task.id for view in views])
        if cursor is None:
            break
        await add(store, f"new {len(seen)}")
    assert [["4", "3"], ["2", "1"], ["0"]] == seen


async def test_page_that_is_just_full_is_the_last(store: TaskStore) -> None:
    """There is no cursor to an empty page."""
    await add(store, "a")
    await add(store, "b")
    _, cursor = await store.page(OWNER, status=None, q=None, since=None, limit=2, before=None)
    assert cursor is None


async def test_list_by_status(store: TaskStore) -> None:
    """Only tasks of the wanted status are listed."""
    await add(store, "a")
    await add(store, "b")
    await claimed(store, "a")
    assert ["a"] == await listed(store, status=Status.PROCESSING)
    assert ["b"] == await listed(store, status=Status.PENDING)
    assert [] == await listed(store, status=Status.COMPLETED)


async def test_list_since(store: TaskStore) -> None:
    """Tasks accepted at this time or later are listed."""
    for seconds in (1, 2, 3):
        await add(store, str(seconds), created_at=NOW + seconds)
    assert ["3", "2"] == await listed(store, since=NOW + 2)


@pytest.mark.parametrize("q", ["GRÜSSE", "straße", "100%", "_x", "\\", "SITE.test/V", "中文", "'"])
async def test_search_takes_every_character_as_itself(store: TaskStore, q: str) -> None:
    """A search finds its letters in title or address, whatever their case, and nothing else."""
    title = "Grüße: 100% _x \\ 中文 ' Strasse"
    await add(store, "hit", source=Source("http://site.test/v", "x"), options=Options("demo", title=title))
    await add(store, "miss", source=Source("http://elsewhere.test/", "y"), options=Options("demo", title="1000 axb"))
    assert ["hit"] == await listed(store, q=q)


async def test_search_knows_the_title_of_the_site(store: TaskStore) -> None:
    """The site's title is searched once it is known, unless the caller named the video."""
    await add_for(store, "a", Lane.ASR)
    await add(store, "b", options=Options("demo", title="named"))
    await store.keep("b", "media", Made(replace(MEDIA, title="A talk too")), NOW)
    assert ["a"] == await listed(store, q="a TALK")
    assert ["b"] == await listed(store, q="named")


async def test_messages_of_an_unknown_task(store: TaskStore) -> None:
    """A task that never was has no messages."""
    assert [] == await store.messages("unknown")
