"""Files that are sent instead of addresses: from the bytes to the text, through crashes, and the hostile ones."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import Sequence
from pathlib import Path

import aiohttp
import pytest

from examples.scoring import error_rate
from tests.acceptance.conftest import Start
from tests.acceptance.videos import WORST_ERROR_RATE
from tests.daemon import Client, Daemon, Json
from tests.fakes import media
from tests.fakes.site import Reply, Site

CORPUS = Path(__file__).parent.parent / "corpora" / "bad_requests.jsonl"
CONTAINERS = {
    "a.wav": media.wav,
    "b.mp3": media.mp3,
    "c.webm": media.webm,
    "d": media.mp4_with_sound,
    "e.m3u8": media.mpegts,
}
"""What a file is, its content says: names are as misleading as they like."""
LOOK_S = 0.02


async def upload(client: Client, name: str, content: bytes, **fields: str) -> str:
    """Send a file that must be accepted as new; returns the task's id."""
    form = aiohttp.FormData(quote_fields=False)
    for field, value in fields.items():
        form.add_field(field, value)
    form.add_field("file", io.BytesIO(content), filename=name)
    async with client.session.post("/api/transcribe", data=form) as answer:
        accepted = await answer.json()
        assert answer.status == 202, accepted
    task_id: str = accepted["data"]["task_id"]
    return task_id


async def test_files_of_every_kind_complete_with_their_own_text(site: Site, start: Start) -> None:
    """Files sent at once complete, each with what is said in it, called by its name; nobody else is asked."""
    stories = {name: media.story(number, 2) for number, name in enumerate(CONTAINERS)}
    daemon = start()
    async with Client(daemon) as client:
        contents = {name: CONTAINERS[name](media.compose(story)) for name, story in stories.items()}
        ids = {name: await upload(client, name, content) for name, content in contents.items()}
        states = {name: await client.finished(task_id) for name, task_id in ids.items()}
        texts = {name: (await client.result(task_id, layer="raw"))["text"] for name, task_id in ids.items()}
        head = (await client.messages(ids["a.wav"]))[0]["text"]
    assert dict.fromkeys(CONTAINERS, "completed") == {name: state["status"] for name, state in states.items()}
    for name, story in stories.items():
        assert error_rate(media.text_of(story), texts[name], "en") <= WORST_ERROR_RATE
    assert [Path(name).stem for name in CONTAINERS] == [states[name]["media"]["title"] for name in CONTAINERS]
    assert head.startswith("(1/2) a\n")
    assert [] == site.requests
    daemon.stop()
    assert [] == list((daemon.data / "work").glob("*"))


async def test_subtitles_have_the_times_of_the_source(start: Start) -> None:
    """Every cue of the subtitles, raw and readable, has the times of one of the segments, in their order."""
    async with Client(start()) as client:
        task_id = await upload(client, "talk.wav", media.speech(media.story(1, 3)))
        await client.finished(task_id)
        path = f"/api/task/{task_id}/result"
        segments = (await client.result(task_id, layer="raw"))["segments"]
        for layer in ("raw", "proofread"):
            srt = await client.text(path, format="srt", layer=layer)
            vtt = await client.text(path, format="vtt", layer=layer)
            times = [line for line in srt.splitlines() if "-->" in line]
            assert [f"{clock(one['start'])} --> {clock(one['end'])}" for one in segments] == times
            assert [line.replace(",", ".") for line in times] == [line for line in vtt.splitlines() if "-->" in line]
        document = await client.text(path, format="md")
        assert document.startswith("# talk\n\n")
        assert (await client.result(task_id))["text"] in document


def clock(seconds: float) -> str:
    milliseconds = round(seconds * 1000)
    return f"00:{milliseconds // 60_000:02}:{milliseconds // 1000 % 60:02},{milliseconds % 1000:03}"


# ---------------------------------------------------------------------------------------------
# Crashes
# ---------------------------------------------------------------------------------------------


