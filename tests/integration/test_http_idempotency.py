"""`Idempotency-Key` on `POST /api/transcribe`, over a real server and a real store."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.integration.api import Answer, Api, Life, running
from tests.integration.test_http_upload import CONTENT, files, form

VIDEO = {"url": "https://example.com/a.mp4"}


async def send(api: Api, key: str, body: Any = None, **more: Any) -> Answer:
    """Submit under this key, with a JSON body unless ``more`` brings another one."""
    if "data" not in more:
        more["json"] = VIDEO if body is None else body
    headers = {"Idempotency-Key": key} | more.pop("headers", {})
    return await api.request("POST", "/api/transcribe", headers=headers, **more)


def told(answer: Answer) -> tuple[Any, ...]:
    """All that must be the same in a second answer."""
    return answer.status, answer.body, answer.headers.get("Location")


async def test_same_request_is_answered_as_before(api: Api) -> None:
    """Sent again, in another spelling or when its task has ended, a request does nothing and is answered as before."""
    first = await send(api, "one", {"url": "https://example.com/a.mp4", "priority": 3, "force": True})
    await (await Life(api, first.data["task_id"]).claimed()).failed()
    respelled = b'{ "force": true,"priority":3, "url": "https:\\/\\/example.com/\\u0061.mp4" }'
    json_type = {"Content-Type": "application/json"}
    again = await send(api, "one", data=respelled, headers=json_type)
    assert 202 == first.status
    assert told(first) == told(again)
    assert [first.data["task_id"]] == api.hints


async def test_answer_200_is_remembered_too(api: Api) -> None:
    """That the work was there already is the answer for good, also when the same work would be new by now."""
    task_id = await api.submitted()
    there = await send(api, "one")
    await (await Life(api, task_id).claimed()).failed()
    assert (200, task_id) == (there.status, there.data["duplicate_of"])
    assert told(there) == told(await send(api, "one"))
    assert 202 == (await send(api, "two")).status


async def test_several_addresses_are_one_request(api: Api) -> None:
    """Several addresses under one key are answered as before, whole; in another order they are another request."""
    urls = [f"https://example.com/{number}.mp4" for number in range(3)]
    first = await send(api, "one", {"urls": urls})
    assert (202, 3) == (first.status, len(first.data["tasks"]))
    assert told(first) == told(await send(api, "one", {"urls": urls}))
    assert 409 == (await send(api, "one", {"urls": urls[::-1]})).status


@pytest.mark.parametrize("other", [{"priority": 2}, {"client_ref": "x"}, {"url": "https://example.com/b.mp4"}])
async def test_other_body_is_a_conflict(api: Api, other: dict[str, object]) -> None:
    """The same key with anything else in the body is refused, and nothing is stored."""
    task_id = (await send(api, "one")).data["task_id"]
    refused = await send(api, "one", VIDEO | other)
    assert (409, "idempotency_conflict", "Idempotency-Key") == (
        refused.status,
        refused.error["type"],
        refused.error["param"],
    )
    assert [task_id] == [task["task_id"] for task in (await api.get("/api/tasks")).data["tasks"]]


async def test_keys_belong_to_tokens(tmp_path: Path) -> None:
    """The same key of another token is another key."""
    tokens = ["first-token", "second-token"]
    async with running(tmp_path, api={"auth_token": tokens}) as api:
        bodies = [VIDEO, {"url": "https://example.com/b.mp4"}]
        answers = [await send(api, "one", body, token=token) for body, token in zip(bodies, tokens, strict=True)]
        assert [202, 202] == [answer.status for answer in answers]


async def test_same_key_many_times_at_once(api: Api) -> None:
    """Of 50 requests of one key at the same moment one makes a task, forced as it is, and all get the same answer."""
    answers = await asyncio.gather(*(send(api, "one", VIDEO | {"force": True}) for _ in range(50)))
    assert 1 == len({told(answer) for answer in answers})
    assert 1 == len(api.hints)
    others = await asyncio.gather(*(send(api, "two", VIDEO | {"client_ref": str(number)}) for number in range(20)))
    assert {409: 19, 200: 1} == Counter(answer.status for answer in others)


async def test_full_queue_answers_as_before_and_is_not_remembered(tmp_path: Path) -> None:
    """When full, what was accepted is answered as before; what was refused may come again under the same key."""
    async with running(tmp_path, concurrent={"max_workers": 1, "queue_size": 0}) as api:
        first = await send(api, "one")
        other = {"url": "https://example.com/b.mp4"}
        assert 429 == (await send(api, "two", other)).status
        assert told(first) == told(await send(api, "one"))
        await Life(api, first.data["task_id"]).transcribed()
        assert 202 == (await send(api, "two", other)).status


async def test_refusals_are_not_remembered(api: Api) -> None:
    """A request that was refused leaves its key free."""
    assert 422 == (await send(api, "one", {"url": "ftp://example.com/a.mp4"})).status
    assert 400 == (await send(api, "one", data=b"{", headers={"Content-Type": "application/json"})).status
    assert 202 == (await send(api, "one")).status


async def test_restart_and_other_settings_change_no_answer(tmp_path: Path) -> None:
    """A daemon that would refuse the request by now still answers it as it was answered."""
    async with running(tmp_path, transcribe={"model": "small", "models": ["demo"]}) as api:
        first = await send(api, "one", VIDEO | {"model": "demo"})
    async with running(tmp_path, transcribe={"model": "small"}) as api:
        assert told(first) == told(await send(api, "one", VIDEO | {"model": "demo"}))
        assert 422 == (await send(api, "two", VIDEO | {"model": "demo"})).status


async def test_file_is_compared_by_its_content(api: Api) -> None:
    """A file sent again under its key is answered as before and removed; other bytes, name or fields are a conflict."""
    first = await send(api, "one", data=form(client_ref="1"))
    kept = {f"{first.data['task_id']}/media": CONTENT}
    assert 202 == first.status
    assert told(first) == told(await send(api, "one", data=form(client_ref="1")))
    others = [form(client_ref="2"), form(CONTENT[1:], client_ref="1"), form(name="other.mp4", client_ref="1")]
    assert [409] * 3 == [(await send(api, "one", data=other)).status for other in others]
    assert 409 == (await send(api, "one")).status
    assert kept == files(api)
    forced = await asyncio.gather(*(send(api, "two", data=form(force="true")) for _ in range(5)))
    assert 1 == len({told(answer) for answer in forced})
    assert kept.keys() | {f"{forced[0].data['task_id']}/media"} == files(api).keys()


@pytest.mark.parametrize("key", ["", "k" * 256, "é", "a\tb"])
async def test_unfit_key_is_refused(api: Api, key: str) -> None:
    """A key that is empty, too long or not printable ASCII is refused by name."""
    head = (
        f"POST /api/transcribe HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer tr_of-the-tests\r\nIdempotency-Key: {key}"
    )
    answer = await api.raw(f"{head}\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{{}}".encode())
    assert b"HTTP/1.1 422 " in answer
    assert b'"type": "invalid_value", "param": "Idempotency-Key"' in answer


async def test_only_one_key_is_taken(api: Api) -> None:
    """Two keys are refused; one of 255 characters is taken."""
    head = "POST /api/transcribe HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer tr_of-the-tests\r\nIdempotency-Key: a"
    twice = await api.raw(f"{head}\r\nIdempotency-Key: a\r\nConnection: close\r\nContent-Length: 0\r\n\r\n".encode())
    assert b"HTTP/1.1 422 " in twice
    assert 202 == (await send(api, "k" * 255)).status
