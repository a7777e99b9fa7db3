"""SIGHUP: the configuration is read again while the daemon works, whole or not at all."""

from __future__ import annotations

import json
import os
import signal
import socket
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.conftest import Start
from tests.acceptance.logbook import said
from tests.acceptance.videos import serve_story
from tests.daemon import Client, Daemon
from tests.fakes.site import Site
from tests.fakes.wecom import WeCom

OLD_KEY, NEW_KEY = "robot-key-of-before", "robot-key-of-afterwards"
NEW_TOKEN = "token-of-afterwards"


async def reload(daemon: Daemon, answer: str, **sections: dict[str, Any]) -> None:
    """Change the configuration file, ask for a reload, and wait for what the log says of it."""
    config = json.loads(daemon.config.read_text())
    for section, values in sections.items():
        config.setdefault(section, {}).update(values)
    daemon.config.write_text(json.dumps(config))
    told = len([line for line in daemon.console.items() if answer in line])
    os.kill(daemon.pid, signal.SIGHUP)
    await said(daemon, answer, times=told + 1)


async def status_of(client: Client, token: str) -> int:
    async with client.session.get("/api/tasks", headers={"Authorization": f"Bearer {token}"}) as answer:
        return answer.status


async def test_what_may_change_changes_at_once(site: Site, wecom: WeCom, start: Start) -> None:
    """A new robot gets the next video, a removed one pauses, tokens and limits change; nobody has to restart."""
    videos = [serve_story(site, number) for number in range(3)]
    waiting = serve_story(site, 3, hold="download")
    daemon = start(wechat={"webhook": [{"name": "before", "url": wecom.webhook(OLD_KEY)}]})
    async with Client(daemon) as client:
        await client.finished(await client.submit(videos[0].url))
        robots = {"webhook": [{"name": "afterwards", "url": wecom.webhook(NEW_KEY)}]}
        await reload(
            daemon,
            "was read again",
            wechat=robots,
            api={"auth_token": NEW_TOKEN},
            concurrent={"queue_size": 0, "max_workers": 1},
            log={"level": "info"},
        )
        assert (401, 200) == (await status_of(client, daemon.token), await status_of(client, NEW_TOKEN))

    daemon.token = NEW_TOKEN
    async with Client(daemon) as client:
        before = len(wecom.robot(OLD_KEY).accepted)
        task_id = await client.submit(videos[1].url)
        state = await client.finished(task_id)
        messages = await client.messages(task_id)
        assert ("completed", {"afterwards"}) == (state["status"], {message["robot"] for message in messages})
        assert len(messages) == len(wecom.robot(NEW_KEY).accepted)
        assert before == len(wecom.robot(OLD_KEY).accepted)
        _, ready = await client.get("/readyz")
        assert ["robot:before"] == [lack["what"] for lack in ready["data"]["missing"]]
        # The queue has no place left, and max_workers, which needs a restart, is still 3.
        held = [await client.submit(f"{waiting.url}?{number}", force=True) for number in range(3)]
        status, answer = await client.post("/api/transcribe", {"url": videos[2].url})
        assert (429, 3) == (status, answer["error"]["detail"]["max_workers"])
        waiting.gate.open()
        for task_id in held:
            await client.finished(task_id)

    changed = [line for line in daemon.log() if line["event"] == "the configuration was read again"]
    assert [["api.auth_token", "concurrent.queue_size", "wechat.webhook", "log.level"]] == [
        line["changed"] for line in changed
    ]
    assert ["concurrent.max_workers"] in [line.get("keys") for line in daemon.log()]
    assert not [line for line in daemon.log() if line["level"] == "debug" and line["ts"] > changed[0]["ts"]]


async def test_a_robot_taken_back_sends_what_waited(site: Site, wecom: WeCom, start: Start) -> None:
    """Messages of a robot that was removed are kept, and go out when the configuration names it again."""
    video = serve_story(site, 0)
    daemon = start(wechat={"webhook": [{"name": "team", "url": wecom.webhook(OLD_KEY)}]})
    async with Client(daemon) as client:
        held = serve_story(site, 1, hold="download")
        task_id = await client.submit(held.url)
        await site.until(lambda _: held.gate.held > 0)
        await reload(daemon, "was read again", wechat={"webhook": ""})
        held.gate.open()
        state = await client.finished(task_id)
        assert ["delivery_interrupted"] == [warning["type"] for warning in state["warnings"]]
        assert [] == wecom.robot(OLD_KEY).accepted
        await reload(daemon, "was read again", wechat={"webhook": [{"name": "team", "url": wecom.webhook(OLD_KEY)}]})
        await wecom.until(lambda arrivals: len(arrivals) >= 2)
        await client.finished(await client.submit(video.url))
    numbers = [content[:5] for content in wecom.robot(OLD_KEY).contents]
    assert ["(1/2)", "(2/2)"] * 2 == numbers


async def test_an_invalid_configuration_changes_nothing(start: Start) -> None:
    """Every mistake is logged with its path; the valid part of the file is not taken either."""
    daemon = start()
    await reload(
        daemon,
        "the configuration is not taken",
        api={"auth_token": NEW_TOKEN},
        wechat={"per_minute": 0},
        concurrent={"queue_sise": 3},
    )
    await said(daemon, "the configuration is not taken", times=2)
    problems = " ".join(line.get("problem", "") for line in daemon.log())
    assert "wechat.per_minute" in problems
    assert "concurrent.queue_sise" in problems
    async with Client(daemon) as client:
        assert (200, 401) == (await status_of(client, daemon.token), await status_of(client, NEW_TOKEN))


async def test_taking_away_the_last_token_is_refused(start: Start) -> None:
    """A daemon that other machines can reach keeps its token when the configuration that is read has none."""
    daemon = start(api={"host": "0.0.0.0"})
    await reload(daemon, "the configuration is not taken", api={"auth_token": ""})
    async with Client(daemon) as client:
        assert 200 == await status_of(client, daemon.token)


def test_systemd_is_told_when_it_is_ready_and_when_it_stops(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, start: Start
) -> None:
    """Started by systemd, the daemon says READY=1 once it answers, STOPPING=1 before it ends, and beats meanwhile."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.settimeout(30)
        systemd.bind(str(tmp_path / "notify"))
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        monkeypatch.setenv("WATCHDOG_USEC", "300000")
        daemon = start()
        heard = [systemd.recv(64)]
        while heard.count(b"WATCHDOG=1") < 5 or b"READY=1" not in heard:
            heard.append(systemd.recv(64))
        daemon.stop()
        while heard[-1] != b"STOPPING=1":
            heard.append(systemd.recv(64))
        assert {b"READY=1": 1, b"STOPPING=1": 1, b"WATCHDOG=1": len(heard) - 2} == Counter(heard)
