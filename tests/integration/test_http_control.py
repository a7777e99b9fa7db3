"""Cancel, retry and redeliver over a real server and a real store."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from pipeline.core.messages import MessageState
from pipeline.core.task import Lane
from tests.integration.api import SOON_S, SPEECH, Api, Life, running


async def state(api: Api, task_id: str) -> dict[str, object]:
    return (await api.get(f"/api/task/{task_id}")).data


async def post(api: Api, task_id: str, wish: str, **more: object) -> tuple[int, str | None]:
    answer = await api.request("POST", f"/api/task/{task_id}/{wish}", **more)
    return answer.status, answer.error["type"] if answer.status >= 400 else None


async def messages(api: Api, task_id: str) -> list[tuple[object, str]]:
    shown = (await api.get(f"/api/task/{task_id}/messages")).data["messages"]
    return [(message["number"], message["state"]) for message in shown]


async def composed(api: Api, url: str = "https://site.example.com/1") -> Life:
    life = await Life(api, await api.submitted(url=url)).transcribed(*SPEECH)
    await life.proofread()
    await life.summarized()
    return await life.composed()


async def completed(api: Api) -> Life:
    life = await composed(api)
    await life.sent()
    await life.sent()
    return await life.finished()


async def test_a_waiting_task_is_cancelled_once(api: Api) -> None:
    """A waiting task is cancelled once; the second time it is cancelled already."""
    task_id = await api.submitted()
    assert [(202, None), (200, None)] == [await post(api, task_id, "cancel") for _ in range(2)]
    shown = await state(api, task_id)
    assert ("cancelled", "queued") == (shown["status"], shown["stage"])
    assert await api.store.claim(Lane.FETCH, 1e12) is None


async def test_a_finished_task_cannot_be_cancelled(api: Api) -> None:
    """A finished task cannot be cancelled."""
    life = await Life(api, await api.submitted()).claimed()
    await life.failed()
    assert (409, "conflict") == await post(api, life.task_id, "cancel")


async def test_a_wait_ends_when_the_task_is_cancelled(api: Api) -> None:
    """Whoever waits for a task hears at once that it was cancelled."""
    task_id = await api.submitted()
    waiting = asyncio.create_task(api.get(f"/api/task/{task_id}?wait=30"))
    await api.bus.watched.wait()
    await post(api, task_id, "cancel")
    assert "cancelled" == (await waiting).data["status"]


async def test_a_wish_outlives_who_made_it(api: Api) -> None:
    """What somebody wants who hangs up at that moment is done whole: the task ends, and whoever has work is woken."""
    for turns in range(1, 8):
        task_id = await api.submitted(url=f"https://site.example.com/{turns}")
        api.hints.clear()
        with api.bus.watch(task_id) as watch:
            wish = asyncio.create_task(api.deps.control.cancel(task_id))
            for _ in range(turns):
                await asyncio.sleep(0)
            wish.cancel()
            assert await watch.final(SOON_S)
        assert ("cancelled", [""]) == ((await state(api, task_id))["status"], api.hints)


async def test_a_product_that_comes_after_the_cancel_is_not_kept(api: Api) -> None:
    """A product that comes after the cancel is not kept."""
    life = await Life(api, await api.submitted()).claimed()
    await post(api, life.task_id, "cancel")
    await life.known("late")
    assert (await state(api, life.task_id))["media"] is None


async def test_messages_of_a_run_not_begun_are_dropped(api: Api) -> None:
    """Messages of a run that has not begun are dropped."""
    life = await composed(api)
    await post(api, life.task_id, "cancel")
    assert [] == await messages(api, life.task_id)
    assert await api.store.next_message(None) is None


async def test_a_run_that_has_begun_is_closed_by_one_notice(api: Api) -> None:
    """A run that has begun is closed by one notice, before anything else goes out."""
    first = await composed(api, "https://site.example.com/1")
    await composed(api, "https://site.example.com/2")
    await first.sent()
    await post(api, first.task_id, "cancel")
    assert [(1, "sent"), (None, "planned")] == await messages(api, first.task_id)
    following = await api.store.next_message(None)
    assert following is not None
    assert (first.task_id, None, MessageState.PLANNED) == (
        following.task_id,
        following.message.number,
        following.state,
    )


async def test_a_failed_task_starts_again_with_fresh_attempts(api: Api) -> None:
    """A failed task starts again, with fresh attempts and without its error."""
    life = await Life(api, await api.submitted()).claimed()
    await life.known()
    await life.failed()
    assert (202, None) == await post(api, life.task_id, "retry")
    shown = await state(api, life.task_id)
    assert ("retrying", "download", 1, None, None) == tuple(
        shown[name] for name in ("status", "stage", "attempt", "error", "finished_at")
    )
    assert (409, "conflict") == await post(api, life.task_id, "retry")
    await life.claimed()


async def test_a_cancelled_task_starts_again_once_its_worker_has_let_go(tmp_path: Path) -> None:
    """A retry right after a cancel waits for the worker to let go: two never work on a task at the same time."""
    async with running(tmp_path, let_go_s=SOON_S) as api:
        life = await Life(api, await api.submitted()).claimed()
        await post(api, life.task_id, "cancel")
        retry = asyncio.create_task(post(api, life.task_id, "retry"))
        await asyncio.wait({retry}, timeout=0.2)
        assert not retry.done()
        await api.store.release(life.task_id)
        assert (202, None) == await retry
        assert "retrying" == (await state(api, life.task_id))["status"]


async def test_a_task_whose_worker_does_not_let_go_is_not_started_again(api: Api) -> None:
    """A retry does not wait for ever for a worker that is being ended."""
    life = await Life(api, await api.submitted()).claimed()
    await post(api, life.task_id, "cancel")
    assert (409, "conflict") == await post(api, life.task_id, "retry")
    assert "cancelled" == (await state(api, life.task_id))["status"]


@pytest.mark.parametrize(
    ("start", "stage", "layers"),
    [
        ("proofread", "proofread", ("done", "pending", "pending")),
        ("summarize", "summarize", ("done", "done", "pending")),
        ("deliver", "deliver", ("done", "done", "done")),
        ("transcribe", "download", ("pending", "pending", "pending")),
    ],
)
async def test_a_completed_task_starts_again_from_a_stage(
    api: Api, start: str, stage: str, layers: tuple[str, ...]
) -> None:
    """A completed task starts again from a stage; what that stage needs and is gone is made again first."""
    life = await completed(api)
    assert (202, None) == await post(api, life.task_id, "retry", json={"from": start})
    shown = await state(api, life.task_id)
    assert ("retrying", stage) == (shown["status"], shown["stage"])
    assert layers == tuple(shown["layers"][name] for name in ("transcript", "proofread", "summary"))
    assert 100 > shown["progress"]["percent"]


@pytest.mark.parametrize(
    ("body", "refusal"),
    [
        ({"json": {"from": "auto"}}, (409, "conflict")),
        ({}, (409, "conflict")),
        ({"json": {"from": "queued"}}, (422, "invalid_value")),
        ({"json": {"from": 1}}, (422, "invalid_value")),
        ({"json": {"form": "auto"}}, (422, "unknown_field")),
        ({"data": b"{"}, (415, "unsupported_media_type")),
    ],
)
async def test_a_retry_that_makes_no_sense_is_refused(
    api: Api, body: dict[str, object], refusal: tuple[int, str]
) -> None:
    """A retry that makes no sense is refused, and the task stays as it is."""
    life = await completed(api)
    assert refusal == await post(api, life.task_id, "retry", **body)
    assert "completed" == (await state(api, life.task_id))["status"]


async def test_messages_are_sent_again_as_a_new_run(api: Api) -> None:
    """Messages are sent again as a new run, byte for byte; the task completes again after the last."""
    life = await completed(api)
    assert (202, None) == await post(api, life.task_id, "redeliver")
    shown = await state(api, life.task_id)
    assert ("processing", "deliver") == (shown["status"], shown["stage"])
    assert (409, "conflict") == await post(api, life.task_id, "redeliver")
    assert [(1, "sent"), (2, "sent"), (1, "planned"), (2, "planned")] == await messages(api, life.task_id)
    texts = [row.message.text for row in await api.store.messages(life.task_id)]
    assert texts[:2] == texts[2:]
    await life.sent()
    await life.sent()
    assert [life.task_id] == [task.id for task, _ in await api.store.delivered([])]


async def test_a_task_of_another_owner_is_not_there(api: Api) -> None:
    """What is not the caller's is not there, whatever is asked of it."""
    answers = [await post(api, "0" * 26, wish) for wish in ("cancel", "retry", "redeliver")]
    assert [(404, "not_found")] * 3 == answers


