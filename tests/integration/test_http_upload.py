"""`POST /api/transcribe` with a file, over a real server, a real store and a real disk."""

from __future__ import annotations

import asyncio
import io
import json
import tracemalloc
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from pipeline.core.products import Artifacts, MediaFile
from pipeline.core.task import Priority
from tests.disk import Disk
from tests.integration.api import SOON_S, TOKEN, Answer, Api, running

CONTENT = bytes(range(256)) * 4000
MIB = 2**20


def form(content: Any = CONTENT, name: str = "talk.mp4", **fields: str) -> aiohttp.FormData:
    """A form with a file and some fields."""
    made = aiohttp.FormData(quote_fields=False)
    for field, value in fields.items():
        made.add_field(field, value)
    made.add_field("file", content, filename=name, content_type="video/mp4")
    return made


async def upload(api: Api, *args: Any, **fields: str) -> Answer:
    """Send a form."""
    return await api.request("POST", "/api/transcribe", data=form(*args, **fields))


def files(api: Api) -> dict[str, bytes]:
    """Everything in work folders, by its path from there; an empty folder has no bytes."""
    work = api.deps.settings.storage.dir / "work"
    leaves = [path for path in work.rglob("*") if path.is_file() or not any(path.iterdir())]
    return {path.relative_to(work).as_posix(): path.read_bytes() if path.is_file() else b"" for path in leaves}


async def until(api: Api, *, there: bool) -> None:
    """Wait until any file is there, or none: nothing tells what a disk holds but looking."""
    async with asyncio.timeout(SOON_S):
        while bool(files(api)) != there:  # noqa: ASYNC110 - see above
            await asyncio.sleep(0.01)


async def check_nothing_left(api: Api) -> None:
    """Check that neither a task nor a file is there, as soon as the server has noticed."""
    await until(api, there=False)
    assert [] == (await api.get("/api/tasks")).data["tasks"]
    assert [] == api.hints


# ---------------------------------------------------------------------------------------------
# What is taken
# ---------------------------------------------------------------------------------------------


async def test_file_is_stored_with_its_task(api: Api) -> None:
    """A file is answered 202 with its place, and by then file and task are stored, and the task hinted."""
    answer = await upload(api, client_ref="42")
    task_id = answer.data["task_id"]
    assert (202, f"/api/task/{task_id}") == (answer.status, answer.headers["Location"])
    assert {"task_id": task_id, "status": "pending", "duplicate_of": None, "client_ref": "42"} == answer.data
    assert {f"{task_id}/media": CONTENT} == files(api)
    assert [task_id] == api.hints
    task = await api.store.get(task_id)
    assert task
    assert Artifacts(file=MediaFile("media", len(CONTENT))) == task.artifacts
    assert "upload:talk.mp4" == (await api.get(f"/api/task/{task_id}")).data["url"]


async def test_fields_are_those_of_the_json_body(api: Api) -> None:
    """Fields of the form mean what they mean in JSON: objects are JSON, numbers are words, empty is unsaid."""
    answer = await upload(
        api,
        options=json.dumps({"proofread": False, "script": "keep"}),
        metadata=json.dumps({"title": "会议"}),
        priority="3",
        force="true",
        language="zh",
        hotwords="",
        client_ref="7",
    )
    task = await api.store.get(answer.data["task_id"])
    assert task
    options = task.options
    assert (False, True, "keep") == (options.proofread, options.summarize, options.script)
    assert ("会议", "zh", None) == (options.title, options.language, options.hotwords)
    assert (Priority.HIGH, "7") == (task.priority, task.client_ref)


async def test_same_file_is_given_back(api: Api) -> None:
    """The same bytes under the same name are answered 200 with the first task, and are not kept twice."""
    task_id = (await upload(api)).data["task_id"]
    again = await upload(api)
    assert (200, task_id, task_id) == (again.status, again.data["task_id"], again.data["duplicate_of"])
    assert [f"{task_id}/media"] == list(files(api))


async def test_other_files_are_other_work(api: Api) -> None:
    """Other bytes, another name or other options are other work, and each has its own file."""
    answers = [
        await upload(api),
        await upload(api, b"other"),
        await upload(api, CONTENT, "b.mp4"),
        await upload(api, language="zh"),
        await upload(api, force="true"),
    ]
    assert [202] * 5 == [answer.status for answer in answers]
    assert {f"{answer.data['task_id']}/media" for answer in answers} == set(files(api))


async def test_hostile_name_is_only_shown(api: Api) -> None:
    """A name that leads elsewhere leads nowhere; what is left of it is shown."""
    task_id = (await upload(api, CONTENT, "../../../etc/cron.d/x")).data["task_id"]
    assert [f"{task_id}/media"] == list(files(api))
    assert "upload:x" == (await api.get(f"/api/task/{task_id}")).data["url"]


