"""What every request goes through: token, methods, envelope, and the server's own life."""

from __future__ import annotations

import asyncio
import hashlib
import json
import stat
from collections.abc import AsyncIterator
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import aiohttp
import pytest

from pipeline.config import Live
from pipeline.errors import ConfigInvalid, DataFolderUnusable, Interrupted
from pipeline.failures import DiskFull
from pipeline.http.deps import Missing
from pipeline.http.server import HttpServer
from pipeline.refusals import DbBusy
from tests.integration.api import SOON_S, TOKEN, Api, running, settings_for
from tests.integration.test_bad_requests import head, read_answer

JSON = {"Content-Type": "application/json"}
SUBMISSION = b'{"url": "https://example.com/a.mp4"}'


# ---------------------------------------------------------------------------------------------
# Tokens
# ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/api/tasks", "/api/task/a", "/api/nothing", "/", "/%0a"])
async def test_token_is_asked_for_first(api: Api, path: str) -> None:
    """Without a token nothing is told, not even which paths there are."""
    refused = await api.get(path, token=None)
    assert (401, "unauthorized") == (refused.status, refused.error["type"])
    assert "Bearer" == refused.headers["WWW-Authenticate"]


async def test_generated_token(tmp_path: Path) -> None:
    """With no token set one is made at first start, kept for the next, and readable by its owner only."""
    async with running(tmp_path, api={"auth_token": ""}) as api:
        file = tmp_path / "token"
        token = file.read_text().strip()
        accepted = await api.request("POST", "/api/transcribe", token=token, data=SUBMISSION, headers=JSON)
        task = await api.store.get(accepted.data["task_id"])
        assert task
        assert ("default", True, 0o600) == (task.owner, token.startswith("tr_"), stat.S_IMODE(file.stat().st_mode))
    async with running(tmp_path, api={"auth_token": ""}) as api:
        assert 200 == (await api.get("/api/tasks", token=token)).status


async def test_torn_generated_token_is_replaced(tmp_path: Path) -> None:
    """An empty token file, as a full disk may leave it, opens nothing and is replaced."""
    (tmp_path / "token").write_text("")
    async with running(tmp_path, api={"auth_token": ""}) as api:
        assert 401 == (await api.get("/api/tasks", token=None)).status
        assert 200 == (await api.get("/api/tasks", token=(tmp_path / "token").read_text().strip())).status


async def test_a_token_that_cannot_be_kept_is_named(tmp_path: Path) -> None:
    """Where the token cannot be read or made, the data folder is unusable, and the error names the place."""
    (tmp_path / "token").mkdir()
    with pytest.raises(DataFolderUnusable, match="token: Is a directory"):
        async with running(tmp_path, api={"auth_token": ""}):
            pass


async def test_several_configured_tokens_are_several_owners(tmp_path: Path) -> None:
    """Each of several configured tokens is an owner of its own, named by its digest."""
    async with running(tmp_path, api={"auth_token": [TOKEN, "the-other-one"]}) as api:
        task = await api.store.get(await api.submitted())
    assert task
    assert f"t-{hashlib.sha256(TOKEN.encode()).hexdigest()[:12]}" == task.owner


async def test_made_tokens_act_at_once(tmp_path: Path) -> None:
    """A token that is made while the daemon runs opens, and one that is revoked does not, beside the configured."""
    file = tmp_path / "tokens.json"
    async with running(tmp_path) as api:
        before = (await api.get("/api/tasks", token="tr_made")).status
        file.write_text(json.dumps({"phone": hashlib.sha256(b"tr_made").hexdigest()}))
        made = await api.request("POST", "/api/transcribe", token="tr_made", data=SUBMISSION, headers=JSON)
        task = await api.store.get(made.data["task_id"])
        file.write_text("{}")
        after = (await api.get("/api/tasks", token="tr_made")).status
        assert 200 == (await api.get("/api/tasks")).status
    assert task
    assert (401, "phone", 401) == (before, task.owner, after)


@pytest.mark.parametrize("content", ["", "[]", '{"a": 1}', '{"a": "short"}', "\x00"])
async def test_broken_file_of_made_tokens_opens_nothing(tmp_path: Path, content: str) -> None:
    """A file of made tokens that cannot be understood lets nobody in and keeps out nobody else."""
    (tmp_path / "tokens.json").write_text(content)
    async with running(tmp_path) as api:
        assert [401, 200] == [(await api.get("/api/tasks", token=token)).status for token in ("short", TOKEN)]


