"""Cancel, retry and redeliver on the running daemon, at every stage."""

from __future__ import annotations

import time

from tests.acceptance.conftest import Start
from tests.acceptance.logbook import said
from tests.acceptance.videos import check_texts, serve_story
from tests.daemon import Client
from tests.fakes.site import Site
from tests.fakes.wecom import Fault, WeCom

ENDS_WITHIN_S = 5.0


async def cancel(client: Client, task_id: str) -> None:
    """Cancel a task that is under way, and see that it ends at once."""
    began = time.monotonic()
    status, answer = await client.post(f"/api/task/{task_id}/cancel", {})
    assert status == 202, answer
    assert "cancelled" == (await client.finished(task_id))["status"]
    assert time.monotonic() - began < ENDS_WITHIN_S


async def delete(client: Client, task_id: str) -> int:
    """Ask for the end of everything that is known of a task."""
    async with client.session.delete(f"/api/task/{task_id}") as answer:
        return answer.status


async def test_a_cancel_ends_the_work_at_every_stage_and_frees_its_slot(site: Site, wecom: WeCom, start: Start) -> None:
    """A cancel ends the work at every stage and frees its slot: the last video of the queue is done all the same."""
    answer = wecom.gate("answer")
    wecom.robot("team").script(None, Fault(hold=answer))
    robot = {"name": "team", "url": wecom.webhook("team")}
    daemon = start(
        wechat={"webhook": [robot], "per_minute": 1000},
        concurrent={"max_workers": 2},
        scheduler={"max_tasks_per_gpu": 1},
    )
    async with Client(daemon) as client:
        sending = await client.submit(serve_story(site, 0).url)
        await wecom.until(lambda arrivals: len(arrivals) == 2)
        speaking = await client.submit(serve_story(site, 1, 120).url)
        await said(daemon, speaking, "cause=placed", "lane=asr")
        looked_at = await client.submit(serve_story(site, 2, hold="captions").url)
        downloading = await client.submit(serve_story(site, 3, hold="download").url)
        await site.until(lambda visits: sum(visit.path == "/story-3.wav" for visit in visits) == 2)
        queued = await client.submit(serve_story(site, 4, hold="captions").url)
        last = serve_story(site, 5)
        last_id = await client.submit(last.url)

        for task_id in (sending, speaking, looked_at, downloading, queued):
            assert 409 == await delete(client, task_id)
            await cancel(client, task_id)
        for task_id in (speaking, downloading, queued):
            assert 204 == await delete(client, task_id)
            assert 404 == await delete(client, task_id)
        answer.open()
        assert "completed" == (await client.finished(last_id))["status"]
        await check_texts(client, [last_id], [last])
        await wecom.until(lambda arrivals: len(arrivals) == 5)
    contents = wecom.robot("team").contents
    assert ["(1/2)", "(2/2)", "任务已取消", "(1/2)", "(2/2)"] == [text.strip()[:5] for text in contents]


async def test_a_completed_task_is_sent_again_and_done_again(site: Site, wecom: WeCom, start: Start) -> None:
    """A completed task is sent again byte for byte, and done again from its first stage with the same text."""
    robot = {"name": "team", "url": wecom.webhook("team")}
    daemon = start(wechat={"webhook": [robot], "per_minute": 1000})
    video = serve_story(site, 0)
    async with Client(daemon) as client:
        task_id = await client.submit(video.url)
        await client.finished(task_id)
        for wish, body in (("redeliver", {}), ("retry", {"from": "captions"})):
            status, answer = await client.post(f"/api/task/{task_id}/{wish}", body)
            assert status == 202, answer
            assert "completed" == (await client.finished(task_id))["status"]
        await check_texts(client, [task_id], [video])
    first, again, anew = (wecom.robot("team").contents[place : place + 2] for place in (0, 2, 4))
    assert first == again == anew
