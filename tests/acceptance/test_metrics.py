"""What the daemon says of itself: at `/api/metrics`, at `/api/queue` and in its log."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.acceptance.conftest import Start
from tests.acceptance.logbook import said
from tests.acceptance.videos import serve_story
from tests.daemon import Client
from tests.fakes.site import Site


async def test_a_short_disk_shows_and_work_goes_on(tmp_path: Path, site: Site, start: Start) -> None:
    """With the disk half full one video is fetched at a time; page and log say so, and both videos get their text."""
    free_gb = shutil.disk_usage(tmp_path).free / 2**30
    daemon = start(storage={"min_free_gb": 0.7 * free_gb}, scheduler={"performance_monitor_interval_s": 1})
    held, waiting = (serve_story(site, number, hold="captions") for number in range(2))
    async with Client(daemon) as client:
        await said(daemon, "fetch slots")
        ids = [await client.submit(video.url) for video in (held, waiting)]
        await site.until(lambda _: held.gate.held == 1)
        _, queue = await client.get("/api/queue")
        assert [(ids[0], None), (ids[1], 1)] == [(task["task_id"], task["position"]) for task in queue["data"]["tasks"]]
        for video in (held, waiting):
            video.gate.open()
        for task_id in ids:
            assert "completed" == (await client.finished(task_id))["status"]
        _, answer = await client.get("/api/metrics")
    metrics = answer["data"]
    assert {"now": 1, "at_most": 3, "strain": "disk"} == metrics["fetch_slots"]
    totals = metrics["totals"]
    assert (2, 2, 0, 1.0) == tuple(totals[name] for name in ("total", "done", "failed", "success_rate"))
    assert metrics["oldest_unfinished_s"] is None
    stages = {stage["stage"]: stage["count"] for stage in metrics["stages"]}
    assert (
        dict.fromkeys(["captions", "download", "decode", "transcribe", "proofread", "summarize", "deliver"], 2)
        == stages
    )
    assert sum(stage["mean_s"] for stage in metrics["stages"]) <= totals["mean_duration_s"]
    recorded = [line for line in daemon.log() if line["event"] == "performance"]
    assert (1, "disk") == (recorded[-1]["fetch_slots"], recorded[-1]["strain"])