async def test_generated_token_is_for_this_machine_only(tmp_path: Path) -> None:
    """A daemon that others can reach does not start on a generated token, and ignores it beside a made one."""
    (tmp_path / "token").write_text("tr_generated-before")
    with pytest.raises(ConfigInvalid, match=r"api\.auth_token"):
        async with running(tmp_path, api={"auth_token": "", "host": "0.0.0.0"}):
            pass
    (tmp_path / "tokens.json").write_text(json.dumps({"phone": hashlib.sha256(b"tr_made").hexdigest()}))
    async with running(tmp_path, api={"auth_token": "", "host": "0.0.0.0"}) as api:
        tokens = ("tr_made", "tr_generated-before")
        assert [200, 401] == [(await api.get("/api/tasks", token=token)).status for token in tokens]


# ---------------------------------------------------------------------------------------------
# Envelope and methods
# ---------------------------------------------------------------------------------------------


async def test_refusal_has_its_shape(api: Api) -> None:
    """A refusal says its status, its type, what is at fault, both languages, and an id that is in the header too."""
    refused = await api.get("/api/tasks?limit=0")
    request_id = refused.headers["X-Request-Id"]
    sentence = "limit must be a whole number from 1 to 200"
    expected = {
        "code": 422,
        "message": f"This value cannot be used here. ({sentence})",
        "error": {
            "type": "invalid_value",
            "param": "limit",
            "retry_after": None,
            "detail": {"message_zh": f"这个值不能用在这里。 ({sentence})"},
        },
        "request_id": request_id,
    }
    assert expected == refused.json
    assert request_id != (await api.get("/api/tasks?limit=0")).headers["X-Request-Id"]


@pytest.mark.parametrize("path", ["/livez", "/api/tasks", "/nothing"])
async def test_answers_are_not_sniffed_or_kept(api: Api, path: str) -> None:
    """Every answer forbids guessing its type and keeping a copy, and is JSON in UTF-8."""
    headers = (await api.get(path)).headers
    assert "nosniff no-store" == f"{headers['X-Content-Type-Options']} {headers['Cache-Control']}"
    assert "application/json; charset=utf-8" == headers["Content-Type"]


async def test_wrong_method_is_told_the_right_ones(api: Api) -> None:
    """A method that a path does not take is refused with those it takes."""
    refused = await api.request("DELETE", "/api/tasks")
    assert (405, "method_not_allowed", "GET, HEAD") == (refused.status, refused.error["type"], refused.headers["Allow"])


async def test_head_is_get_without_body(api: Api) -> None:
    """HEAD is answered like GET, without the body."""
    got, headed = await api.get("/version"), await api.request("HEAD", "/version")
    assert (200, b"") == (headed.status, headed.body)
    assert got.headers["Content-Length"] == headed.headers["Content-Length"]


async def test_half_a_surrogate_pair_is_answered(api: Api) -> None:
    """A refusal that repeats half a surrogate pair is JSON that every reader takes: with a mark in its place."""
    refused = await api.submit(**{"a\ud800": 1})
    assert (422, "a?") == (refused.status, refused.error["param"])


@pytest.mark.parametrize("version", ["HTTP/0.9", "HTTP/2.0", "HTTP/9.9"])
async def test_other_versions_of_http_are_refused(api: Api, version: str) -> None:
    """A request in a version that this is not is refused in the envelope."""
    answer = await api.raw(f"GET /livez {version}\r\nHost: h\r\nConnection: close\r\n\r\n".encode())
    assert b" 400 " in answer.partition(b"\r\n")[0]
    assert b'"type": "invalid_body"' in answer


@pytest.mark.parametrize(
    ("version", "hosts", "status"),
    [("1.1", "", 400), ("1.1", "Host: a\r\nHost: b\r\n", 400), ("1.0", "", 200), ("1.1", "Host: a\r\n", 200)],
)
async def test_a_request_names_one_host(api: Api, version: str, hosts: str, status: int) -> None:
    """A request without a host, which only HTTP/1.0 allows, or with two is refused, as HTTP demands."""
    answer = await api.raw(f"GET /livez HTTP/{version}\r\n{hosts}Connection: close\r\n\r\n".encode())
    assert f" {status} ".encode() in answer.partition(b"\r\n")[0]


@pytest.mark.parametrize(("coding", "status"), [("chunked", 202), ("Chunked", 202), ("gzip, chunked", 400)])
async def test_only_plain_chunks_are_read(api: Api, coding: str, status: int) -> None:
    """A body without a length comes in plain chunks; one in a coding that is not undone is refused."""
    top = head(api, "POST", "/api/transcribe", f"Transfer-Encoding: {coding}", "Connection: close")
    answer = await api.raw(top + b"%x\r\n%b\r\n0\r\n\r\n" % (len(SUBMISSION), SUBMISSION))
    assert answer.startswith(f"HTTP/1.1 {status} ".encode())


