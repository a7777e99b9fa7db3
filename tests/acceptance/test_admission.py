"""How many tasks are taken, and what happens to the rest: they are refused, and nothing of them remains."""

from __future__ import annotations

import asyncio
from collections import Counter

from tests.acceptance.conftest import Start
from tests.acceptance.rows import rows
from tests.acceptance.videos import Video, check_texts, serve_story
from tests.daemon import Client, Daemon, Json
from tests.fakes.site import Site

ROOM = {"max_workers": 2, "queue_size": 5}
PLACES = 7


async def test_a_full_daemon_refuses_and_forgets(site: Site, start: Start) -> None:
    """Of 50 slow tasks at once, 7 are accepted and finish; 43 are refused with 429, and nothing of them is stored."""
    videos = {video.url: video for video in _slow_videos(site, 50)}
    daemon = start(concurrent=ROOM)
    async with Client(daemon) as client:
        answers = await _submit_all(client, [*videos])
        accepted = {url: answer["data"]["task_id"] for url, (status, answer) in answers.items() if status == 202}
        refused = [answer for status, answer in answers.values() if status == 429]
        assert (PLACES, 50 - PLACES) == (len(accepted), len(refused))
        assert {"queue_full"} == {answer["error"]["type"] for answer in refused}
        await _only_these_are_stored(client, daemon, set(accepted.values()))

        for url in accepted:
            videos[url].gate.open()
        states = await asyncio.gather(*map(client.finished, accepted.values()))
        assert ["completed"] * PLACES == [state["status"] for state in states]
        await check_texts(client, [*accepted.values()], [videos[url] for url in accepted])


async def test_a_full_daemon_stays_polite_and_small(site: Site, start: Start) -> None:
    """While full it says when to come back, knows the work it has, does not grow, and fills each freed place once."""
    held = _slow_videos(site, PLACES)
    further = [site.url + f"/further-{number}.wav" for number in range(500)]
    late = serve_story(site, 100)
    daemon = start(concurrent=ROOM)
    async with Client(daemon) as client:
        ids = [await client.submit(video.url) for video in held]
        async with client.session.post("/api/transcribe", json={"url": late.url}) as answer:
            assert 429 == answer.status
            assert 1 <= int(answer.headers["Retry-After"]) == (await answer.json())["error"]["retry_after"]
        status, answer = await client.post("/api/transcribe", {"url": held[3].url})
        assert (200, ids[3], ids[3]) == (status, answer["data"]["task_id"], answer["data"]["duplicate_of"])

        before_mb = daemon.rss_mb()
        answers = await _submit_all(client, further)
        assert {429: 500} == Counter(status for status, _ in answers.values())
        assert daemon.rss_mb() - before_mb < 20
        await _only_these_are_stored(client, daemon, set(ids))

        held[0].gate.open()
        await client.finished(ids[0])
        ids.append(await client.submit(late.url))
        assert 429 == (await client.post("/api/transcribe", {"url": further[0]}))[0]
        for video in held:
            video.gate.open()
        await asyncio.gather(*map(client.finished, ids))
        await check_texts(client, ids, [*held, late])


async def test_the_same_video_many_times_at_once_is_one_task(site: Site, start: Start) -> None:
    """Of 50 identical submits at the same moment one is accepted, and the others are told its id."""
    video = serve_story(site, 0)
    daemon = start(concurrent=ROOM)
    async with Client(daemon) as client:
        answers = await asyncio.gather(*(client.post("/api/transcribe", {"url": video.url}) for _ in range(50)))
        assert {202: 1, 200: 49} == Counter(status for status, _ in answers)
        (task_id,) = {answer["data"]["task_id"] for _, answer in answers}
        await client.finished(task_id)
        await _only_these_are_stored(client, daemon, {task_id})
        await check_texts(client, [task_id], [video])


