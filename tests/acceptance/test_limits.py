"""What never comes to an end by itself: each is ended in time, named, and its slot is free again."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import replace
from pathlib import Path

from tests.acceptance.conftest import Start
from tests.acceptance.logbook import said
from tests.acceptance.videos import check_texts, serve_story
from tests.daemon import Client, Daemon
from tests.fakes import media
from tests.fakes.site import Reply, Site, page

LIMIT_S, STALL_S = 8.0, 3.0
NOTICED_S = 10.0
"""A limit that is over is noticed within so many seconds."""
SPEECH = media.speech(media.story(0, 20))


def serve_endless(site: Site) -> dict[str, tuple[str, str, str]]:
    """Serve what never ends; what each ends with by its address: type, stage, name."""
    silent = site.gate("silent")
    whole = Reply(body=SPEECH)
    return {
        site.serve("/trickle.wav", whole, replace(whole, bytes_per_s=4000)): ("download_timeout", "download", "slow"),
        site.serve("/silent.wav", whole, replace(whole, gate=silent)): ("download_timeout", "download", "stall"),
        site.serve("/endless.wav", whole, replace(whole, endless=True, bytes_per_s=20_000)): (
            "download_timeout",
            "download",
            "endless",
        ),
        site.serve("/page", replace(page("<html>" + " " * 100_000), bytes_per_s=2000)): (
            "source_timeout",
            "captions",
            "page",
        ),
    }


async def test_what_never_ends_is_ended_and_named(site: Site, start: Start) -> None:
    """A trickle, a silence, a body without an end and a page without one end as timeout; their slots are free again."""
    daemon = start(
        download={"timeout_s": LIMIT_S, "stall_s": STALL_S},
        concurrent={"max_workers": 4},
        scheduler={"max_retries": 0},
    )
    wanted = serve_endless(site)
    async with Client(daemon) as client:
        began = time.monotonic()
        ids = [await client.submit(url) for url in wanted]
        story = serve_story(site, 1)
        last = await client.submit(story.url)
        states = [await client.finished(task_id) for task_id in ids]
        assert time.monotonic() - began < LIMIT_S + NOTICED_S
        for state, (kind, stage, name) in zip(states, wanted.values(), strict=True):
            error = state["error"]
            assert (name, "timeout", kind, stage) == (name, state["status"], error["type"], error["stage"])
        assert "completed" == (await client.finished(last))["status"]
        await check_texts(client, [last], [story])
    silent = site.requests_of("/silent.wav")
    assert 2 < len(silent) <= 4  # looked at, then asked for two or three times within the stall limit


async def test_a_hung_engine_is_replaced(site: Site, start: Start) -> None:
    """An engine that hangs is ended after its limit, and the recording goes on with another."""
    daemon = start(transcribe={"stall_s": STALL_S})
    story = serve_story(site, 2, 90)
    async with Client(daemon) as client:
        task_id = await client.submit(story.url)
        await said(daemon, "engine started")
        os.kill(engine_of(daemon), signal.SIGSTOP)
        state = await client.finished(task_id)
        assert ("completed", 2) == (state["status"], state["attempt"])
        await check_texts(client, [task_id], [story])


def engine_of(daemon: Daemon) -> int:
    """The process of the daemon's engine."""
    (pid,) = [
        pid for pid in daemon.processes() if b"asr_host" in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0", 4)[3]
    ]
    return pid
