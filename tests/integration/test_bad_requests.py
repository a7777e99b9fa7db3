"""Every malformed request of the corpus gets its answer, in the envelope, and never an error of ours."""

from __future__ import annotations

import asyncio
import base64
import json
import tracemalloc
import zlib
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.integration.api import SOON_S, TOKEN, Api, running

CORPUS = Path(__file__).parent.parent / "corpora" / "bad_requests.jsonl"
LINES = [json.loads(line) for line in CORPUS.read_text(encoding="utf-8").splitlines()]
GROUPS = sorted({line["group"] for line in LINES})

PATHS = {
    "{transcribe}": "/api/transcribe",
    "{tasks}": "/api/tasks",
    "{upload}": "/api/transcribe",
    "{gpu}": "/api/gpu",
    "{static}": "/static",
    "{ws}": "/ws",
    "{a*100000}": "a" * 100_000,
    "{valid}": TOKEN,
    "{valid_upper}": TOKEN.upper(),
    "{self}": "http://127.0.0.1",
}
LATER = {"{gpu}", "{static}", "{ws}"}
"""Routes whose features are not there: any refusal is right."""
TAKEN = {"upload-name", "upload-content"}
"""Groups of files that may be accepted: what is wrong with them is found later, or was made harmless."""
UPLOAD_MB = 1
BODY_TIMEOUT_S = 0.3


@pytest.mark.parametrize("group", GROUPS)
async def test_corpus(tmp_path: Path, group: str) -> None:
    """Every line of the group is answered with a status it expects, in the envelope; what is refused leaves nothing."""
    lines = [line for line in LINES if line["group"] == group]
    limits = {"max_upload_mb": UPLOAD_MB}
    async with running(tmp_path, body_timeout_s=BODY_TIMEOUT_S, api=limits) as api:
        complaints = [complaint for line in lines if (complaint := await complain(api, line))]
        assert [] == complaints
        tasks = [task["task_id"] for task in (await api.get("/api/tasks")).data["tasks"]]
        assert sorted(tasks) == sorted(api.hints)
        assert group in TAKEN or [] == tasks
        assert {f"work/{task_id}/media" for task_id in tasks} == files_below(tmp_path)


