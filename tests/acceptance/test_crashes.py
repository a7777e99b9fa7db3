"""What dies again and again: the task whose fault it is ends, and nobody else's."""

from __future__ import annotations

import asyncio
import os
import select
import signal

from tests.acceptance.conftest import Start
from tests.acceptance.logbook import said
from tests.acceptance.rows import rows
from tests.acceptance.test_limits import engine_of
from tests.acceptance.videos import check_texts, serve_story
from tests.daemon import Client, Daemon
from tests.fakes.site import Site

GONE_WITHIN_S, HEARD_WITHIN_S = 5.0, 60.0


async def test_a_recording_that_kills_its_engine_three_times_is_named(site: Site, start: Start) -> None:
    """It ends as worker_crashed; a recording that shared the engine at its first death is done."""
    daemon = start(scheduler={"max_tasks_per_gpu": 2})
    bad, good = serve_story(site, 0, 400), serve_story(site, 1, 60)
    async with Client(daemon) as client:
        bad_id, good_id = await client.submit(bad.url), await client.submit(good.url)
        await asyncio.gather(*(said(daemon, one, "cause=placed", "lane=asr") for one in (bad_id, good_id)))
        await kill_when_heard(daemon, client, bad_id)
        for count in (1, 2):
            await said(daemon, bad_id, "cause=due", "lane=asr", times=count)
            await kill_when_heard(daemon, client, bad_id)
        state = await client.finished(bad_id)
        error = state["error"]
        assert ("failed", "worker_crashed", "transcribe") == (state["status"], error["type"], error["stage"])
        assert "completed" == (await client.finished(good_id))["status"]
        await check_texts(client, [good_id], [good])


async def kill_when_heard(daemon: Daemon, client: Client, task_id: str) -> None:
    """Kill the engine once it has brought something more of a recording."""
    before = segments(daemon, task_id)
    async with asyncio.timeout(HEARD_WITHIN_S):
        while segments(daemon, task_id) == before:
            assert "processing" == (await client.state(task_id))["status"]
    os.kill(engine_of(daemon), signal.SIGKILL)


def segments(daemon: Daemon, task_id: str) -> int:
    """How many segments of a task are stored."""
    return dict(rows(daemon, "SELECT task_id, count(*) FROM segment GROUP BY task_id")).get(task_id, 0)


async def test_a_task_alone_at_three_deaths_of_the_daemon_ends(site: Site, start: Start) -> None:
    """Killed three times in the middle of the same download, the daemon does not begin it a fourth time."""
    daemon = start()
    video = serve_story(site, 0, hold="download")
    async with Client(daemon) as client:
        task_id = await client.submit(video.url)
    for death in (1, 2, 3):
        await site.until(lambda visits, asked=1 + death: len(visits) == asked, 30)
        children = [os.pidfd_open(pid) for pid in daemon.processes() - {daemon.pid}]
        daemon.kill()
        await asyncio.to_thread(daemon.start)
        for ending in children:
            assert select.select([ending], [], [], GONE_WITHIN_S)[0]
            os.close(ending)
        async with Client(daemon) as client:
            state = await client.state(task_id)
        assert ("failed" if death == 3 else "processing") == state["status"]
    error = state["error"]
    assert ("worker_crashed", "download", 1) == (error["type"], error["stage"], state["attempt"])
    assert 1 + 3 == len(site.requests_of(video.path))
