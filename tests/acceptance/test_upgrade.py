"""A newer release takes over the store of an older one."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from tests.acceptance.conftest import Start
from tests.acceptance.videos import serve_story
from tests.daemon import Client
from tests.fakes.site import Site
from tests.fakes.wecom import WeCom

DUMP = Path(__file__).parents[1] / "contract" / "store-v3.sql"
SITE = "http://127.0.0.1:34185"
"""Where the videos of the dump are."""
FOR_EVER = 36_500

STAYS = {"completed", "failed", "timeout", "cancelled", "retrying"}
_STATES = "SELECT id, status FROM task"
_TEXTS = "SELECT text FROM message JOIN run ON run.id = run_id WHERE task_id = ? ORDER BY message.id"


async def test_the_store_of_an_older_release_is_taken_over_whole(
    tmp_path: Path, site: Site, wecom: WeCom, start: Start
) -> None:
    """Every task of a store of version 3 is there after the upgrade, and what was unfinished goes on to its end."""
    for number in range(7):
        serve_story(site, number, {1: 20, 2: 40}.get(number, 3))
    older = tmp_path / "daemon-0" / "data" / "transcribed.db"
    older.parent.mkdir(parents=True)
    with closing(sqlite3.connect(older)) as conn:
        conn.executescript(DUMP.read_text(encoding="utf-8").replace(SITE, f"http://{site.address}"))
        before = dict(conn.execute(_STATES))
        completed = next(task_id for task_id, status in before.items() if status == "completed")
        texts = [text for (text,) in conn.execute(_TEXTS, [completed])]
    robot = {"name": "team", "url": wecom.webhook("team")}
    daemon = start(
        wechat={"webhook": [robot], "per_minute": 1000}, storage={"task_days": FOR_EVER, "result_days": FOR_EVER}
    )
    async with Client(daemon) as client:
        for task_id, status in before.items():
            state = await (client.state(task_id) if status in STAYS else client.finished(task_id))
            assert (status if status in STAYS else "completed") == state["status"]
        assert texts == [message["text"] for message in await client.messages(completed)]
        assert "Can we repair the window" in (await client.result(completed))["text"]
        _, listed = await client.get("/api/tasks")
    assert set(before) == {task["task_id"] for task in listed["data"]["tasks"]}
    with closing(sqlite3.connect(older.with_name("transcribed.v3.db"))) as copy:
        assert before == dict(copy.execute(_STATES))
