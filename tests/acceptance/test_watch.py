"""A background loop that dies takes the daemon down loudly, and the next start goes on where it was."""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

from tests.acceptance.videos import check_texts, serve_story
from tests.daemon import ROOT, Client, Daemon
from tests.fakes.site import Site

DIED = "a background loop died; the daemon stops"
SETTLED = "UPDATE ON task WHEN OLD.running_boot IS NOT NULL AND NEW.running_boot IS NULL"
"""A change that the loop ``settle`` alone makes."""
STOPS_WITHIN_S = 25
WEBHOOK = "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=of-the-team"
SYSTEMD = {"WATCHDOG_USEC": "30000000", "NOTIFY_SOCKET": "/nobody/listens"}
LOOPS = {
    "devices",
    "dispatch",
    "heartbeat",
    "load",
    "outbox-inbox",
    "outbox-team",
    "performance",
    "progress",
    "reload",
    "retention",
    "settle",
    "store",
    "text-lane",
}
"""Of a daemon with one robot, under systemd."""


def test_every_loop_is_watched(tmp_path: Path) -> None:
    """Whichever loop comes to an end, the daemon names it and ends with exit code 1."""
    daemon = Daemon(tmp_path, wechat={"webhook": [{"name": "team", "url": WEBHOOK}]})
    program = [sys.executable, "-m", "tests.acceptance.each_loop", "--config", str(daemon.config)]
    ran = subprocess.run(program, env=os.environ | SYSTEMD, stdout=subprocess.PIPE, cwd=ROOT, check=True)
    assert dict.fromkeys(LOOPS, 1) == json.loads(ran.stdout)
    died = [line["loop"] for line in daemon.log() if line["event"] == DIED and line["level"] == "critical"]
    assert sorted(LOOPS) == sorted(died)


async def test_what_a_loop_died_of_harms_no_task(tmp_path: Path, site: Site) -> None:
    """A loop that cannot go on ends the daemon, which says why; once it can, the task in hand is not done twice."""
    daemon = Daemon(tmp_path, download={"allow_hosts": [site.address]})
    video = serve_story(site, 0, hold="captions")
    with daemon:
        async with Client(daemon) as client:
            task_id = await client.submit(video.url)
        _execute(daemon, f"CREATE TRIGGER deadly BEFORE {SETTLED} BEGIN SELECT RAISE(ABORT, 'no further'); END")
        video.gate.open()
        assert 1 == await asyncio.to_thread(daemon.ended, STOPS_WITHIN_S)
    (died,) = (line for line in daemon.log() if line["event"] == DIED)
    assert ("settle", "critical") == (died["loop"], died["level"])
    assert "no further" in str(died["exception"])
    assert set() == daemon.processes()
    _execute(daemon, "DROP TRIGGER deadly")
    visits = len(site.requests_of(video.path))
    with daemon:
        async with Client(daemon) as client:
            assert "completed" == (await client.finished(task_id))["status"]
            await check_texts(client, [task_id], [video])
            messages = await client.messages(task_id)
            assert [*range(1, len(messages) + 1)] == [message["number"] for message in messages]
    assert visits == len(site.requests_of(video.path))


def _execute(daemon: Daemon, statement: str) -> None:
    """Change the daemon's database behind its back, as damage would."""
    with closing(sqlite3.connect(daemon.data / "transcribed.db", timeout=10)) as db:
        db.execute(statement)
