"""The fake video site: what it serves, how it fails, and what it remembers."""

from __future__ import annotations

import asyncio
import contextlib
import time
import urllib.request
from typing import TYPE_CHECKING

import aiohttp
import pytest

from tests.fakes.server import running
from tests.fakes.site import Reply, Site

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

BODY = bytes(range(256)) * 400
SOON_S = 10.0


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    """A started site without pages."""
    async with Site() as started:
        yield started


@pytest.fixture
async def client() -> AsyncIterator[aiohttp.ClientSession]:
    """A client that gives up at last."""
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=SOON_S)) as session:
        yield session


async def test_a_file_is_served_with_its_type_and_remembered(
    site: Site, client: aiohttp.ClientSession, tmp_path: Path
) -> None:
    """A request leaves its method, path, query, headers, bytes and end."""
    (tmp_path / "a.wav").write_bytes(BODY)
    url = site.serve("/media/a.wav", Reply(file=tmp_path / "a.wav"))
    async with client.get(f"{url}?x=1", headers={"X-Test": "yes"}) as answer:
        assert (200, "audio/wav") == (answer.status, answer.content_type)
        assert str(len(BODY)) == answer.headers["Content-Length"]
        assert BODY == await answer.read()
    (visit,) = await site.until(lambda visits: visits[0].ended_at is not None)
    assert ("GET", "/media/a.wav", "x=1", "yes") == (visit.method, visit.path, visit.query, visit.headers["x-test"])
    assert (200, len(BODY), True) == (visit.status, visit.bytes_sent, visit.finished)


async def test_a_path_nobody_serves_is_404_and_remembered(site: Site, client: aiohttp.ClientSession) -> None:
    """An unknown path is answered and recorded as well."""
    async with client.get(f"{site.url}/nothing") as answer:
        assert 404 == answer.status
    assert ["/nothing"] == [visit.path for visit in site.requests]


async def test_replies_come_in_turn_and_the_last_one_stays(site: Site, client: aiohttp.ClientSession) -> None:
    """First 500, then 200 for ever."""
    url = site.serve("/a", Reply(status=500), Reply(body=b"here"))
    statuses = []
    for _ in range(3):
        async with client.get(url) as answer:
            statuses.append(answer.status)
    assert [500, 200, 200] == statuses


@pytest.mark.parametrize(
    ("wanted", "status", "body", "content_range"),
    [
        ("bytes=10-19", 206, BODY[10:20], f"bytes 10-19/{len(BODY)}"),
        ("bytes=100000-", 206, BODY[100_000:], f"bytes 100000-{len(BODY) - 1}/{len(BODY)}"),
        ("bytes=-5", 206, BODY[-5:], f"bytes {len(BODY) - 5}-{len(BODY) - 1}/{len(BODY)}"),
        ("bytes=999999-", 416, b"", f"bytes */{len(BODY)}"),
        ("bytes=nonsense", 416, b"", f"bytes */{len(BODY)}"),
    ],
)
async def test_a_range_is_honored(
    site: Site, client: aiohttp.ClientSession, wanted: str, status: int, body: bytes, content_range: str
) -> None:
    """A range within the body is 206, any other 416."""
    async with client.get(site.serve("/a", Reply(body=BODY)), headers={"Range": wanted}) as answer:
        assert (status, content_range) == (answer.status, answer.headers["Content-Range"])
        assert body == await answer.read()
    assert wanted == site.requests[0].range


async def test_a_reply_without_ranges_sends_all(site: Site, client: aiohttp.ClientSession) -> None:
    """A server may ignore Range."""
    url = site.serve("/a", Reply(body=BODY, ranges=False))
    async with client.get(url, headers={"Range": "bytes=10-19"}) as answer:
        assert (200, BODY) == (answer.status, await answer.read())


async def test_head_sends_headers_only(site: Site, client: aiohttp.ClientSession) -> None:
    """HEAD declares the length and sends nothing."""
    async with client.head(site.serve("/a", Reply(body=BODY))) as answer:
        assert (str(len(BODY)), b"") == (answer.headers["Content-Length"], await answer.read())


async def test_a_redirect_leads_on(site: Site, client: aiohttp.ClientSession) -> None:
    """The client lands at the other path."""
    site.serve("/there", Reply(body=b"here"))
    async with client.get(site.serve("/a", Reply(redirect_to="/there"))) as answer:
        assert (302, b"here") == (answer.history[0].status, await answer.read())


async def test_a_cut_reply_declares_more_than_it_sends(site: Site, client: aiohttp.ClientSession) -> None:
    """The connection closes after so many bytes of the declared length."""
    async with client.get(site.serve("/a", Reply(body=BODY, cut_after=50_000))) as answer:
        assert str(len(BODY)) == answer.headers["Content-Length"]
        with pytest.raises(aiohttp.ClientPayloadError):
            await answer.read()
    visit = site.requests[0]
    assert (50_000, False) == (visit.bytes_sent, visit.finished)


