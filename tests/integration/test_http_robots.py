"""The robots over HTTP: how their lanes stand, tests, and lanes that go on."""

from __future__ import annotations

import asyncio
from pathlib import Path

from pipeline.ports import RobotGone, Sent
from tests.integration.api import SPEECH, Api, Life, running
from tests.integration.scripted_channel import WITHIN_S, ScriptedChannel

ROBOTS = [{"name": "team", "url": "https://example.com/team"}]


async def composed_for_team(api: Api) -> None:
    """Let two messages wait for the robot."""
    life = await (await Life(api, await api.submitted()).transcribed(*SPEECH)).proofread()
    await (await life.summarized()).composed("team")


async def shown(api: Api) -> list[dict[str, object]]:
    robots: list[dict[str, object]] = (await api.get("/api/robots")).data["robots"]
    return robots


async def test_robots_are_listed_with_their_lanes(tmp_path: Path) -> None:
    """Each robot is listed with what waits for it; nothing is said of the inbox."""
    async with running(tmp_path, wechat={"webhook": ROBOTS}) as api:
        assert [] == await shown(api)
    channels = {None: ScriptedChannel(), "team": ScriptedChannel()}
    async with running(tmp_path, wechat={"webhook": ROBOTS}, channels=channels) as api:
        assert [{"name": "team", "queued": 0, "paused": False, "why": None}] == await shown(api)


async def test_test_message_says_whether_it_arrived(tmp_path: Path) -> None:
    """A test goes to the robot in the language of the messages, and the answer says what became of it."""
    channel = ScriptedChannel(Sent(), RobotGone("errcode 93000"))
    async with running(tmp_path, wechat={"webhook": ROBOTS}, channels={"team": channel}) as api:
        arrived = await api.request("POST", "/api/robots/team/test")
        assert (200, {"robot": "team", "delivered": True, "why": None}) == (arrived.status, arrived.data)
        refused = await api.request("POST", "/api/robots/team/test")
        assert {"robot": "team", "delivered": False, "why": "errcode 93000"} == refused.data
    assert 1 == len({text for text in channel.seen if "测试" in text})


async def test_paused_lane_goes_on(tmp_path: Path) -> None:
    """A lane that paused says why, and goes on when it is told to."""
    channel = ScriptedChannel(RobotGone("errcode 93004"))
    async with running(tmp_path, wechat={"webhook": ROBOTS}, channels={"team": channel}) as api:
        await composed_for_team(api)
        api.deps.outbox.wake()
        await channel.until(1)
        async with asyncio.timeout(WITHIN_S):
            while not (await shown(api))[0]["paused"]:
                pass
        assert [{"name": "team", "queued": 2, "paused": True, "why": "errcode 93004"}] == await shown(api)
        resumed = await api.request("POST", "/api/robots/team/resume")
        assert (200, False, None) == (resumed.status, resumed.data["paused"], resumed.data["why"])
        await channel.until(3)


async def test_unknown_robot(api: Api) -> None:
    """A robot that nobody configured is not there."""
    for action in ("test", "resume"):
        refused = await api.request("POST", f"/api/robots/nobody/{action}")
        assert (404, "not_found") == (refused.status, refused.error["type"])
