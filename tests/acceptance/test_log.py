"""What the daemon writes down: the whole story of every task, in private files, and no secret."""

from __future__ import annotations

import asyncio
import json
from datetime import datetime
from pathlib import Path

from tests.acceptance.conftest import Start
from tests.acceptance.logbook import said
from tests.acceptance.videos import serve_story
from tests.daemon import Client, Daemon, Json
from tests.fakes.site import Site
from tests.fakes.wecom import Fault, WeCom
from tests.fakes.wecom_rules import BAD_PARAMETER, BAD_WEBHOOK

STORY = [
    "accepted",
    "task claimed",
    "stage done captions",
    "stage done download",
    "stage done decode",
    "task advanced",
    "task placed",
    "stage done transcribe",
    "task advanced",
    "stage done proofread",
    "stage done summarize",
    "stage done deliver",
]
DELIVERY = ["message sent", "message sent", "task advanced"]
"""The first message may leave before the text lane's outcome is settled."""
CHAPTERS = {"accepted", "task", "stage done", "message sent"}
TRANSITION = {"task", "status", "cause", "stage", "lane", "attempt", "took_s"}
KEY = "0b3f6a52-robot-key-that-nobody-may-see"
WRONG_TOKEN = "wrong-token-of-a-stranger"
SIGNED = "signature-of-a-signed-address"


async def test_a_task_reads_as_its_story(site: Site, start: Start) -> None:
    """Filtered by ``task``, the log tells each video from submit to last message, whatever ran beside it."""
    videos = [serve_story(site, number) for number in range(3)]
    daemon = start()
    async with Client(daemon) as client:
        ids = [await client.submit(video.url) for video in videos]
        failed = await client.submit(site.url + "/gone.wav")
        await asyncio.gather(*map(client.finished, [*ids, failed]))

    lines = daemon.log()
    for task_id, video in zip(ids, videos, strict=True):
        told = [line for line in lines if line.get("task") == task_id]
        story = [_headline(line) for line in told if line["event"] in CHAPTERS]
        assert STORY == story[: len(STORY)]
        assert DELIVERY == sorted(story[len(STORY) : -1])
        assert "task finished" == story[-1]
        words_of_the_child = " ".join(line["says"] for line in told if line["event"] == "yt-dlp")
        assert [video.url] == [other.url for other in videos if other.url in words_of_the_child]
    assert "source_not_found" in [line.get("error") for line in lines if line.get("task") == failed]
    for line in lines:
        assert TRANSITION <= line.keys() or line["event"] != "task"
        about = {task_id for task_id in [*ids, failed] if task_id in json.dumps(line)}
        assert about in ({line.get("task")}, set()) or line["event"] == "request"


async def test_every_line_is_json_with_fixed_fields(start: Start) -> None:
    """Each begins with time, level and event, and the times never go back."""
    daemon = start()
    daemon.stop()
    lines = daemon.log()
    assert {("ts", "level", "event")} == {tuple(line)[:3] for line in lines}
    times = [datetime.fromisoformat(line["ts"]) for line in lines]
    assert sorted(times) == times
    assert "ready" in [line["event"] for line in lines]


async def test_no_secret_is_written_or_shown(site: Site, wecom: WeCom, start: Start) -> None:
    """After refusals, lost answers, a robot that is gone and a wrong token, none of the secrets is to be found."""
    dropped, refused, gone = Fault(drop_before_answer=True), Fault(errcode=BAD_PARAMETER), Fault(errcode=BAD_WEBHOOK)
    wecom.robot(KEY).script(dropped, None, refused, gone)
    robot = {"name": "team", "url": wecom.webhook(KEY)}
    daemon = start(api={"auth_token": ""}, wechat={"webhook": [robot]})
    daemon.token = (daemon.data / "token").read_text().strip()
    urls = [serve_story(site, 0).url, serve_story(site, 1).url, f"{site.url}/gone.wav?token={SIGNED}"]
    async with Client(daemon) as client:
        stranger = {"Authorization": f"Bearer {WRONG_TOKEN}"}
        async with client.session.get("/api/tasks", headers=stranger) as answer:
            shown = [await answer.text()]
        ids = [await client.submit(url) for url in urls]
        await asyncio.gather(*map(client.finished, ids))
        await said(daemon, "lane is paused")
        paths = ["/readyz", "/api/tasks", *(f"/api/task/{task_id}/messages" for task_id in ids)]
        shown += [json.dumps((await client.get(path))[1]) for path in paths]
    daemon.stop()

    written = [*daemon.console.items(), *(file.read_text() for file in daemon.data.glob("logs/*"))]
    for secret in (daemon.token, KEY, WRONG_TOKEN):
        assert not [text for text in [*shown, *written] if secret in text]
        assert secret.encode() not in (daemon.data / "transcribed.db").read_bytes()
    assert not [text for text in written if SIGNED in text]


async def test_everything_in_the_data_folder_is_private(site: Site, start: Start) -> None:
    """While a download runs, folders and sockets are 0700, files 0600, and ``daemon.json`` says who answers where."""
    video = serve_story(site, 0, hold="download")
    daemon = start(api={"auth_token": ""})
    daemon.token = (daemon.data / "token").read_text().strip()
    assert {"pid": daemon.pid, "url": daemon.url} == json.loads((daemon.data / "daemon.json").read_text())
    async with Client(daemon) as client:
        task_id = await client.submit(video.url)
        await site.until(lambda _: video.gate.held > 0)
        modes = _modes(daemon)
        assert {"token", "daemon.json", "transcribed.db", "transcribed.db-wal", "logs/daemon.jsonl"} <= modes.keys()
        assert f"work/{task_id}" in modes
        assert {} == {name: oct(mode) for name, mode in modes.items() if mode not in {0o40700, 0o100600, 0o140700}}
        video.gate.open()
        await client.finished(task_id)


def _headline(line: Json) -> str:
    """What a line of a task's story says, without its figures."""
    detail = {"task": "cause", "stage done": "stage"}.get(line["event"], "")
    return f"{line['event']} {line.get(detail, '')}".strip()


def _modes(daemon: Daemon) -> dict[str, int]:
    """Kind and permissions of the data folder and of everything in it."""
    paths: list[Path] = [daemon.data, *daemon.data.rglob("*")]
    return {str(path.relative_to(daemon.data)): path.stat().st_mode for path in paths}