async def test_large_file_does_not_stay_in_memory(api: Api) -> None:
    """A file of 64 MiB arrives whole while little of it is in memory at any time."""

    async def pieces() -> AsyncIterator[bytes]:
        for number in range(64):
            yield bytes([number]) * MIB

    tracemalloc.start()
    try:
        answer = await upload(api, pieces())
        peak_bytes = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert 202 == answer.status
    path = api.deps.settings.storage.dir / "work" / answer.data["task_id"] / "media"
    assert b"".join(bytes([number]) * MIB for number in range(64)) == path.read_bytes()
    assert peak_bytes < 16 * MIB


# ---------------------------------------------------------------------------------------------
# What is refused
# ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "error", "param"),
    [
        ({"url": "https://example.com/"}, "invalid_value", "url"),
        ({"download_url": "https://example.com/"}, "invalid_value", "download_url"),
        ({"colour": "red"}, "unknown_field", "colour"),
        ({"options": '{"proofread": 1}'}, "invalid_value", "options.proofread"),
        ({"options": "{"}, "invalid_json", None),
        ({"options": "[]"}, "invalid_value", "options"),
        ({"priority": "5"}, "invalid_value", "priority"),
        ({"force": "yes"}, "invalid_value", "force"),
        ({"model": "klingon"}, "model_unavailable", "model"),
        ({"wechat_webhook": "nobody"}, "invalid_value", "wechat_webhook"),
    ],
)
async def test_refused_field_leaves_nothing(api: Api, fields: dict[str, str], error: str, param: str | None) -> None:
    """A form with a wrong field is refused by its name, and its file is gone."""
    refused = await upload(api, **fields)
    assert (error, param) == (refused.error["type"], refused.error["param"])
    await check_nothing_left(api)


async def test_form_needs_exactly_one_file_with_something_in_it(api: Api) -> None:
    """A form without a file, with two, with an empty one, or with a field twice is refused."""
    two, twice, none = form(), form(language="zh"), aiohttp.FormData({"language": "zh"})
    two.add_field("file", b"more", filename="b.mp4")
    twice.add_field("language", "en")
    for made in (two, twice, none):
        made._is_multipart = True  # noqa: SLF001 - aiohttp writes a form without a file in another way
        refused = await api.request("POST", "/api/transcribe", data=made)
        assert (400, "invalid_body") == (refused.status, refused.error["type"])
    refused = await upload(api, b"")
    assert (422, "invalid_value", "file") == (refused.status, refused.error["type"], refused.error["param"])
    await check_nothing_left(api)


@pytest.mark.parametrize(("content", "error"), [(b"\xff", "invalid_body"), (bytes(2 * MIB), "body_too_large")])
async def test_file_under_another_name_is_told_its_own(api: Api, content: bytes, error: str) -> None:
    """Whoever calls the part with the file something else learns how it is to be called."""
    misnamed = aiohttp.FormData()
    misnamed.add_field("video", io.BytesIO(content), filename="a.mp4")
    refused = await api.request("POST", "/api/transcribe", data=misnamed)
    assert error == refused.error["type"]
    assert "'video'" in refused.json["message"]
    assert "a part named 'file'" in refused.json["message"]
    await check_nothing_left(api)


@pytest.mark.parametrize("declared", [True, False])
async def test_file_that_is_too_large_is_cut_off(tmp_path: Path, *, declared: bool) -> None:
    """A file over the limit is refused by its length, or where it goes over, and nothing of it stays."""

    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(4):
            yield bytes(MIB)

    async with running(tmp_path, api={"max_upload_mb": 2}) as api:
        refused = await upload(api, io.BytesIO(bytes(4 * MIB)) if declared else pieces())
        assert (413, "body_too_large") == (refused.status, refused.error["type"])
        await check_nothing_left(api)


