"""Delivery at its real pace, across kills and restarts, with one robot dead and one in a storm."""

from __future__ import annotations

import asyncio

from tests.acceptance.conftest import Start
from tests.acceptance.rows import rows
from tests.daemon import Client, Daemon, Json
from tests.fakes import media
from tests.fakes.server import running
from tests.fakes.site import Reply, Site
from tests.fakes.wecom import Fault, WeCom
from tests.fakes.wecom_rules import BAD_WEBHOOK, BUSY
from tests.integration.delivery import most_in_a_window, without_repeats

ROBOTS = ("live", "stormy", "dead")
VIDEOS = 7
PER_MINUTE, WECOM_TAKES = 18, 20
SETTLED_S = 60.0


async def test_robots_get_what_is_theirs_at_their_pace_whatever_happens(site: Site, start: Start) -> None:
    """A storm, a dead robot, a kill and a stop: nothing is lost or out of order, and no robot is overrun.

    The kill, while a message was received but not answered, repeats that one; the stop repeats nothing. The lanes
    do not wait for each other. What the dead robot did not get is kept, and it gets it when it is back.
    """
    with running(WeCom("live", "stormy", per_minute=WECOM_TAKES)) as wecom:
        live, stormy, dead = map(wecom.robot, ROBOTS)
        live.script(*[None] * 4, Fault(hold=wecom.gate("received, not answered")))
        stormy.script(None, Fault(drop_before_answer=True), Fault(status=502), None, Fault(errcode=BUSY))
        urls = [site.serve(f"/{number}.wav", speech(number)) for number in range(VIDEOS)]
        webhooks = [{"name": name, "url": wecom.webhook(name)} for name in ROBOTS]
        daemon = start(llm={"min_summary_chars": 1}, wechat={"webhook": webhooks})
        async with Client(daemon) as client:
            ids = [await client.submit(url) for url in urls]
            await asyncio.gather(*(composed(client, task_id) for task_id in ids))
            await wecom.until(lambda _: wecom.gate("received, not answered").held == 1, SETTLED_S)
        daemon.kill()
        wecom.gate("received, not answered").open()
        daemon.start()
        await wecom.until(lambda _: len(live.arrivals) >= 12, SETTLED_S)
        assert 0 == daemon.stop()
        daemon.start()
        await wecom.until(lambda _: {len(live.arrivals), len(stormy.arrivals)} == {PER_MINUTE}, SETTLED_S)
        expected = planned(daemon)
        assert 3 * VIDEOS == len(expected["live"])
        for robot, repeats in ((live, {1}), (stormy, {1, 2})):  # the kill may have met stormy, too
            seen = without_repeats(robot.contents)
            assert expected["live"][: len(seen)] == seen
            assert len(robot.contents) - len(seen) in repeats
            assert (PER_MINUTE, 0) == (most_in_a_window(robot), robot.overlaps)
        assert [BAD_WEBHOOK] * 3 == [arrival.errcode for arrival in dead.arrivals]
        async with Client(daemon) as client:
            wecom.keys.add("dead")
            await client.post("/api/robots/dead/resume", {})
            await wecom.until(lambda _: len(dead.arrivals) == PER_MINUTE, SETTLED_S)
            assert dead.contents == expected["dead"][: len(dead.contents)]
            messages = [one for task_id in ids for one in await client.messages(task_id)]
        assert 3 * len(expected["live"]) == len(messages)
        assert {"sent", "planned"} == {one["state"] for one in messages}


def speech(number: int) -> Reply:
    return Reply(body=media.speech(media.story(number, 2)))


async def composed(client: Client, task_id: str) -> list[Json]:
    """Wait until the messages of a task are frozen."""
    async with asyncio.timeout(SETTLED_S):
        while not (messages := await client.messages(task_id)):
            await client.get(f"/api/task/{task_id}", wait=0.2)
    return messages


def planned(daemon: Daemon) -> dict[str, list[str]]:
    """What each robot is to get, in order."""
    found = rows(daemon, "SELECT robot, text FROM message ORDER BY run_id, id")
    return {robot: [text for name, text in found if name == robot] for robot in ROBOTS}
