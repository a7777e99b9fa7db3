"""A robot that is taken away and comes back: what the API tells of it, and what becomes of its messages."""

from __future__ import annotations

import asyncio

from tests.acceptance.conftest import Start
from tests.daemon import Client, Json
from tests.fakes import media
from tests.fakes.site import Reply, Site
from tests.fakes.wecom import Fault, WeCom
from tests.fakes.wecom_rules import BAD_WEBHOOK

WITHIN_S = 10.0
TESTED = {"delivered": True, "why": None}


async def test_robot_that_comes_back_gets_what_was_kept(site: Site, wecom: WeCom, start: Start) -> None:
    """A robot that was removed pauses; tested and resumed once it is back, it gets the whole run, in order.

    The task warns of the messages that are held as long as they are.
    """
    wecom.robot("team").script(Fault(errcode=BAD_WEBHOOK), Fault(errcode=BAD_WEBHOOK))
    robots = [{"name": name, "url": wecom.webhook(name)} for name in ("team", "other")]
    video = site.serve("/talk.wav", Reply(body=media.speech(media.story(1, 2))))
    async with Client(start(wechat={"webhook": robots, "per_minute": 1000})) as client:
        state = await client.finished(await client.submit(video, wechat_webhook="team"))
        assert ["delivery_interrupted"] == [warning["type"] for warning in state["warnings"]]
        paused, other = await shown(client)
        why = paused["why"]
        assert str(BAD_WEBHOOK) in why
        assert {"name": "team", "queued": 2, "paused": True, "why": why} == paused
        assert {"name": "other", "queued": 0, "paused": False, "why": None} == other
        assert {"robot": "team", "delivered": False, "why": why} == await ask(client, "team/test")
        assert {"robot": "other", **TESTED} == await ask(client, "other/test")
        assert {"robot": "team", **TESTED} == await ask(client, "team/test")
        assert {"name": "team", "queued": 2, "paused": False, "why": None} == await ask(client, "team/resume")
        await wecom.until(lambda _: len(wecom.robot("team").contents) >= 3)
        async with asyncio.timeout(WITHIN_S):
            while (await client.state(state["task_id"]))["warnings"]:
                pass
    test, head, text = wecom.robot("team").contents
    assert "测试" in test
    assert ("(1/2)", "(2/2)") == (head[:5], text[:5])


async def shown(client: Client) -> list[Json]:
    _, answer = await client.get("/api/robots")
    robots: list[Json] = answer["data"]["robots"]
    return robots


async def ask(client: Client, path: str) -> Json:
    status, answer = await client.post(f"/api/robots/{path}", {})
    assert 200 == status
    data: Json = answer["data"]
    return data