async def test_fields_that_are_too_large_are_refused(tmp_path: Path) -> None:
    """All fields of a form together may be as large as a JSON body."""
    async with running(tmp_path, api={"max_body_mb": 1}) as api:
        refused = await upload(api, prompt="a" * (MIB // 2), hotwords="b" * (MIB // 2 + 1))
        assert (413, "body_too_large") == (refused.status, refused.error["type"])
        await check_nothing_left(api)


async def test_disk_keeps_its_floor(tmp_path: Path) -> None:
    """A file for which the disk has no room above its floor is refused, and nothing of it stays."""
    async with running(tmp_path, storage={"dir": str(tmp_path), "min_free_gb": 1_000_000}) as api:
        refused = await upload(api)
        assert (503, "disk_full") == (refused.status, refused.error["type"])
        await check_nothing_left(api)


async def test_full_disk_keeps_no_file(tmp_path: Path) -> None:
    """A file for whose task there is no room any more is refused and gone: it would fill the disk until a restart."""
    with Disk(tmp_path / "disk", 16 * MIB) as disk:
        async with running(disk.folder, storage={"dir": str(disk.folder), "min_free_gb": 0}) as api:
            disk.fill(left_bytes=64 * 1024)
            refused = await upload(api, b"short")
            assert (503, "disk_full") == (refused.status, refused.error["type"])
            await check_nothing_left(api)
            disk.clear()


async def test_full_queue_keeps_no_file(tmp_path: Path) -> None:
    """A file that finds the queue full is refused and gone; one that is there already is given back even so."""
    async with running(tmp_path, concurrent={"max_workers": 1, "queue_size": 1}) as api:
        first = (await upload(api)).data["task_id"]
        second = (await upload(api, b"second")).data["task_id"]
        refused = await upload(api, b"third")
        assert (429, "queue_full") == (refused.status, refused.error["type"])
        assert 200 == (await upload(api)).status
        assert {f"{first}/media", f"{second}/media"} == set(files(api))


async def test_closed_intake_takes_no_file(api: Api) -> None:
    """While the daemon stops, a file is answered 503."""
    api.intake.close()
    refused = await upload(api)
    assert (503, "shutting_down") == (refused.status, refused.error["type"])
    await check_nothing_left(api)


# ---------------------------------------------------------------------------------------------
# What does not arrive
# ---------------------------------------------------------------------------------------------

HEAD = b'--B\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\n'
TAIL = b"\r\n--B--\r\n"


def request_head(api: Api, length: int) -> bytes:
    lines = [
        "POST /api/transcribe HTTP/1.1",
        f"Host: 127.0.0.1:{api.port}",
        f"Authorization: Bearer {TOKEN}",
        "Content-Type: multipart/form-data; boundary=B",
        f"Content-Length: {length}",
    ]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


async def test_file_that_stands_still_is_given_up(tmp_path: Path) -> None:
    """A sender who stops in the middle is answered 400 after a while, and nothing of the file stays."""
    async with running(tmp_path, body_timeout_s=0.3) as api:
        answer = await api.raw(request_head(api, 10 * MIB) + HEAD + bytes(2 * MIB))
        assert answer.startswith(b"HTTP/1.1 400")
        assert b"nothing came for" in answer
        await check_nothing_left(api)


async def test_file_that_is_cut_off_leaves_nothing(api: Api) -> None:
    """A sender who leaves in the middle of a file leaves nothing behind."""
    _, writer = await asyncio.open_connection("127.0.0.1", api.port)
    writer.write(request_head(api, 10 * MIB) + HEAD + bytes(3 * MIB))
    await writer.drain()
    await until(api, there=True)
    writer.transport.abort()
    await check_nothing_left(api)


@pytest.mark.parametrize(
    "body",
    [
        HEAD + b"content",
        HEAD + b"content\r\n--B\r\n",
        HEAD + b"content\r\n--C--\r\n",
        b'--B\r\nContent-Disposition: form-data; name="file"\r\nContent-Type: multipart/mixed; boundary=C\r\n\r\n'
        + TAIL,
        b'--B\r\nContent-Disposition: form-data; name="file"\r\nContent-Transfer-Encoding: base64\r\n\r\nYQ==' + TAIL,
        b'--B\r\nContent-Disposition: form-data; name="language"\r\n\r\n\xff' + TAIL,
        b'--B\r\nContent-Disposition: form-data; name="_charset_"\r\n\r\nutf-8' + TAIL,
        b"--B\r\n" + b"X: y\r\n" * 1000 + b"\r\n" + TAIL,
        b"--B\r\nno header\r\n\r\n" + TAIL,
    ],
)
async def test_broken_form_is_named_so(api: Api, body: bytes) -> None:
    """A form that ends too early, or is no form in another way, is answered 400 and leaves nothing."""
    headers = {"Content-Type": "multipart/form-data; boundary=B"}
    refused = await api.request("POST", "/api/transcribe", data=body, headers=headers)
    assert (400, "invalid_body") == (refused.status, refused.error["type"])
    await check_nothing_left(api)


async def test_sender_who_leaves_never_parts_file_and_task(api: Api) -> None:
    """However early or late a sender leaves, a file stays if and only if it has a task."""
    for number in range(12):
        content = number.to_bytes(2, "big") * MIB
        sent = request_head(api, len(HEAD) + len(content) + len(TAIL)) + HEAD + content + TAIL
        reader, writer = await asyncio.open_connection("127.0.0.1", api.port)
        writer.write(sent)
        await writer.drain()
        await (asyncio.sleep(number / 300) if number < 11 else reader.readline())
        writer.transport.abort()
    await api.server.stop()
    tasks, _ = await api.store.page("default", status=None, q=None, since=None, limit=100, before=None)
    assert tasks
    assert {f"{view.task.id}/media" for view in tasks} == set(files(api))
