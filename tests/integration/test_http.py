"""Looking at tasks, over a real server and a real store."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from pipeline.core.task import Stage
from pipeline.http.deps import Missing
from tests.integration.api import SOON_S, SPEECH, TOKEN, Api, Life, running


async def test_state_of_a_new_task(api: Api) -> None:
    """A new task shows every name of the state, with null for what is not known yet."""
    task_id = await api.submitted(client_ref="42", priority="high")
    state = (await api.get(f"/api/task/{task_id}")).data
    expected = {
        "task_id": task_id,
        "client_ref": "42",
        "url": "https://example.com/a.mp4",
        "status": "pending",
        "stage": "queued",
        "progress": {
            "percent": 0.0,
            "stage_percent": 0.0,
            "source_seconds_done": None,
            "source_seconds_total": None,
            "speed": None,
            "eta_seconds": None,
            "bytes_done": None,
            "bytes_total": None,
        },
        "waiting_for": None,
        "position": 1,
        "attempt": 1,
        "max_attempts": 4,
        "priority": 3,
        "created_at": state["created_at"],
        "started_at": None,
        "updated_at": state["created_at"],
        "finished_at": None,
        "media": None,
        "source": None,
        "device": None,
        "model": "auto",
        "language": None,
        "layers": {
            "transcript": "pending",
            "proofread": "pending",
            "summary": "pending",
            "chapters": "disabled",
            "translation": "disabled",
        },
        "messages": {"sent": 0, "pending": 0, "failed": 0},
        "usage": {"prompt_tokens": 0, "completion_tokens": 0},
        "warnings": [],
        "error": None,
    }
    assert expected == state


async def test_state_of_a_running_task(api: Api) -> None:
    """A running task shows what the store last recorded of its progress."""
    life = await Life(api, await api.submitted()).claimed()
    await life.at(Stage.DOWNLOAD, 0.5, 21.44)
    state = (await api.get(f"/api/task/{life.task_id}")).data
    assert ("processing", "download", None) == (state["status"], state["stage"], state["position"])
    assert (21.4, 50.0, 3) == tuple(state["progress"][name] for name in ("percent", "stage_percent", "eta_seconds"))


async def test_state_of_a_completed_task(api: Api) -> None:
    """A completed task shows 100 percent, where its text came from, its layers and its messages."""
    life = await Life(api, await api.submitted()).transcribed(*SPEECH)
    await (await (await life.proofread()).summarized()).composed()
    await (await (await life.sent()).sent()).finished()
    state = (await api.get(f"/api/task/{life.task_id}")).data
    assert ("completed", "done", 100.0) == (state["status"], state["stage"], state["progress"]["percent"])
    assert ("asr", "cpu", "demo", "en") == tuple(state[name] for name in ("source", "device", "model", "language"))
    assert {"sent": 2, "pending": 0, "failed": 0} == state["messages"]
    assert ("A talk", 4.0) == (state["media"]["title"], state["media"]["duration"])
    assert ["no_speech"] == [warning["type"] for warning in state["warnings"]]
    assert state["finished_at"]


@pytest.mark.parametrize(("retries", "status"), [(0, "failed"), (1, "retrying")])
async def test_state_of_a_failed_attempt(api: Api, retries: int, status: str) -> None:
    """A failed attempt is explained, whether or not there will be another."""
    life = await (await Life(api, await api.submitted()).claimed()).failed(retries=retries)
    state = (await api.get(f"/api/task/{life.task_id}")).data
    expected = {
        "type": "source_not_found",
        "stage": "download",
        "message": "Gone.",
        "message_zh": "不存在。",
        "hint": "Check it. 请检查。",
        "retryable": False,
    }
    assert (status, expected) == (state["status"], state["error"])


async def test_wait_ends_with_the_task(api: Api) -> None:
    """A request that waits is answered with the final state as soon as there is one."""
    life = await Life(api, await api.submitted()).claimed()
    waiting = asyncio.create_task(api.get(f"/api/task/{life.task_id}?wait=60"))
    async with asyncio.timeout(SOON_S):
        await api.bus.watched.wait()
        await life.failed()
        assert "failed" == (await waiting).data["status"]


async def test_wait_ends_with_its_time(api: Api) -> None:
    """A request that waits is answered with the state as it is when its time is over."""
    task_id = await api.submitted()
    assert "pending" == (await api.get(f"/api/task/{task_id}?wait=0.05")).data["status"]


async def test_list_has_pages(api: Api) -> None:
    """A list is newest first, in pages that follow one another by cursor until there is none."""
    ids = [await api.submitted(force=True) for _ in range(5)]
    seen, cursor = [], ""
    while cursor is not None:
        page = (await api.get(f"/api/tasks?limit=2{cursor and '&cursor='}{cursor}")).data
        seen += [task["task_id"] for task in page["tasks"]]
        cursor = page["next_cursor"]
    assert ids[::-1] == seen


async def test_list_is_filtered(api: Api) -> None:
    """A list may be narrowed to a status, a text and a time."""
    failed = await (await Life(api, await api.submitted(url="https://example.com/one.mp4")).claimed()).failed()
    other = await api.submitted(url="https://example.com/two.mp4")
    queries = {
        "status=failed": [failed.task_id],
        "q=TWO": [other],
        "q=%25": [],
        "since=2020-01-01T00:00:00Z": [other, failed.task_id],
        "since=9999-01-01T00:00:00Z": [],
    }
    found = {query: (await api.get(f"/api/tasks?{query}")).data["tasks"] for query in queries}
    assert queries == {query: [task["task_id"] for task in tasks] for query, tasks in found.items()}


@pytest.mark.parametrize("path", ["/api/task/{}", "/api/task/{}/result", "/api/task/{}/messages"])
async def test_another_owners_task_is_unknown(tmp_path: Path, path: str) -> None:
    """A task of another token is answered like one that never was, and is in no list."""
    async with running(tmp_path, api={"auth_token": [TOKEN, "the-other-one"]}) as api:
        known, unknown = path.format(await api.submitted()), path.format("0")
        mine = (await api.get(known)).status
        strange, absent = await api.get(known, token="the-other-one"), await api.get(unknown)
        assert mine != 404
        assert [404, 404] == [strange.status, absent.status]
        assert strange.error == absent.error
        assert [] == (await api.get("/api/tasks", token="the-other-one")).data["tasks"]


async def test_what_is_missing_is_told(api: Api) -> None:
    """Readiness is 200 while nothing is missing, and otherwise 503 with what is."""
    assert (200, {"ready": True}) == ((await api.get("/readyz")).status, (await api.get("/readyz")).data)
    api.missing.append(Missing("model", "No model.", "没有模型。"))
    answer = await api.get("/readyz")
    assert (503, 503) == (answer.status, answer.json["code"])
    assert [{"what": "model", "message": "No model.", "message_zh": "没有模型。"}] == answer.data["missing"]


async def test_public_routes_need_no_token(api: Api) -> None:
    """Whether the daemon lives, is ready and which version it is can be asked without a token, with any query."""
    answers = [await api.get(path, token=None) for path in ("/livez?verbose", "/readyz", "/version")]
    assert [200, 200, 200] == [answer.status for answer in answers]
    assert {"name": "transcribed", "version": "1.2.3"} == answers[2].data