async def test_a_finished_task_is_deleted(api: Api) -> None:
    """A finished task is deleted with its text and messages; it is unknown from then on, and may be submitted anew."""
    life = await completed(api)
    deleted = await api.request("DELETE", f"/api/task/{life.task_id}")
    assert (204, b"") == (deleted.status, deleted.body)
    for rest in ("", "/result", "/messages"):
        assert 404 == (await api.get(f"/api/task/{life.task_id}{rest}")).status
    assert 404 == (await api.request("DELETE", f"/api/task/{life.task_id}")).status
    assert life.task_id != await api.submitted(url="https://site.example.com/1")


async def test_an_unfinished_task_is_not_deleted(api: Api) -> None:
    """A task that waits or is worked on is not deleted before it is cancelled, and then at once."""
    task_id = await api.submitted()
    for prepare in (None, Life(api, task_id).claimed):
        if prepare:
            await prepare()
        refused = await api.request("DELETE", f"/api/task/{task_id}")
        assert (409, "conflict") == (refused.status, refused.error["type"])
    await post(api, task_id, "cancel")
    assert 204 == (await api.request("DELETE", f"/api/task/{task_id}")).status


async def test_a_task_cancelled_in_delivery_is_composed_again(api: Api) -> None:
    """A task that was cancelled when its messages were planned has them composed again by a retry."""
    life = await composed(api)
    await post(api, life.task_id, "cancel")
    assert (202, None) == await post(api, life.task_id, "retry")
    settled = await api.store.claim(Lane.TEXT, 1e12)
    assert settled is not None
    assert "deliver" == settled.task.stage
    assert settled.task.artifacts.messages is None