async def test_accepted_file_outlives_a_crash(site: Site, start: Start) -> None:
    """A file that waits for its turn when the daemon is killed is still there, and is transcribed."""
    gate = site.gate("held")
    held = site.serve("/held.wav", Reply(body=media.speech(media.story(1, 1)), gate=gate))
    story = media.story(2, 2)
    daemon = start(concurrent={"max_workers": 1})
    async with Client(daemon) as client:
        first = await client.submit(held)
        await site.until(bool)
        waiting = await upload(client, "talk.wav", media.speech(story), client_ref="7")
        assert "pending" == (await client.state(waiting))["status"]
    daemon.kill()
    gate.open()
    daemon.start()
    async with Client(daemon) as client:
        states = [await client.finished(task_id) for task_id in (first, waiting)]
        text = (await client.result(waiting, layer="raw"))["text"]
    assert [("completed", None), ("completed", "7")] == [(each["status"], each["client_ref"]) for each in states]
    assert error_rate(media.text_of(story), text, "en") <= WORST_ERROR_RATE


async def test_half_a_file_does_not_outlive_a_crash(start: Start) -> None:
    """What had come of a file when the daemon was killed is gone after its next start."""
    daemon = start()

    async def half() -> None:
        async def pieces():  # noqa: ANN202 - an asynchronous generator that never ends
            yield bytes(3 * 2**20)
            await asyncio.Event().wait()

        form = aiohttp.FormData()
        form.add_field("file", pieces(), filename="a.wav")
        async with Client(daemon) as client, client.session.post("/api/transcribe", data=form):
            pass

    sending = asyncio.create_task(half())
    async with asyncio.timeout(10):
        while not work_files(daemon):  # noqa: ASYNC110 - nothing tells what a disk holds but looking
            await asyncio.sleep(LOOK_S)
    daemon.kill()
    with pytest.raises(aiohttp.ClientError):
        await sending
    assert 1 == len(work_files(daemon))
    daemon.start()
    assert [] == work_files(daemon)


def work_files(daemon: Daemon) -> list[Path]:
    return [path for path in daemon.data.glob("work/**/*") if path.is_file()]


async def test_failed_file_has_to_be_sent_again(start: Start) -> None:
    """A file that failed is gone: a retry says so, and sent again it is a new task."""
    async with Client(start()) as client:
        task_id = await upload(client, "talk.mp4", media.not_media())
        assert "media_invalid" == (await client.finished(task_id))["error"]["type"]
        status, _ = await client.post(f"/api/task/{task_id}/retry", {"from": "auto"})
        assert 202 == status
        error = (await client.finished(task_id))["error"]
        assert "source_not_found" == error["type"]
        assert "upload it again" in error["message"]
        assert task_id != await upload(client, "talk.mp4", media.not_media())


# ---------------------------------------------------------------------------------------------
# Hostile files
# ---------------------------------------------------------------------------------------------


async def test_hostile_files_reach_nothing(site: Site, start: Start) -> None:
    """Files that name other files or hosts end in an error of their own, and nobody they name is asked."""
    contents = hostile_contents(site.port)
    daemon = start()
    (daemon.data / "input.wav").write_bytes(media.speech(media.story(1, 1)))
    async with Client(daemon) as client:
        ids = [await upload(client, f"{number}.wav", content) for number, content in enumerate(contents)]
        states = [await client.finished(task_id) for task_id in ids]
    ends = {ended(state) for state in states}
    assert ends <= {"media_invalid", "download_truncated", "decode_failed", "media_no_audio", "no_speech"}
    assert {"media_invalid", "no_speech"} <= ends
    assert [] == site.requests
    (daemon.data / "input.wav").unlink()


def ended(state: Json) -> str:
    """What a task ended with: its error, or its warning."""
    why: Json = state["error"] or state["warnings"][0]
    return str(why["type"])


def hostile_contents(canary: int) -> Sequence[bytes]:
    """The contents of the corpus that are not empty; playlists in it name a port of this machine."""
    lines = map(json.loads, CORPUS.read_text(encoding="utf-8").splitlines())
    written = [part for line in lines if line["group"] == "upload-content" for _, part in line["body_parts"]]
    made = {
        "{truncated.mp4}": media.truncated(media.mp4_with_sound(media.tone(5))),
        "{silence.wav}": media.wav(media.silence(5)),
        "{zero_duration.mp4}": media.mp4_with_sound(media.silence(0.001)),
    }
    return [made.get(text) or text.replace("{CANARY}", str(canary)).encode() for text in written if text]
