"""Ten thousand tasks in the queue, fifty who want the same, and a hog beside a guest."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.logbook import said
from tests.acceptance.rows import rows
from tests.chaos.conftest import Note
from tests.chaos.figures import share
from tests.chaos.ledger import close_books
from tests.chaos.world import World, world
from tests.daemon import TOKEN, Client
from tests.fakes.site import Reply

pytestmark = [pytest.mark.timeout(3600), pytest.mark.alone]

PER_S = 200
RSS_MB = 250.0
FIRST = 20
"""So many are let go from the head of the queue."""
AT_ONCE = 50
GUEST = "tr_the-guest-of-the-tests"


async def test_a_long_queue_costs_little_and_is_worked_off_from_its_head(
    tmp_path: Path, note: Note, *, whole: bool
) -> None:
    """With ten thousand waiting, submits, lists and restarts stay quick and memory small; the oldest starts first."""
    count, restarts = (10_000, 20) if whole else (300, 2)
    with world(tmp_path, with_llm=False, concurrent={"max_workers": 1, "queue_size": count}) as made:
        held = made.site.gate("held")
        made.daemon.start()
        urls = [made.serve(None, Reply(gate=held, status=404)) for _ in range(count)]
        async with Client(made.daemon) as client:
            submits = await _submit_steadily(made, client, urls)
            lists = [await _timed(client.get("/api/tasks", limit=50)) for _ in range(100)]
            rss_mb = made.daemon.rss_mb()
        ready, work = zip(*[await _restart(made) for _ in range(restarts)], strict=True)
        held.open()
        served = await made.site.until(lambda visits: len({visit.path for visit in visits}) >= FIRST)
        made.kill()
    note("F3", f"start until it works again, {count} queued", "p95 2 s", f"p95 {share(work, 95):.2f} s of {restarts}")
    note("F14", f"submit p99, {count} submitted at {PER_S}/s", "50 ms", f"{share(submits, 99) * 1000:.1f} ms")
    note("F14", f"list page p99, {count} queued", "50 ms", f"{share(lists, 99) * 1000:.1f} ms")
    note("F14", f"memory, {count} queued", "250 MB", f"{rss_mb:.0f} MiB")
    note("F14", f"restart until it answers, {count} queued", "3 s", f"longest {max(ready):.2f} s of {restarts}")
    accepted = [url for (url,) in rows(made.daemon, "SELECT url FROM task ORDER BY number")]
    order = list(dict.fromkeys(made.site.url + visit.path for visit in served))
    assert sorted(urls) == sorted(accepted)
    assert accepted[: len(order)] == order
    assert rss_mb <= RSS_MB


async def _submit_steadily(made: World, client: Client, urls: list[str]) -> list[float]:
    """Submit at a steady pace, whatever the answers do; returns how long each took, in seconds."""
    began = time.monotonic()

    async def submit(place: int, url: str) -> float:
        await asyncio.sleep(max(0.0, began + place / PER_S - time.monotonic()))
        return await _timed(made.submit(client, url, None))

    return await asyncio.gather(*(submit(place, url) for place, url in enumerate(urls)))


async def _timed(what: Coroutine[Any, Any, object]) -> float:
    began = time.monotonic()
    await what
    return time.monotonic() - began


async def _restart(made: World) -> tuple[float, float]:
    """Kill and start; returns after how many seconds the daemon answers, and after how many it has taken up work."""
    made.kill()
    began = time.monotonic()
    made.daemon.start()
    ready_s = time.monotonic() - began
    await said(made.daemon, "lane=fetch")
    return ready_s, time.monotonic() - began


async def test_the_same_work_asked_for_fifty_times_at_once_is_one_task(tmp_path: Path, note: Note) -> None:
    """Fifty who ask for the same at once get the same task, also if the daemon dies meanwhile and they ask again."""
    with world(tmp_path, with_llm=False) as made:
        made.daemon.start()
        ids = set()
        for kill in (False, True):
            tape = made.tape()
            url = made.serve(tape)
            async with Client(made.daemon) as client:
                asking = [asyncio.create_task(made.submit(client, url, tape)) for _ in range(AT_ONCE)]
                if kill:
                    await asyncio.wait(asking, return_when=asyncio.FIRST_COMPLETED)
                    made.kill()
                answers = await asyncio.gather(*asking, return_exceptions=True)
            answered = {answer for answer in answers if isinstance(answer, str)}
            if kill:
                made.daemon.start()
                async with Client(made.daemon) as client:
                    answered |= {await made.submit(client, url, tape) for _ in range(AT_ONCE)}
                made.unanswered.clear()
            ids |= answered
        balance = await close_books(made)
    note(
        "F16", f"{AT_ONCE} identical submits at once, and again across a kill", "1 task each", f"{len(ids)} tasks of 2"
    )
    balance.check()
    assert 2 == len(ids)


async def test_a_guest_is_served_beside_a_hog(tmp_path: Path, note: Note, *, whole: bool) -> None:
    """Behind a thousand tasks of one owner, the first task of another one starts within two slots."""
    count = 1000 if whole else 60
    tokens = [TOKEN, GUEST]
    with world(
        tmp_path, with_llm=False, api={"auth_token": tokens}, concurrent={"max_workers": 1, "queue_size": count}
    ) as made:
        held = made.site.gate("held")
        made.daemon.token = TOKEN
        made.daemon.start()
        urls = [made.serve(None, Reply(gate=held, status=404)) for _ in range(count)]
        guest = made.serve(None)
        async with Client(made.daemon) as client:
            for begin in range(0, count, 50):
                await asyncio.gather(*(made.submit(client, url, None) for url in urls[begin : begin + 50]))
            await made.site.until(lambda visits: len(visits) == 1)
            headers = {"Authorization": f"Bearer {GUEST}"}
            async with client.session.post("/api/transcribe", json={"url": guest}, headers=headers) as answer:
                assert 202 == answer.status
            held.open()
            served = await made.site.until(lambda visits: any(guest.endswith(visit.path) for visit in visits), 60.0)
        made.kill()
    before = len({visit.path for visit in served}) - 2
    note("F15", f"slots before a guest's task behind {count} of a hog", "<= 2", before)
    assert before <= 2
