"""The client of the commands, against what is no daemon, is an older one, or breaks off."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.cli import FAILED
from pipeline.cli._act import act
from pipeline.cli._client import Client, Refused
from pipeline.cli._follow import follow
from pipeline.errors import CommandFailed
from tests.fakes.server import running
from tests.fakes.site import Reply, Site

TASK = "01m80qxddnwd6h66ff32v1ftf1"


def refusal(status: int, message: str) -> Reply:
    body = {"code": status, "message": message, "error": {"type": "x", "detail": {"message_zh": "中文"}}}
    return Reply(status=status, body=json.dumps(body).encode())


@pytest.fixture
def site() -> Iterator[Site]:
    with running(Site()) as site:
        yield site


@pytest.fixture
def client(site: Site) -> Client:
    return Client(site.url, "a-token")


@pytest.mark.parametrize(
    "reply",
    [
        Reply(body=b"<html>hello</html>"),
        Reply(body=b'{"no": "data"}'),
        Reply(body=b"[]"),
        Reply(status=404, body=b"nothing here"),
        Reply(status=502, body=b'{"message": "from a proxy"}'),
        Reply(body=b'{"data": {}}', cut_after=5),
    ],
)
def test_what_is_no_daemon_is_said_to_be_none(site: Site, client: Client, reply: Reply) -> None:
    """Whatever answers there, the error names the address, in both languages."""
    site.serve(f"/api/task/{TASK}", reply)
    with pytest.raises(CommandFailed) as raised:
        client.state(TASK)
    assert site.url in raised.value.message
    assert site.url in raised.value.localized


def test_a_token_that_is_refused_costs_no_upload(site: Site, client: Client, tmp_path: Path) -> None:
    """Whoever has a wrong token, or no daemon at all, is told before the file is sent."""
    file = tmp_path / "talk.mp4"
    file.write_bytes(b"x" * 100)
    site.serve("/api/tasks", refusal(401, "no"))
    with pytest.raises(Refused):
        client.upload(file, {})
    assert ["/api/tasks"] == [visit.path for visit in site.requests]


def test_a_file_that_is_not_taken_to_its_end(tmp_path: Path) -> None:
    """A daemon that ends in the middle of a file is not said to have been none."""
    file = tmp_path / "talk.mp4"
    file.write_bytes(bytes(50_000_000))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        answering = threading.Thread(target=_answer_then_break_off, args=(listener,))
        answering.start()
        with pytest.raises(CommandFailed, match="max_upload_mb"):
            Client(f"http://127.0.0.1:{listener.getsockname()[1]}", "a-token").upload(file, {})
        answering.join()


def _answer_then_break_off(listener: socket.socket) -> None:
    tasks = b'{"data": {"tasks": []}}'
    for answer in (b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(tasks), tasks), b""):
        connection, _ = listener.accept()
        with connection:
            connection.recv(65536)
            connection.sendall(answer)


@pytest.mark.parametrize("status", [404, 405])
def test_an_older_daemon_is_told_from_an_unknown_task(
    site: Site, client: Client, status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where the task is there and only the route is not, the daemon is too old; else the refusal itself is shown."""
    site.serve(f"/api/task/{TASK}/cancel", refusal(status, "no such route"))
    site.serve(f"/api/task/{TASK}", Reply(body=b'{"data": {}}'))
    assert FAILED == act(client, [TASK], "cancel")
    assert "cannot 'cancel': it is an older version" in capsys.readouterr().err
    site.serve(f"/api/task/{TASK}", refusal(404, "There is no such task."))
    assert FAILED == act(client, [TASK], "cancel")
    assert f"{TASK}: There is no such task.\n中文\n" == capsys.readouterr().err


def test_a_daemon_that_goes_away_is_told_with_how_to_go_on(site: Site, client: Client) -> None:
    """Whoever watches while the daemon ends learns that the task is not lost, and how to watch it again."""
    state = {
        "task_id": TASK, "status": "processing", "stage": "decode", "waiting_for": None, "url": "https://a.example/b",
        "media": None, "error": None, "progress": {"percent": 3.0, "speed": None, "eta_seconds": None},
    }  # fmt: skip
    site.serve(f"/api/task/{TASK}", Reply(body=json.dumps({"data": state}).encode()), Reply(body=b"{}", cut_after=0))
    with pytest.raises(CommandFailed) as raised:
        follow(client, [TASK])
    for told in (raised.value.message, raised.value.localized):
        assert f"watch {TASK}" in told
        assert site.url in told


def test_this_machine_is_asked_directly_with_the_token(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """The token is sent as a bearer token, and a proxy in the environment is not used for this machine."""
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    client = Client(site.url, "a-token")
    site.serve(f"/api/task/{TASK}", Reply(body=b'{"data": {"task_id": "x"}}'))
    assert {"task_id": "x"} == client.state(TASK)
    assert ["Bearer a-token"] == [request.headers["Authorization"] for request in site.requests]
