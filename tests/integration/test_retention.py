"""Old texts, tasks and files go, on a clock of the test's own."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from pipeline.bridge import Bridge
from pipeline.child import Zygote
from pipeline.house import House
from pipeline.retention import DAY_S, Retention
from pipeline.roster import Roster
from pipeline.service import Watch
from tests.integration.api import SPEECH, Api, Life, running

RESULT_DAYS, TASK_DAYS = 10, 20


async def completed(api: Api, number: int) -> Life:
    """Bring a new task to its end, and leave a file in its folder as ``keep_media`` does."""
    task_id = await api.submitted(url=f"https://site.example.com/{number}")
    folder(api, task_id).mkdir(parents=True)
    (folder(api, task_id) / "media.wav").write_bytes(b"sound")
    life = await Life(api, task_id).transcribed(*SPEECH)
    await life.proofread()
    await life.summarized()
    await life.composed()
    await life.sent()
    await life.sent()
    return await life.finished()


def folder(api: Api, task_id: str) -> Path:
    return api.deps.settings.storage.dir / "work" / task_id


def retention(api: Api, days: float) -> Retention:
    """The service as it is so many days from now."""
    watch, roster = Watch(), Roster(api.deps.settings.storage.dir / "processes")
    bridge = Bridge(asyncio.get_running_loop(), watch.give_up)
    house = House(bridge, api.store, Zygote((), roster), api.deps.live, lambda _id, _reading: None)
    return Retention(house, watch, clock=lambda: time.time() + days * DAY_S)


async def status_of(api: Api, path: str) -> tuple[int, str | None]:
    answer = await api.get(path)
    return answer.status, answer.error["type"] if answer.status >= 400 else None


async def test_a_text_expires_and_later_its_task_goes(tmp_path: Path) -> None:
    """First nothing goes, then text and files while the task stays listed, then the task."""
    storage = {"dir": str(tmp_path), "result_days": RESULT_DAYS, "task_days": TASK_DAYS, "keep_media": True}
    async with running(tmp_path, storage=storage) as api:
        task_id = (await completed(api, 1)).task_id
        result, state = f"/api/task/{task_id}/result", f"/api/task/{task_id}"

        await retention(api, RESULT_DAYS - 1).look()
        assert (200, None) == await status_of(api, result)
        assert folder(api, task_id).exists()

        await retention(api, RESULT_DAYS + 1).look()
        assert (410, "expired") == await status_of(api, result)
        assert (410, "expired") == await status_of(api, f"{result}?layer=raw&format=srt")
        assert not folder(api, task_id).exists()
        assert [task_id] == [task["task_id"] for task in (await api.get("/api/tasks")).data["tasks"]]
        assert "A talk" == (await api.get(state)).data["media"]["title"]
        answer = await api.request("POST", f"{state}/redeliver")
        assert (409, "conflict") == (answer.status, answer.error["type"])

        await retention(api, TASK_DAYS + 1).look()
        assert (404, "not_found") == await status_of(api, state)


async def test_a_text_outlives_its_place_in_lists(tmp_path: Path) -> None:
    """With a longer time for texts, a task leaves the lists and is still there under its id."""
    storage = {"dir": str(tmp_path), "result_days": TASK_DAYS, "task_days": RESULT_DAYS}
    async with running(tmp_path, storage=storage) as api:
        task_id = (await completed(api, 1)).task_id
        await retention(api, RESULT_DAYS + 1).look()
        assert [] == (await api.get("/api/tasks")).data["tasks"]
        assert (200, None) == await status_of(api, f"/api/task/{task_id}/result")
        again = await api.submit(url="https://site.example.com/1")
        assert (200, task_id) == (again.status, again.data["duplicate_of"])


async def test_the_space_of_what_went_is_given_back(tmp_path: Path) -> None:
    """After many old tasks went the file is smaller, once SQLite has worked off its journal."""
    async with running(tmp_path, concurrent={"queue_size": 1000}) as api:
        for number in range(60):
            await completed(api, number)
        await api.store.close()
        before = (tmp_path / "transcribed.db").stat().st_size
        await api.store.open()
        await retention(api, 1000).look()
        await api.store.close()
        assert (tmp_path / "transcribed.db").stat().st_size < 0.6 * before
