"""`POST /api/transcribe`, over a real server and a real store."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.integration.api import Answer, Api, running


async def test_submission_is_stored_then_hinted(api: Api) -> None:
    """A submission is answered 202 with its place, and by then the task is stored and hinted."""
    answer = await api.submit(client_ref="42")
    task_id = answer.data["task_id"]
    assert (202, "accepted") == (answer.status, answer.json["message"])
    assert {"task_id": task_id, "status": "pending", "duplicate_of": None, "client_ref": "42"} == answer.data
    assert f"/api/task/{task_id}" == answer.headers["Location"]
    assert [task_id] == api.hints
    assert await api.store.get(task_id)


async def test_same_work_is_given_back(api: Api) -> None:
    """A second submission of the same work is answered 200 with the first task, and no row is made."""
    task_id = await api.submitted(client_ref="one")
    again = await api.submit(client_ref="two", priority="urgent", metadata={"title": "T"})
    assert 200 == again.status
    assert (task_id, task_id, "two") == tuple(again.data[name] for name in ("task_id", "duplicate_of", "client_ref"))
    assert [task_id] == api.hints


@pytest.mark.parametrize("other", [{"force": True}, {"options": {"script": "keep"}}, {"language": "zh"}])
async def test_other_work_is_new(api: Api, other: dict[str, object]) -> None:
    """Other options make a new task, and so does `force` with the same ones."""
    assert await api.submitted() != await api.submitted(**other)


async def test_full_queue_stores_nothing(tmp_path: Path) -> None:
    """With 1 worker and 2 places 3 of 10 are accepted; the rest is told when to come back, and nothing is stored."""
    async with running(tmp_path, concurrent={"max_workers": 1, "queue_size": 2}) as api:
        urls = [f"https://example.com/{number}.mp4" for number in range(10)]
        answers = await asyncio.gather(*(api.submit(url=url) for url in urls))
        refused = [answer for answer in answers if answer.status != 202]
        assert [429] * 7 == [answer.status for answer in refused]
        assert {"queue_full"} == {answer.error["type"] for answer in refused}
        assert {"max_workers": 1, "queue_size": 2, "unfinished": 3}.items() <= refused[0].error["detail"].items()
        assert 1 <= int(refused[0].headers["Retry-After"]) == refused[0].error["retry_after"] <= 120
        assert 3 == len((await api.get("/api/tasks")).data["tasks"])
        accepted = next(url for url, answer in zip(urls, answers, strict=True) if answer.status == 202)
        assert 200 == (await api.submit(url=accepted)).status


async def test_address_in_a_shared_text_is_found(api: Api) -> None:
    """The first link of a shared text is what is submitted."""
    task_id = await api.submitted(url="看看这个 https://example.com/v.mp4 很好")
    assert "https://example.com/v.mp4" == (await api.get(f"/api/task/{task_id}")).data["url"]


@pytest.mark.parametrize(
    ("url", "error"),
    [
        ("http://127.0.0.1/a.mp4", "url_forbidden_address"),
        ("http://localhost/a.mp4", "url_forbidden_host"),
        ("ftp://example.com/a.mp4", "url_scheme"),
        ("https://example.com:22/a.mp4", "url_port"),
        ("https://a:b@example.com/", "url_credentials"),
        ("https://example.com/\ud800", "url_malformed"),
        ("https://example.com/" + "a" * 3000, "url_too_long"),
        ("", "url_scheme"),
    ],
)
async def test_forbidden_address_is_refused(api: Api, url: str, error: str) -> None:
    """An address that may not be fetched is refused by the name of its rule."""
    refused = await api.submit(url=url)
    assert (422, error, "url") == (refused.status, refused.error["type"], refused.error["param"])


async def test_allowed_host_is_taken(tmp_path: Path) -> None:
    """What `download.allow_hosts` names may be submitted although it is local."""
    async with running(tmp_path, download={"allow_hosts": ["127.0.0.1:9"]}) as api:
        assert 202 == (await api.submit(url="http://127.0.0.1:9/a.mp4")).status


async def test_only_named_models_and_robots_are_taken(tmp_path: Path) -> None:
    """A request may name the configured models and robots and no other."""
    robots = [{"name": name, "url": f"https://example.com/{name}"} for name in ("one", "two")]
    async with running(tmp_path, transcribe={"model": "small", "models": ["demo"]}, wechat={"webhook": robots}) as api:
        task = await api.store.get(await api.submitted(model="demo", wechat_webhook="two"))
        assert task
        assert ("demo", ("two",)) == (task.options.model, task.options.robots)
        refused = [await api.submit(model="large-v3"), await api.submit(wechat_webhook="https://example.com/two")]
        assert ["model_unavailable", "invalid_value"] == [answer.error["type"] for answer in refused]
        assert ["small", "demo"] == refused[0].error["detail"]["models"]


async def test_configuration_fills_in_what_was_left_open(tmp_path: Path) -> None:
    """A task keeps the configured choices for what its request did not say."""
    async with running(
        tmp_path,
        transcribe={"model": "small", "language": "zh", "script": "traditional"},
        wechat={"webhook": "https://example.com/robot", "notify": "all"},
        scheduler={"max_retries": 1},
    ) as api:
        task = await api.store.get(await api.submitted())
        assert task
        options = task.options
        assert ("small", "zh", "traditional") == (options.model, options.language, options.script)
        assert ("all", ("default",), 2) == (options.notify, options.robots, task.max_attempts)


async def test_closed_intake_takes_nothing(api: Api) -> None:
    """While the daemon stops, a submission is answered 503 with a time, and looking still works."""
    task_id = await api.submitted()
    api.intake.close()
    refused = await api.submit(force=True)
    assert (503, "shutting_down") == (refused.status, refused.error["type"])
    assert int(refused.headers["Retry-After"]) >= 1
    assert 200 == (await api.get(f"/api/task/{task_id}")).status


# ---------------------------------------------------------------------------------------------
# Several at once, and media elsewhere
# ---------------------------------------------------------------------------------------------


async def submit_all(api: Api, *names: str, **fields: object) -> Answer:
    """Submit several addresses of one site."""
    urls = [f"https://example.com/{name}" for name in names]
    return await api.request("POST", "/api/transcribe", json={"urls": urls} | fields)


async def test_several_addresses_are_accepted_in_order(api: Api) -> None:
    """Several addresses are answered in their order, each with its own task; 202 as long as one is new."""
    first = await api.submitted(url="https://example.com/b")
    answer = await submit_all(api, "a", "b", "c", "a", client_ref="7")
    tasks = answer.data["tasks"]
    assert (202, [None, first, None, tasks[0]["task_id"]]) == (answer.status, [task["duplicate_of"] for task in tasks])
    assert first == tasks[1]["task_id"]
    assert {"7"} == {task["client_ref"] for task in tasks}
    assert [first, tasks[0]["task_id"], tasks[2]["task_id"]] == api.hints
    urls = [(await api.get(f"/api/task/{task['task_id']}")).data["url"] for task in tasks]
    assert [f"https://example.com/{name}" for name in "abca"] == urls
    assert 200 == (await submit_all(api, "c", "a")).status


async def test_one_refused_address_refuses_all(api: Api) -> None:
    """A list with a forbidden address is refused by the place of that address, and nothing is stored."""
    urls = ["https://example.com/a", "https://example.com/b", "http://127.0.0.1/", "ftp://example.com/"]
    refused = await api.request("POST", "/api/transcribe", json={"urls": urls})
    assert (422, "url_forbidden_address") == (refused.status, refused.error["type"])
    assert "urls.2" == refused.error["param"]
    assert [] == (await api.get("/api/tasks")).data["tasks"]


async def test_several_addresses_need_room_for_all(tmp_path: Path) -> None:
    """A list that does not fit beside what waits is answered 429; of one that could never fit the answer says so."""
    async with running(tmp_path, concurrent={"max_workers": 1, "queue_size": 2}) as api:
        task_id = await api.submitted(url="https://example.com/a")
        full = await submit_all(api, "b", "c", "d")
        assert (429, "queue_full") == (full.status, full.error["type"])
        assert full.error["retry_after"] >= 1
        assert "more than ever fit" not in full.json["message"]
        never = await submit_all(api, "e", "f", "g", "h")
        assert (429, "queue_full") == (never.status, never.error["type"])
        assert "4 at once are more than ever fit" in never.json["message"]
        assert never.error["retry_after"] == int(never.headers["Retry-After"])
        assert [task_id] == api.hints
        assert 202 == (await submit_all(api, "a", "b", "c")).status


async def test_media_may_lie_elsewhere(api: Api) -> None:
    """With a `download_url` the task keeps both addresses; it is other work than without, or with another one."""
    ids = [
        await api.submitted(),
        await api.submitted(download_url="https://media.example.com/1.mp4"),
        await api.submitted(download_url="https://media.example.com/2.mp4"),
    ]
    tasks = [await api.store.get(task_id) for task_id in ids]
    assert [None, "https://media.example.com/1.mp4", "https://media.example.com/2.mp4"] == [
        task.source.download_url for task in tasks if task
    ]
    assert {"https://example.com/a.mp4"} == {task.source.url for task in tasks if task}
    assert 200 == (await api.submit(download_url="https://media.example.com:443/1.mp4#t=3")).status


async def test_forbidden_media_address_is_refused(api: Api) -> None:
    """Both addresses pass the gate; the one that does not is named."""
    for fields, param in (
        ({"download_url": "http://169.254.169.254/a.mp4"}, "download_url"),
        ({"url": "http://127.0.0.1/", "download_url": "https://example.com/a.mp4"}, "url"),
    ):
        refused = await api.submit(**fields)
        assert (422, "url_forbidden_address", param) == (refused.status, refused.error["type"], refused.error["param"])
