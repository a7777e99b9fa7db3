"""A background loop that dies takes the daemon down loudly, and the next start goes on where it was."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

from tests.acceptance.videos import check_texts, serve_story
from tests.daemon import Client, Daemon
from tests.fakes.site import Site

TAKEN = "OLD.running_boot IS NULL AND NEW.running_boot IS NOT NULL"
DEADLY = {
    "dispatch": f"UPDATE ON task WHEN {TAKEN} AND NEW.lane = 'asr'",
    "progress": "UPDATE OF reading ON task WHEN NEW.reading IS NOT NULL",
    "settle": "UPDATE ON task WHEN OLD.running_boot IS NOT NULL AND NEW.running_boot IS NULL",
    "text-lane": f"UPDATE ON task WHEN {TAKEN} AND NEW.lane = 'text'",
    "outbox-inbox": "UPDATE OF state ON message WHEN NEW.state = 'sending'",
}
"""By the name of a loop, a change that it alone makes to every task."""
STOPS_WITHIN_S = 25


async def test_every_loop_is_watched(tmp_path: Path, site: Site) -> None:
    """Whichever loop cannot go on, the daemon says so and ends with exit code 1; then no task is lost or done twice."""
    daemon = Daemon(tmp_path, download={"allow_hosts": [site.address]})
    videos = [serve_story(site, number, hold="captions") for number in range(len(DEADLY))]
    ids = []
    for (loop, change), video in zip(DEADLY.items(), videos, strict=True):
        with daemon:
            async with Client(daemon) as client:
                ids.append(await client.submit(video.url))
            _execute(daemon, f"CREATE TRIGGER deadly BEFORE {change} BEGIN SELECT RAISE(ABORT, 'no further'); END")
            video.gate.open()
            assert 1 == await asyncio.to_thread(daemon.ended, STOPS_WITHIN_S)
        died = [line for line in daemon.log() if line["event"] == "a background loop died; the daemon stops"]
        assert (loop, "critical") == (died[-1]["loop"], died[-1]["level"])
        assert "no further" in str(died[-1]["exception"])
        assert set() == daemon.processes()
        _execute(daemon, "DROP TRIGGER deadly")
    with daemon:
        async with Client(daemon) as client:
            states = [await client.finished(task_id) for task_id in ids]
            assert ["completed"] * len(ids) == [state["status"] for state in states]
            await check_texts(client, ids, videos)
            for task_id in ids:
                messages = await client.messages(task_id)
                assert [*range(1, len(messages) + 1)] == [message["number"] for message in messages]


def _execute(daemon: Daemon, statement: str) -> None:
    """Change the daemon's database behind its back, as damage would."""
    with closing(sqlite3.connect(daemon.data / "transcribed.db", timeout=10)) as db:
        db.execute(statement)
