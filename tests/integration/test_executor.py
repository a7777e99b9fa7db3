"""What the executor makes of what a stage meets."""

from __future__ import annotations

import asyncio
from pathlib import Path

from pipeline.bridge import Bridge
from pipeline.child import Zygote
from pipeline.config import Live, Settings
from pipeline.core.lifecycle import Failed
from pipeline.core.products import Artifacts, MediaFile
from pipeline.core.task import Lane, Stage, Waiting
from pipeline.executor import Executor, WorkUnit
from pipeline.house import House
from pipeline.ports import Made, StageContext
from pipeline.roster import Roster
from pipeline.service import Watch
from pipeline.store.sqlite import SqliteStore
from tests.contract.examples import MEDIA, add, claimed
from tests.disk import Disk

DISK_BYTES = 2**20


class Writing:
    """A stage that leaves a note in its folder."""

    name = Stage.CAPTIONS
    lane = Lane.FETCH
    makes = "media"
    weight = 1.0

    def run(self, ctx: StageContext, artifacts: Artifacts) -> Made:
        del artifacts
        ctx.work.mkdir(parents=True, exist_ok=True)
        (ctx.work / "note").write_text("found")
        return Made(MEDIA)


def house_at(folder: Path, store: SqliteStore, **storage: object) -> House:
    """A house whose tasks work in this folder."""
    live = Live(Settings.model_validate({"storage": {"dir": str(folder), **storage}}))
    bridge = Bridge(asyncio.get_running_loop(), Watch().give_up)
    return House(bridge, store, Zygote((), Roster(folder / "processes")), live, lambda _task_id, _reading: None)


async def test_a_stage_that_finds_the_disk_full_is_no_attempt(tmp_path: Path, store: SqliteStore) -> None:
    """A stage whose own thread finds no room for a file waits for the disk, whoever wrote the stage."""
    await add(store, "a")
    task = await claimed(store, "a")
    with Disk(tmp_path / "disk", DISK_BYTES) as disk:
        disk.fill()
        executor = Executor(house_at(disk.folder, store), [Writing()])
        outcome = await asyncio.to_thread(executor.run, WorkUnit(task, Lane.FETCH))
    assert isinstance(outcome, Failed)
    assert ("disk_full", Waiting.DISK) == (outcome.failure.type, outcome.waits_for)


async def test_media_is_all_that_stays_of_a_work_folder(tmp_path: Path, store: SqliteStore) -> None:
    """Where media is kept everything else goes, the folders that a program of somebody else has made too."""
    house = house_at(tmp_path, store, keep_media=True)
    work = house.work_folder("a")
    (work / ".cache" / "deno").mkdir(parents=True)
    for name in ("media.m4a", "info.json", ".cache/deno/index"):
        (work / name).touch()
    house.clear_work("a", Artifacts(file=MediaFile("media.m4a", 0)))
    assert ["media.m4a"] == [left.name for left in work.iterdir()]