def files_below(folder: Path) -> set[str]:
    """Name every file that lies deeper than the store."""
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*/*") if path.is_file()}


async def test_right_token_works_after_many_wrong_ones(api: Api) -> None:
    """After 50 wrong tokens from an address a further wrong one is told to wait, and a right one is let in."""
    for _ in range(50):
        await api.get("/api/tasks", token="wrong")
    refused = await api.get("/api/tasks", token="wrong")
    assert (429, "rate_limited") == (refused.status, refused.error["type"])
    assert 1 <= int(refused.headers["Retry-After"]) <= 60
    assert 200 == (await api.get("/api/tasks")).status


async def test_bomb_is_not_opened(api: Api) -> None:
    """A body of one megabyte that would open to a thousand is refused without memory growing by it."""
    bomb = deflated_zeros(1000)
    tracemalloc.start()
    try:
        refused = await api.request(
            "POST",
            "/api/transcribe",
            data=bomb,
            headers={"Content-Type": "application/json", "Content-Encoding": "deflate"},
        )
        peak_bytes = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert (415, "unsupported_media_type") == (refused.status, refused.error["type"])
    assert peak_bytes < 20_000_000


async def test_stalled_body_frees_its_connection(tmp_path: Path) -> None:
    """A client that stops in the middle of its body is answered 400, and its connection is closed."""
    async with running(tmp_path, body_timeout_s=BODY_TIMEOUT_S) as api:
        answer = await api.raw(head(api, "POST", "/api/transcribe", "Content-Length: 100") + b"{")
    assert answer.startswith(b"HTTP/1.1 400")
    assert b"did not arrive" in answer


async def complain(api: Api, line: dict[str, Any]) -> str:
    """Send one line of the corpus; say what is wrong with its answer, or nothing."""
    status, body = 0, b""
    for _ in range(line.get("repeat", 1)):
        status, body = await send(api.port, request_bytes(line))
    later = any(name in line["path"] for name in LATER)
    if not (400 <= status < 500 if later else (status or "close") in line["expect"]):
        return f"{line['id']} {line['why']}: {status} {body[:300]!r}"
    if status >= 400 and json.loads(body)["code"] != status:
        return f"{line['id']} {line['why']}: not in the envelope: {body[:300]!r}"
    return ""


async def send(port: int, sent: bytes) -> tuple[int, bytes]:
    """Send bytes and read one answer; status 0 if the connection was closed instead."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        async with asyncio.timeout(SOON_S):
            writer.write(sent)
            with suppress(ConnectionError):  # it may answer and close before it has read everything
                await writer.drain()
            return await read_answer(reader)
    finally:
        writer.close()


async def read_answer(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    """Read one answer of known length."""
    try:
        top = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return 0, b""
    length = next(line for line in top.split(b"\r\n") if line.lower().startswith(b"content-length:"))
    return int(top.split()[1]), await reader.readexactly(int(length.split(b":")[1]))


def request_bytes(line: dict[str, Any]) -> bytes:
    """Write a line of the corpus as it goes over the wire."""
    if line.get("raw"):
        return filled(base64.b64decode(line["raw_b64"]).decode("latin-1")).encode("latin-1")
    body = body_bytes(line)
    framing = b"Transfer-Encoding: chunked" if is_stream(line) else b"Content-Length: %d" % len(body)
    fields = [b"Host: 127.0.0.1", framing]
    if line["auth"] == "valid":
        fields.append(b"Authorization: Bearer " + TOKEN.encode())
    pairs = [*line.get("headers", {}).items(), *line.get("headers_list", [])]
    fields += [f"{name}: {filled(value)}".encode() for name, value in pairs]
    fields += [name.encode() + b": " + base64.b64decode(value) for name, value in line.get("headers_b64", {}).items()]
    return b"\r\n".join([f"{line['method']} {filled(line['path'])} HTTP/1.1".encode(), *fields, b"", body])


def is_stream(line: dict[str, Any]) -> bool:
    """Tell whether a line's body is sent without saying how long it is."""
    return bool(line.get("body_gen", {}).get("kind") == "chunked_stream")


def body_bytes(line: dict[str, Any]) -> bytes:
    """Make the body of a line."""
    if "body_b64" in line:
        return base64.b64decode(line["body_b64"])
    if "body_gen" in line:
        return generated(line["body_gen"])
    if "body_parts" in line:
        parts = [f"--B\r\n{top}\r\n\r\n{content}\r\n" for top, content in line["body_parts"]]
        return "".join([*parts, "--B--\r\n"]).encode("utf-8", "surrogatepass")
    body: str = line.get("body", "")
    return body.encode("utf-8", "surrogatepass")


def generated(recipe: Mapping[str, Any]) -> bytes:
    """Make a body that is too large to be written down."""
    match recipe:
        case {"kind": "deflate_zeros", "mb": int(mb)}:
            return deflated_zeros(mb)
        case {"kind": "literal_repeat", "head": str(head), "unit": str(unit), "count": int(count), "tail": str(tail)}:
            return (head + unit * count + tail).encode()
        case {"prefix": str(head), "repeat": str(unit), "count": int(count), "suffix": str(tail)}:
            return (head + unit * count + tail).encode()
        case {"kind": "chunked_stream"}:
            top = b'--B\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\n'
            pieces = [top, *([bytes(2**20)] * (UPLOAD_MB + 2)), b"\r\n--B--\r\n", b""]
            return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)
    raise ValueError(recipe)


def deflated_zeros(mb: int) -> bytes:
    """Compress so many megabytes of zeros, without ever having them."""
    packer = zlib.compressobj()
    first = packer.compress(bytes(1_000_000)) + packer.flush(zlib.Z_FULL_FLUSH)
    block = packer.compress(bytes(1_000_000)) + packer.flush(zlib.Z_FULL_FLUSH)
    return first + block * (mb - 1) + packer.flush()


def filled(text: str) -> str:
    """Put in what the corpus leaves open."""
    for name, value in PATHS.items():
        text = text.replace(name, value)
    return text


def head(api: Api, method: str, path: str, *fields: str) -> bytes:
    """Write the head of a request with a right token and a JSON body to come."""
    lines = [
        f"{method} {path} HTTP/1.1",
        f"Host: 127.0.0.1:{api.port}",
        f"Authorization: Bearer {TOKEN}",
        "Content-Type: application/json",
        *fields,
    ]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()
