"""What remains when the daemon is killed, and how it stops when it is asked to."""

from __future__ import annotations

import asyncio
import contextlib
import os
import select
import signal
import time
from collections.abc import Sequence
from itertools import pairwise

from tests.acceptance.conftest import Start
from tests.acceptance.logbook import said
from tests.acceptance.videos import Video, check_texts, serve_story
from tests.daemon import Client, Daemon
from tests.fakes.site import Site
from tests.fakes.wecom import Fault, WeCom

ARRIVED_BEFORE = 3
"""Messages that arrive before the one that gets no answer: two of the first video, one of the second."""
STOP_S = 25.0
CHILDREN_S = 2.0
VISITS = 2
"""A video is looked at once and downloaded once."""

Tasks = dict[str, Video]
"""Videos by the id of their task."""


async def test_two_kills_in_a_row_lose_nothing(site: Site, wecom: WeCom, start: Start) -> None:
    """Killed with tasks in every stage, and again right after its start, the daemon still finishes every task.

    Its children end with it, no finished step is repeated, and every run in the group is unbroken.
    """
    wecom.robot("team").script(*[None] * ARRIVED_BEFORE, Fault(hold=wecom.gate("answer")))
    daemon = start(**_settings(wecom))
    tasks = await _bring_into_every_stage(daemon, site, wecom)
    _kill(daemon)
    daemon.start()
    _kill(daemon)
    _let_all_go(tasks)
    daemon.start()
    runs = await _finish(daemon, site, tasks)

    arrived = wecom.robot("team").contents
    once = [text for place, text in enumerate(arrived) if text not in arrived[max(0, place - 1) : place]]
    assert len(arrived) - len(once) <= 2
    assert sorted(runs) == sorted(_runs(once))


async def test_a_stop_in_the_middle_repeats_nothing(site: Site, wecom: WeCom, start: Start) -> None:
    """Asked to stop with tasks in every stage, the daemon ends in time, and goes on at its next start."""
    answer = wecom.gate("answer")
    wecom.robot("team").script(*[None] * ARRIVED_BEFORE, Fault(hold=answer))
    daemon = start(**_settings(wecom))
    tasks = await _bring_into_every_stage(daemon, site, wecom)
    stopping = asyncio.create_task(_stop(daemon))
    await said(daemon, "stopping")
    answer.open()
    await stopping
    _let_all_go(tasks)
    daemon.start()
    runs = await _finish(daemon, site, tasks)

    assert sorted(runs) == sorted(_runs(wecom.robot("team").contents))


def _settings(wecom: WeCom) -> dict[str, dict[str, object]]:
    robot = {"name": "team", "url": wecom.webhook("team")}
    return {"wechat": {"webhook": [robot], "per_minute": 1000}, "concurrent": {"max_workers": 3}}


async def _bring_into_every_stage(daemon: Daemon, site: Site, wecom: WeCom) -> Tasks:
    """Submit videos until every stage has one.

    In the end one is done, one has sent a part of its messages, one has all of them waiting, one is held in its
    download, one is being transcribed, two are held when they are first looked at, and two are queued.
    """
    tasks: Tasks = {}
    async with Client(daemon) as client:

        async def submit(video: Video) -> str:
            task_id = await client.submit(video.url)
            tasks[task_id] = video
            return task_id

        await client.finished(await submit(serve_story(site, 0)))
        await submit(serve_story(site, 1, 20))
        await wecom.until(lambda arrivals: len(arrivals) > ARRIVED_BEFORE)
        await said(daemon, "lane=text", "cause=advanced", await submit(serve_story(site, 2)))
        await _held(site, await submit(serve_story(site, 3, hold="download")), tasks)
        await _held(site, await submit(serve_story(site, 4, hold="captions")), tasks)
        in_work = await submit(serve_story(site, 5, 90))
        await said(daemon, "cause=placed", in_work)
        await _held(site, await submit(serve_story(site, 6, hold="captions")), tasks)
        for number in (7, 8):
            await submit(serve_story(site, number))
        await _heard_in_part(client, in_work)
    return tasks


async def _held(site: Site, task_id: str, tasks: Tasks) -> None:
    await site.until(lambda _: tasks[task_id].gate.held > 0)


async def _heard_in_part(client: Client, task_id: str) -> None:
    """Ask until the recognizer has brought a part of the recording."""
    async with asyncio.timeout(60):
        while not (state := await client.state(task_id))["progress"]["source_seconds_done"]:
            assert state["stage"] == "transcribe"
    assert state["stage"] == "transcribe"


def _let_all_go(tasks: Tasks) -> None:
    for video in tasks.values():
        video.gate.open()


def _kill(daemon: Daemon) -> None:
    """End the daemon as a power failure would; its children must follow it by themselves."""
    daemon.kill()
    deadline = time.monotonic() + CHILDREN_S
    for child in daemon.processes():
        with contextlib.suppress(ProcessLookupError):
            ending = os.pidfd_open(child)
            select.select([ending], [], [], max(0.0, deadline - time.monotonic()))
            os.close(ending)
    assert set() == daemon.processes()


async def _stop(daemon: Daemon) -> None:
    """Ask the daemon to stop; it must end in time, in order, and without leaving anybody behind.

    The signal comes twice, as where ``make run`` is ended with its group: ``make`` hands on what it gets.
    """
    asked_at = time.monotonic()
    for _ in range(2):
        os.kill(daemon.pid, signal.SIGTERM)
    assert 0 == await asyncio.to_thread(daemon.wait)
    assert time.monotonic() - asked_at < STOP_S
    assert not (daemon.data / "daemon.json").exists()
    assert set() == daemon.processes()


async def _finish(daemon: Daemon, site: Site, tasks: Tasks) -> list[list[str]]:
    """Wait for every task, check texts and downloads; returns the texts of each task's messages."""
    async with Client(daemon) as client:
        states = await asyncio.gather(*map(client.finished, tasks))
        assert {"completed"} == {state["status"] for state in states}
        await check_texts(client, [*tasks], [*tasks.values()])
        messages = [await client.messages(task_id) for task_id in tasks]
    for video in tasks.values():
        assert video.hold or len(site.requests_of(video.path)) == VISITS
    return [[message["text"] for message in run] for run in messages]


def _runs(texts: Sequence[str]) -> list[list[str]]:
    """Cut what arrived at a robot wherever a label says that a run begins."""
    begins = [place for place, text in enumerate(texts) if text.startswith("(1/")]
    return [[*texts[begin:end]] for begin, end in pairwise([*begins, len(texts)])]