@pytest.mark.parametrize("after", [0, 50_000])
async def test_a_stalled_reply_sends_no_more_until_the_client_leaves(
    site: Site, client: aiohttp.ClientSession, after: int
) -> None:
    """Headers and so many bytes arrive; the record shows when the client has gone."""
    async with client.get(site.serve("/a", Reply(body=BODY, stall_after=after))) as answer:
        assert BODY[:after] == await answer.content.readexactly(after)
        assert site.requests[0].ended_at is None
        answer.close()
    (visit,) = await site.until(lambda visits: visits[0].ended_at is not None)
    assert (after, False) == (visit.bytes_sent, visit.finished)


async def test_a_chunked_reply_declares_no_length(site: Site, client: aiohttp.ClientSession) -> None:
    """The whole body comes without Content-Length."""
    async with client.get(site.serve("/a", Reply(body=BODY, chunked=True))) as answer:
        assert "Content-Length" not in answer.headers
        assert BODY == await answer.read()


async def test_an_endless_reply_repeats_its_body(site: Site, client: aiohttp.ClientSession) -> None:
    """More comes than there is, until the client leaves."""
    async with client.get(site.serve("/a", Reply(body=b"0123456789" * 100, endless=True))) as answer:
        assert b"0123456789" * 10_000 == await answer.content.readexactly(100_000)
        answer.close()
    (visit,) = await site.until(lambda visits: visits[0].ended_at is not None)
    assert not visit.finished


def test_an_endless_reply_of_nothing_is_refused() -> None:
    """There must be something to repeat."""
    with pytest.raises(ValueError, match="something to repeat"):
        Reply(endless=True)


async def test_a_slow_reply_keeps_its_speed(site: Site, client: aiohttp.ClientSession) -> None:
    """20,000 bytes at 100,000 a second take 0.2 s."""
    began_at = time.monotonic()
    async with client.get(site.serve("/a", Reply(body=BODY[:20_000], bytes_per_s=100_000))) as answer:
        assert BODY[:20_000] == await answer.read()
    assert 0.19 <= time.monotonic() - began_at < SOON_S


async def test_a_gate_holds_requests_until_it_opens(site: Site, client: aiohttp.ClientSession) -> None:
    """Five held requests are answered after the gate opens, a later one at once."""
    gate = site.gate("door")
    url = site.serve("/a", Reply(body=b"in", gate=gate))

    async def fetch() -> bytes:
        async with client.get(url) as answer:
            return await answer.read()

    held = [asyncio.create_task(fetch()) for _ in range(5)]
    await site.until(lambda _: gate.held == 5)
    assert not any(visit.ended_at for visit in site.requests)
    gate.open()
    assert [b"in"] * 5 == await asyncio.gather(*held)
    assert b"in" == await fetch()


@pytest.mark.parametrize("waiting", ["delay", "stall", "gate"])
async def test_stopping_ends_whatever_is_held(client: aiohttp.ClientSession, waiting: str) -> None:
    """No delay, stall or closed gate outlives the site."""
    async with Site() as site:
        replies = {
            "delay": Reply(delay_s=3600),
            "stall": Reply(body=BODY, stall_after=10),
            "gate": Reply(gate=site.gate("shut")),
        }
        url = site.serve("/a", replies[waiting])

        async def fetch() -> None:
            with contextlib.suppress(aiohttp.ClientError):
                async with client.get(url) as answer:
                    await answer.read()

        held = asyncio.create_task(fetch())
        await site.until(lambda visits: len(visits) == 1)
        stopping_at = time.monotonic()
    assert time.monotonic() - stopping_at < SOON_S
    await held
    assert site.requests[0].ended_at is not None


def test_a_site_runs_in_a_thread_for_tests_that_are_not_asynchronous() -> None:
    """Serving, waiting and gates work from the thread of the test; started again it has the same address."""
    with running(Site()) as site:
        first_address = site.address
        gate = site.gate("door")
        gate.open()
        url = site.serve("/a", Reply(body=b"in", gate=gate))
        with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310 - the address is our own
            assert b"in" == answer.read()
        assert site.wait(lambda visits: visits[0].finished)
    with running(site):
        assert first_address == site.address


def test_waiting_in_vain_names_what_arrived() -> None:
    """The error of a wait that failed tells what there was."""
    with running(Site()) as site, pytest.raises(TimeoutError, match=r"arrived so far: \[\]"):
        site.wait(lambda visits: len(visits) > 0, timeout_s=0.01)


def test_a_folder_is_served_with_a_page_for_each_recording(tmp_path: Path) -> None:
    """Every file has its path, every medium also a page that holds it."""
    (tmp_path / "a.wav").write_bytes(BODY)
    (tmp_path / "a.txt").write_text("words")
    with running(Site()) as site:
        assert ["/a.txt", "/a.wav", "/watch/a.wav"] == site.serve_folder(tmp_path)
        with urllib.request.urlopen(f"{site.url}/watch/a.wav", timeout=5) as answer:  # noqa: S310 - our own
            assert b'src="/a.wav"' in answer.read()