@pytest.mark.parametrize(
    ("error", "status", "name", "retry_after"),
    [
        (ValueError("defect"), 500, "internal", None),
        (DbBusy("locked"), 503, "db_busy", 1),
        (DiskFull(), 503, "disk_full", None),
        (Interrupted(), 503, "shutting_down", 5),
    ],
)
async def test_trouble_on_our_side_has_its_name(
    api: Api, error: Exception, status: int, name: str, retry_after: int | None
) -> None:
    """What goes wrong on our side is answered by its name, without a word of the cause."""

    def fail() -> list[Missing]:
        raise error

    server = HttpServer(replace(api.deps, readiness=fail))
    await server.start()
    try:
        async with api.session.get(f"{server.url}/readyz") as response:
            body = await response.json()
    finally:
        await server.stop()
    assert (status, name, retry_after) == (response.status, body["error"]["type"], body["error"]["retry_after"])
    assert "defect" not in str(body)


# ---------------------------------------------------------------------------------------------
# Bodies
# ---------------------------------------------------------------------------------------------


async def test_body_is_asked_for_when_it_is_wanted(api: Api) -> None:
    """A client that waits for `100 Continue` gets it once its token and headers are found good."""
    reader, writer = await asyncio.open_connection("127.0.0.1", api.port)
    length = f"Content-Length: {len(SUBMISSION)}"
    writer.write(head(api, "POST", "/api/transcribe", length, "Expect: 100-continue"))
    async with asyncio.timeout(SOON_S):
        assert b"HTTP/1.1 100 Continue\r\n\r\n" == await reader.readuntil(b"\r\n\r\n")
        writer.write(SUBMISSION)
        assert 202 == (await read_answer(reader))[0]
    writer.close()


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        (("Expect: 100-continue", "Content-Length: 9999999999"), 413),
        (("Expect: 100-continue", "Content-Length: 9", "Content-Encoding: gzip"), 415),
        (("Expect: something-else", "Content-Length: 9"), 417),
    ],
)
async def test_body_that_is_not_wanted_is_not_asked_for(api: Api, fields: tuple[str, ...], status: int) -> None:
    """A body that would be refused is refused before it is sent."""
    reader, writer = await asyncio.open_connection("127.0.0.1", api.port)
    writer.write(head(api, "POST", "/api/transcribe", *fields))
    async with asyncio.timeout(SOON_S):
        assert status == (await read_answer(reader))[0]
    writer.close()


@pytest.mark.parametrize("spare", [1, 0, -1])
async def test_largest_body(api: Api, spare: int) -> None:
    """A body of up to one mebibyte is read, with its length announced or not; one byte more is too large."""
    padding = b" " * (1024 * 1024 - len(SUBMISSION) - spare)

    async def in_chunks() -> AsyncIterator[bytes]:
        yield SUBMISSION
        yield padding

    statuses = [
        (await api.request("POST", "/api/transcribe", data=body, headers=JSON)).status
        for body in (BytesIO(SUBMISSION + padding), in_chunks())
    ]
    assert ([202, 200] if spare >= 0 else [413, 413]) == statuses


# ---------------------------------------------------------------------------------------------
# The server's life
# ---------------------------------------------------------------------------------------------


async def test_stopping_ends_waits_at_once(tmp_path: Path) -> None:
    """When the server stops, a request that waits is answered, and new connections are refused."""
    async with running(tmp_path) as api:
        task_id = await api.submitted()
        waiting = asyncio.create_task(api.get(f"/api/task/{task_id}?wait=60"))
        async with asyncio.timeout(SOON_S):
            await api.bus.watched.wait()
            await api.server.stop()
            assert "pending" == (await waiting).data["status"]
        with pytest.raises(aiohttp.ClientConnectorError):
            await api.get("/livez")


async def test_client_that_leaves_ends_its_wait(api: Api) -> None:
    """A client that goes away while it waits leaves nothing behind."""
    task_id = await api.submitted()
    _, writer = await asyncio.open_connection("127.0.0.1", api.port)
    writer.write(head(api, "GET", f"/api/task/{task_id}?wait=60"))
    async with asyncio.timeout(SOON_S):
        await api.bus.watched.wait()
        writer.close()
        await api.bus.left.wait()


async def test_place_that_cannot_be_had_is_a_configuration_error(api: Api, tmp_path: Path) -> None:
    """A port that something else listens at, and an address of another machine, are named by their keys."""
    for where, named in (({"port": api.port}, rf"api\.port.* {api.port}"), ({"host": "203.0.113.5"}, r"api\.host")):
        settings = settings_for(tmp_path, api=where)
        with pytest.raises(ConfigInvalid, match=named):
            await HttpServer(replace(api.deps, live=Live(settings))).start()