async def test_the_same_request_across_a_kill_is_one_task(site: Site, start: Start) -> None:
    """A daemon killed amid 50 identical submits makes no second task later, and repeats the answers it had given."""
    video = serve_story(site, 0)
    daemon = start(concurrent=ROOM)
    answered = {}
    async with Client(daemon) as client:
        submits = [asyncio.create_task(_submit_as(client, str(number), video.url)) for number in range(50)]
        for submit in asyncio.as_completed(submits):
            key, *answer = await submit
            answered[key] = answer
            if len(answered) == 5:
                daemon.kill()
                break
        rest = await asyncio.gather(*submits, return_exceptions=True)
        answered |= {key: answer for key, *answer in (each for each in rest if isinstance(each, tuple))}
    daemon.start()
    async with Client(daemon) as client:
        again = {key: answer for key, *answer in await _submit_all_as(client, video.url)}
        assert answered == {key: again[key] for key in answered}
        (task_id,) = {answer["data"]["task_id"] for _, answer in again.values()}
        await client.finished(task_id)
        await _only_these_are_stored(client, daemon, {task_id})
        assert again == {key: answer for key, *answer in await _submit_all_as(client, video.url)}


async def test_a_newcomer_does_not_wait_behind_a_thousand(site: Site, start: Start) -> None:
    """Behind 1,000 tasks of one token the first of another starts within two slots, and an urgent one before both."""
    held = _slow_videos(site, ROOM["max_workers"])
    gone = [site.url + f"/gone-{number}.wav" for number in range(1000 - len(held))]
    crowd, newcomer = "token-of-the-crowd", "token-of-the-newcomer"
    daemon = start(api={"auth_token": [crowd, newcomer]}, concurrent=ROOM | {"queue_size": 1000})
    daemon.token = crowd
    async with Client(daemon) as client:
        urls = [*(video.url for video in held), *gone]
        batches = [{"urls": urls[begin : begin + 50]} for begin in range(0, 1000, 50)]
        assert [202] * 20 == [(await client.post("/api/transcribe", batch))[0] for batch in batches]
        urgent = await client.submit(site.url + "/urgent.wav", priority="urgent")
        daemon.token = newcomer
        async with Client(daemon) as other:
            first = await other.submit(serve_story(site, 10).url)
            assert 3 == (await other.state(first))["position"]
            for video in held:
                video.gate.open()
            await other.finished(first)
    started = [line["task"] for line in daemon.log() if line.get("cause") == "claimed"]
    assert urgent == started[2]
    assert first in started[3:5]


async def _submit_all_as(client: Client, url: str) -> list[tuple[str, int, Json]]:
    return await asyncio.gather(*(_submit_as(client, str(number), url) for number in range(50)))


async def _submit_as(client: Client, key: str, url: str) -> tuple[str, int, Json]:
    """Submit under this key; returns it with status and answer."""
    headers = {"Idempotency-Key": key}
    async with client.session.post("/api/transcribe", json={"url": url}, headers=headers) as answer:
        return key, answer.status, await answer.json()


def _slow_videos(site: Site, count: int) -> list[Video]:
    """Videos whose site keeps silent until the gate of the video opens."""
    return [serve_story(site, number, hold="captions") for number in range(count)]


async def _submit_all(client: Client, urls: list[str]) -> dict[str, tuple[int, Json]]:
    """Submit all at once; returns status and answer of each."""
    answers = await asyncio.gather(*(client.post("/api/transcribe", {"url": url}) for url in urls))
    return dict(zip(urls, answers, strict=True))


async def _only_these_are_stored(client: Client, daemon: Daemon, ids: set[str]) -> None:
    """Check the list that the daemon shows, and the file behind it."""
    _, answer = await client.get("/api/tasks", limit=200)
    assert ids == {task["task_id"] for task in answer["data"]["tasks"]}
    assert ids == {task_id for (task_id,) in rows(daemon, "SELECT id FROM task")}
