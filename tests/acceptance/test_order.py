"""Many videos at once: side by side, in any order, and every text under its own id."""

from __future__ import annotations

import asyncio
import itertools

from tests.acceptance.conftest import Start
from tests.acceptance.logbook import finished_order, most_at_once, overlap, spans
from tests.acceptance.videos import check_texts, serve_story
from tests.daemon import Client
from tests.fakes.server import Gate
from tests.fakes.site import Site

COUNT = 20
IN_FLIGHT = 2
"""Videos let go at a time; fewer than a device takes, so that none waits there, where the oldest would go first."""


async def test_videos_finish_in_reverse_and_keep_their_texts(site: Site, start: Start) -> None:
    """Of twenty videos, each shorter than the one before, the last come back first, each with its own words."""
    videos = [serve_story(site, number, 1 + (COUNT - number) // 2, hold="download") for number in range(COUNT)]
    gates = [video.gate for video in videos]
    daemon = start(concurrent={"max_workers": COUNT})
    async with Client(daemon) as client:
        ids = [await client.submit(video.url) for video in videos]
        await site.until(lambda _: all(gate.held for gate in gates), 60)
        await _let_go_in_reverse(client, gates, ids)
        states = await asyncio.gather(*map(client.finished, ids))
        assert ["completed"] * COUNT == [state["status"] for state in states]
        await check_texts(client, ids, videos)

    finished = finished_order(daemon)
    pairs = list(itertools.combinations(ids, 2))
    overtaken = sum(finished.index(earlier) > finished.index(later) for earlier, later in pairs)
    assert overtaken > 0.9 * len(pairs)
    downloads, transcriptions = spans(daemon, "download"), spans(daemon, "transcribe")
    assert most_at_once(downloads.values()) == COUNT
    assert most_at_once(transcriptions.values()) >= 2
    assert overlap(downloads, transcriptions)


async def _let_go_in_reverse(client: Client, gates: list[Gate], ids: list[str]) -> None:
    """Open the gate of the latest video first, and each further one as soon as there is room in flight."""
    backwards = list(zip(reversed(gates), reversed(ids), strict=True))
    for place, (gate, _) in enumerate(backwards):
        if place >= IN_FLIGHT:
            await client.finished(backwards[place - IN_FLIGHT][1])
        gate.open()
