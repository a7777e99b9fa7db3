"""A full disk and a damaged file, as the daemon's users meet them."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.acceptance.commands import DATA_FOLDER
from tests.acceptance.conftest import Start
from tests.acceptance.logbook import said
from tests.acceptance.videos import check_texts, serve_story
from tests.daemon import Client, Daemon
from tests.disk import Disk
from tests.fakes.site import Site
from tests.fakes.wecom import Fault, WeCom

DISK_BYTES = 64 * 1024 * 1024
ENDS_WITHIN_S = 30


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    """The small disk on which the first daemon has its data."""
    (tmp_path / "logs").mkdir()
    with Disk(tmp_path / "daemon-0" / "data", DISK_BYTES) as disk:
        (disk.folder / "logs").symlink_to(tmp_path / "logs")  # so that no line of it is lost
        yield disk


async def test_a_full_disk_holds_work_up_and_loses_nothing(disk: Disk, site: Site, wecom: WeCom, start: Start) -> None:
    """On a full disk new work is refused, reading goes on, tasks wait, a kill harms nothing; with room all is done."""
    answer = wecom.gate("answer")
    wecom.robot("team").script(Fault(hold=answer))
    robot = {"name": "team", "url": wecom.webhook("team")}
    daemon = start(
        wechat={"webhook": [robot], "per_minute": 1000},
        concurrent={"max_workers": 2},
        storage={"min_free_gb": 0},
    )
    async with Client(daemon) as client:
        sending = serve_story(site, 0)
        downloading, waiting = serve_story(site, 1, 30, hold="download"), serve_story(site, 2, hold="captions")
        videos = [sending, downloading, waiting]
        ids = [await client.submit(video.url) for video in videos]
        await wecom.until(lambda arrivals: len(arrivals) == 1)
        await site.until(lambda visits: sum(visit.path == downloading.path for visit in visits) == 2)

        disk.fill()
        status, refused = await client.post("/api/transcribe", {"url": serve_story(site, 3).url})
        assert (503, "disk_full") == (status, refused["error"]["type"])
        downloading.gate.open()
        async with asyncio.timeout(60):
            while (state := await client.state(ids[1]))["waiting_for"] != "disk":
                assert state["status"] in {"processing", "retrying"}, state
        answer.open()
        _, listed = await client.get("/api/tasks")
        assert set(ids) == {task["task_id"] for task in listed["data"]["tasks"]}
    daemon.kill()
    daemon.start()
    async with Client(daemon) as client:
        disk.clear()
        waiting.gate.open()
        for task_id in ids:
            assert "completed" == (await client.finished(task_id))["status"]
        await check_texts(client, ids, videos)
        await client.finished(await client.submit(serve_story(site, 3).url))
    with closing(sqlite3.connect(daemon.data / "transcribed.db")) as conn:
        assert [("ok",)] == conn.execute("PRAGMA integrity_check").fetchall()


async def test_damage_in_operation_ends_the_daemon_by_name(tmp_path: Path, site: Site) -> None:
    """A daemon that comes upon damage ends with 3 and names the file and the cure."""
    daemon = Daemon(tmp_path, download={"allow_hosts": [site.address]})
    daemon.start()
    async with Client(daemon) as client:
        task_id = await client.submit(serve_story(site, 0).url)
        await client.finished(task_id)
        with closing(sqlite3.connect(daemon.data / "transcribed.db")) as outside, outside:
            outside.execute("UPDATE task SET options = '{'")
        status, answer = await client.get(f"/api/task/{task_id}")
        assert (500, "internal") == (status, answer["error"]["type"])
    await said(daemon, "transcribed.db", "restore a backup")
    assert DATA_FOLDER == await asyncio.to_thread(daemon.ended, ENDS_WITHIN_S)
