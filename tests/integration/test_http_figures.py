"""`GET /api/queue` and `GET /api/metrics`, over a real server and a real store."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pipeline.core.task import Lane, Stage
from tests.integration.api import SPEECH, Answer, Api, Life, running


def lanes(answer: Answer) -> dict[str, tuple[int, int]]:
    """Waiting and running, by lane."""
    return {lane["lane"]: (lane["waiting"], lane["running"]) for lane in answer.data["lanes"]}


async def submitted(api: Api, *names: str, **fields: Any) -> list[str]:
    return [await api.submitted(url=f"https://example.com/{name}.mp4", **fields) for name in names]


async def test_queue_shows_who_waits_for_what(tmp_path: Path) -> None:
    """Every task without a transcript counts by lane and model; your own are named with their places, running first."""
    async with running(tmp_path, transcribe={"model": "small", "models": ["demo"]}) as api:
        first, second, third = await submitted(api, "a", "b", "c")
        (urgent,) = await submitted(api, "d", priority="urgent", model="demo")
        await Life(api, first).claimed()
        spoken = await submitted(api, "e", "f")
        for task_id in spoken:
            await Life(api, task_id).transcribed(*SPEECH)
        answer = await api.get("/api/queue")
        assert {"fetch": (3, 1), "asr": (0, 0), "text": (2, 0), "deliver": (0, 0)} == lanes(answer)
        assert [3, 2, 1, None] == [lane["slots"] for lane in answer.data["lanes"]]
        assert {"taken": 4, "at_most": 13} == answer.data["room"]
        assert [("demo", 1, 0), ("small", 2, 1)] == [tuple(model.values()) for model in answer.data["models"]]
        expected = [(first, "fetch", None), (urgent, "fetch", 1), (second, "fetch", 2), (third, "fetch", 3)]
        expected += [(task_id, "text", place) for place, task_id in enumerate(spoken, start=1)]
        assert expected == [(task["task_id"], task["lane"], task["position"]) for task in answer.data["tasks"]]
        assert ("demo", 4, None) == tuple(
            answer.data["tasks"][1][name] for name in ("model", "priority", "waiting_for")
        )


async def test_text_that_was_taken_waits_until_it_is_begun(api: Api) -> None:
    """A task that the TEXT lane has taken waits for its turn until its first stage begins."""
    task_id = await api.submitted()
    life = await Life(api, task_id).transcribed(*SPEECH)
    await life.claimed(Lane.TEXT)
    assert (1, 0) == lanes(await api.get("/api/queue"))["text"]
    await life.at(Stage.PROOFREAD, 0.1, 80.0)
    assert (0, 1) == lanes(await api.get("/api/queue"))["text"]


async def test_strangers_tasks_are_counted_and_not_named(tmp_path: Path) -> None:
    """A place counts everybody who is before; no list names another owner's task."""
    async with running(tmp_path, api={"auth_token": ["first-token", "second-token"]}) as api:
        body = {"url": "https://example.com/a.mp4"}
        await api.request("POST", "/api/transcribe", token="first-token", json=body)
        mine = (await api.request("POST", "/api/transcribe", token="second-token", json=body)).data["task_id"]
        answer = await api.get("/api/queue", token="second-token")
        assert [(mine, 2)] == [(task["task_id"], task["position"]) for task in answer.data["tasks"]]
        assert 2 == answer.data["room"]["taken"]


async def test_metrics_of_an_idle_daemon(api: Api) -> None:
    """Without tasks there is nothing to divide by and nothing that is old."""
    data = (await api.get("/api/metrics")).data
    assert {0} == {*data["tasks"].values()}
    totals = {"total": 0, "done": 0, "failed": 0, "success_rate": None, "mean_duration_s": None}
    assert (totals, [], None) == (data["totals"], data["stages"], data["oldest_unfinished_s"])
    assert {"now": 3, "at_most": 3, "strain": None} == data["fetch_slots"]
    assert data["host"]["rss_mb"] > 10
    assert data["host"]["disk_free_gb"] > 0


async def test_metrics_count_what_was_done(api: Api) -> None:
    """Tasks count by status, those that ended by success, and durations from acceptance to completion."""
    done, failed, waiting = await submitted(api, "a", "b", "c")
    life = await Life(api, done).transcribed(*SPEECH)
    await (await (await (await (await life.proofread()).summarized()).composed()).sent()).sent()
    await life.finished()
    await (await Life(api, failed).claimed()).failed()
    data = (await api.get("/api/metrics")).data
    assert {"completed": 1, "failed": 1, "pending": 1} == {
        name: count for name, count in data["tasks"].items() if count
    }
    assert (3, 1, 1, 0.5) == tuple(data["totals"][name] for name in ("total", "done", "failed", "success_rate"))
    assert 0 <= data["totals"]["mean_duration_s"] < 60
    assert 0 <= data["oldest_unfinished_s"] < 60
    await (await Life(api, waiting).claimed()).failed()
    assert (await api.get("/api/metrics")).data["oldest_unfinished_s"] is None


async def test_devices_are_shown_with_what_goes_on_there(api: Api) -> None:
    """Every device with its memory, what is promised of it, who is there, and whether it serves."""
    answer = await api.get("/api/gpu")
    (shown,) = answer.data["devices"]
    assert ("cpu", "CPU", True, None, 2, 0, [], []) == tuple(
        shown[name] for name in ("id", "name", "in_service", "why", "slots", "running", "tasks", "models")
    )
    assert [] == answer.data["waiting"]
