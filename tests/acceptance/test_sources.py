"""Everything an address may lead to: what completes, and the error that each fault ends with."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from examples.scoring import error_rate
from tests.acceptance.conftest import Start
from tests.daemon import Client, Daemon, Json
from tests.fakes import media, pages
from tests.fakes.site import Reply, Site, page
from tests.fakes.wecom import WeCom

WORST_ERROR_RATE = 0.1
CHINESE = re.compile("[\u4e00-\u9fff]")
CLOSED_PORT = "127.0.0.1:1"
LOOK_S = 0.3
FINAL = {"completed", "failed", "cancelled", "timeout"}
ENDLESSLY_LONG_S = 100_000.0
LONG_S = 220.0
"""Half of it is more than what is decoded before it is heard."""


@dataclass(frozen=True)
class Watched:
    """A task that has come to its end, and everything it had to say."""

    state: Json
    percents: list[float]
    messages: list[Json]

    @property
    def end(self) -> tuple[str, str | None, str | None, int]:
        """Status, type and stage of the error, and the number of the last attempt."""
        error = self.state["error"] or {"type": None, "stage": None}
        return self.state["status"], error["type"], error["stage"], self.state["attempt"]


async def watch(client: Client, url: str, **fields: object) -> Watched:
    """Submit an address and follow it to its end."""
    task_id = await client.submit(url, **fields)
    percents = []
    async with asyncio.timeout(90):
        while True:
            _, answer = await client.get(f"/api/task/{task_id}", wait=LOOK_S)
            percents.append(answer["data"]["progress"]["percent"])
            if answer["data"]["status"] in FINAL:
                return Watched(answer["data"], percents, await client.messages(task_id))


async def watch_all(client: Client, urls: dict[str, str]) -> dict[str, Watched]:
    """Submit all addresses at once; what became of each goes by its name."""
    watched = await asyncio.gather(*(watch(client, url) for url in urls.values()))
    return dict(zip(urls, watched, strict=True))


def check_progress(watched: Watched) -> None:
    """Check that the percent never fell, and that only a completed task has 100."""
    assert sorted(watched.percents) == watched.percents
    assert (watched.state["status"] == "completed") == (watched.percents[-1] == 100)


def check_nothing_left(daemon: Daemon) -> None:
    """Check, once the daemon has stopped, that no task has left anything in the work folder."""
    daemon.stop()
    assert [] == list((daemon.data / "work").glob("*"))


# -- sources that have speech -------------------------------------------------------------------


def _file(path: str, container: Callable[[media.Pcm], bytes]) -> Callable[[Site, media.Pcm], str]:
    """Serve a recording as a file of its own."""
    return lambda site, pcm: site.serve(path, Reply(body=container(pcm)))


def _page(site: Site, pcm: media.Pcm) -> str:
    """Serve a page with a ``<video>``."""
    site.serve("/inside.mp3", Reply(body=media.mp3(pcm)))
    return site.serve("/watch/page", page(pages.video_page("On a page", "/inside.mp3")))


def _described_page(site: Site, pcm: media.Pcm) -> str:
    """Serve a page that describes its video to machines."""
    inside = site.serve("/inside.webm", Reply(body=media.webm(pcm)))
    return site.serve("/watch/described", page(pages.described_page("Described", inside, author="Its author")))


def _stream(site: Site, folder: str, pcm: media.Pcm, **how: Any) -> str:
    """Serve a segmented stream."""
    for name, body in media.hls(pcm, **how).items():
        site.serve(f"{folder}/{name}", Reply(body=body))
    return f"{site.url}{folder}/stream.m3u8"


def _two_qualities(site: Site, pcm: media.Pcm) -> str:
    """Serve a playlist of playlists: the same recording, of which the poor quality is noise."""
    _stream(site, "/poor", media.tone(len(pcm) / media.RATE))
    _stream(site, "/good", pcm)
    playlist = (
        "#EXTM3U\n"
        '#EXT-X-STREAM-INF:BANDWIDTH=32000,CODECS="mp4a.40.2"\npoor/stream.m3u8\n'
        '#EXT-X-STREAM-INF:BANDWIDTH=96000,CODECS="mp4a.40.2"\ngood/stream.m3u8\n'
    )
    return site.serve("/qualities.m3u8", Reply(body=playlist.encode()))


def _sound_apart(site: Site, pcm: media.Pcm) -> str:
    """Serve a playlist whose picture has no sound, with the sound as a stream of its own."""
    _stream(site, "/sound", pcm)
    site.serve("/picture/stream.m3u8", Reply(status=500))
    playlist = (
        "#EXTM3U\n"
        '#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="sound",NAME="English",LANGUAGE="en",DEFAULT=YES,URI="sound/stream.m3u8"\n'
        '#EXT-X-STREAM-INF:BANDWIDTH=900000,CODECS="avc1.4d401e,mp4a.40.2",AUDIO="sound"\npicture/stream.m3u8\n'
    )
    return site.serve("/apart.m3u8", Reply(body=playlist.encode()))


SOURCES: dict[str, Callable[[Site, media.Pcm], str]] = {
    "wav": _file("/speech.wav", media.wav),
    "mp3": _file("/speech.mp3", media.mp3),
    "opus": _file("/speech.opus", media.opus),
    "flac": _file("/speech.flac", media.flac),
    "m4a": _file("/speech.m4a", media.m4a),
    "aac": _file("/speech.aac", media.aac),
    "wma": _file("/speech.wma", media.wma),
    "mp4": _file("/video.mp4", media.mp4_with_sound),
    "webm": _file("/video.webm", media.webm),
    "mkv": _file("/video.mkv", media.mkv),
    "mov": _file("/video.mov", media.mov),
    "avi": _file("/video.avi", media.avi),
    "ts": _file("/video.ts", media.mpegts),
    "stream": lambda site, pcm: _stream(site, "/ts", pcm),
    "stream of fragments": lambda site, pcm: _stream(site, "/fmp4", pcm, kind="fmp4"),
    "stream in two qualities": _two_qualities,
    "stream with its sound apart": _sound_apart,
    "page": _page,
    "described page": _described_page,
}


async def test_every_kind_of_source_completes_with_its_own_text(site: Site, start: Start) -> None:
    """Direct audio, videos, pages and streams, submitted at once, each complete with what is said in them."""
    stories = {name: media.story(number, 3) for number, name in enumerate(SOURCES)}
    urls = {name: serve(site, media.compose(stories[name])) for name, serve in SOURCES.items()}
    daemon = start(concurrent={"max_workers": 4, "queue_size": len(SOURCES)})
    async with Client(daemon) as client:
        watched = await watch_all(client, urls)
        raw = {name: await client.result(one.state["task_id"], layer="raw") for name, one in watched.items()}
    assert dict.fromkeys(urls, ("completed", None, None, 1)) == {name: one.end for name, one in watched.items()}
    for name, one in watched.items():
        check_progress(one)
        rates = {other: error_rate(media.text_of(story), raw[name]["text"], "en") for other, story in stories.items()}
        assert name == min(rates, key=rates.__getitem__)
        assert rates[name] <= WORST_ERROR_RATE
        assert one.state["media"]["duration"] > 5
    assert ("On a page", None) == _called(watched["page"])
    assert ("Described", "Its author") == _called(watched["described page"])
    check_nothing_left(daemon)


def _called(watched: Watched) -> tuple[str, str | None]:
    return watched.state["media"]["title"], watched.state["media"]["author"]


async def test_media_may_lie_elsewhere_than_the_page(site: Site, start: Start) -> None:
    """With a ``download_url`` the sound comes from there and the name from the page, if that has any to give."""
    story = media.story(4, 2)
    sound = site.serve("/elsewhere.wav", Reply(body=media.speech(story)))
    other = site.serve("/other.mp3", Reply(body=media.mp3(media.tone(3))))
    pages_of = {
        "described": site.serve("/described", page(pages.described_page("Described", other, author="Its author"))),
        "without a video": site.serve("/article", page(pages.empty_page("An article"))),
        "gone": site.serve("/gone", Reply(status=404)),
    }
    async with Client(start()) as client:
        ids = {name: await client.submit(url, download_url=sound) for name, url in pages_of.items()}
        states = {name: await client.finished(task_id) for name, task_id in ids.items()}
        texts = [(await client.result(task_id, layer="raw"))["text"] for task_id in ids.values()]
    assert dict.fromkeys(pages_of, "completed") == {name: state["status"] for name, state in states.items()}
    assert all(error_rate(media.text_of(story), text, "en") <= WORST_ERROR_RATE for text in texts)
    assert pages_of == {name: state["url"] for name, state in states.items()}
    called = {name: (state["media"]["title"], state["media"]["author"]) for name, state in states.items()}
    expected = {"described": ("Described", "Its author"), "without a video": ("elsewhere", None)}
    assert expected | {"gone": ("elsewhere", None)} == called


# -- sources without speech ---------------------------------------------------------------------


async def test_sound_without_words_completes_with_a_warning(site: Site, start: Start) -> None:
    """Silence and a tone complete with ``no_speech``, no segments, and one message that says so."""
    urls = {
        "silence": site.serve("/silence.wav", Reply(body=media.wav(media.silence(8)))),
        "tone": site.serve("/tone.mp4", Reply(body=media.mp4_with_sound(media.tone(8)))),
    }
    async with Client(start()) as client:
        for one in (await watch_all(client, urls)).values():
            assert ("completed", None, None, 1) == one.end
            [warning] = one.state["warnings"]
            assert "no_speech" == warning["type"]
            assert CHINESE.search(warning["message_zh"])
            result = await client.result(one.state["task_id"], layer="raw")
            assert ("", []) == (result["text"], result["segments"])
            [head] = one.messages
            assert ("head", 1, 1, "sent") == (head["kind"], head["number"], head["of"], head["state"])
            assert head["text"].startswith("(1/1)")
            assert "没有识别到语音" in head["text"]


# -- faults -------------------------------------------------------------------------------------

Ends = dict[str, tuple[str, str | None, str | None, int]]
"""How each source ends, by its name: status, type and stage of its error, number of the last attempt."""

GOOD = ("completed", None, None, 1)
NOT_THERE = ("failed", "source_not_found", "captions", 1)

FAULTS: Ends = {
    "good": GOOD,
    "500 once": ("completed", None, None, 2),
    "not media": ("failed", "media_invalid", "decode", 1),
    "no sound": ("failed", "media_no_audio", "decode", 1),
    "empty": ("failed", "media_invalid", "download", 1),
    "cut": ("failed", "download_truncated", "download", 3),
    "short": ("failed", "download_truncated", "decode", 3),
    "long and short": ("failed", "download_truncated", "decode", 3),
    "403": ("failed", "source_forbidden", "captions", 2),
    "404": NOT_THERE,
    "429": ("failed", "source_rate_limited", "captions", 4),
    "500": ("failed", "source_unreachable", "captions", 4),
    "refused": ("failed", "source_unreachable", "captions", 4),
    "no video": ("failed", "source_unsupported", "captions", 2),
    "two videos": ("failed", "playlist_not_allowed", "captions", 1),
    "live": ("failed", "live_not_supported", "captions", 1),
    "circle": ("failed", "source_unreachable", "captions", 4),
    "good, too": GOOD,
}
TOO_MUCH: Ends = {
    "good": GOOD,
    "endless": ("failed", "download_too_large", "download", 1),
    "stalled": ("timeout", "download_timeout", "download", 1),
    "drip": ("timeout", "download_timeout", "download", 1),
    "declared too long": ("failed", "media_too_long", "captions", 1),
    "too long": ("failed", "media_too_long", "decode", 1),
}
DETAILS = {"empty": "empty", "circle": "circle", "stalled": "stall_s", "drip": "timeout_s", "two videos": "2"}
"""Words that the message of some of them must have."""


async def test_each_fault_ends_with_its_own_error(site: Site, wecom: WeCom, start: Start) -> None:
    """Every fault gets its own error and one notice, after the tries it deserves; good videos finish beside them."""
    daemon = start(
        concurrent={"max_workers": 8, "queue_size": 30},
        download={"allow_hosts": [site.address, CLOSED_PORT]},
        scheduler={"retry_delay_s": 0.05},
        wechat={"webhook": wecom.webhook("team"), "per_minute": 1200},
    )
    await _check_ends(daemon, wecom, _serve_faults(site), FAULTS)
    assert 4 == len(site.requests_of("/short.wav"))  # looked at once, then fetched anew by each attempt
    check_nothing_left(daemon)


async def test_what_goes_over_a_limit_is_stopped(site: Site, wecom: WeCom, start: Start) -> None:
    """Too large, too slow, silent or too long: each ends by its own limit, and a good video finishes beside them."""
    daemon = start(
        concurrent={"max_workers": 6},
        download={"max_mb": 1, "stall_s": 4, "timeout_s": 7, "max_duration_s": 60},
        wechat={"webhook": wecom.webhook("team"), "per_minute": 1200},
    )
    await _check_ends(daemon, wecom, _serve_too_much(site), TOO_MUCH)
    check_nothing_left(daemon)


async def test_nobody_is_told_who_does_not_want_it(site: Site, start: Start) -> None:
    """A failed task whose caller asked for no notices has no message."""
    async with Client(start()) as client:
        watched = await watch(client, f"{site.url}/not-there", notify="none")
    assert (NOT_THERE, []) == (watched.end, watched.messages)


async def _check_ends(daemon: Daemon, wecom: WeCom, urls: dict[str, str], ends: Ends) -> None:
    """Submit all, check how each ends, and that the robot got one notice for each failure."""
    failing = [name for name, (_, error, _, _) in ends.items() if error]
    async with Client(daemon) as client:
        watched = await watch_all(client, urls)
        assert ends == {name: one.end for name, one in watched.items()}
        await wecom.until(lambda _: len(_notices(wecom)) >= len(failing))
    for one in watched.values():
        check_progress(one)
    told = [_check_told(watched[name], DETAILS.get(name, "")) for name in failing]
    assert sorted(told) == sorted(_notices(wecom))


def _notices(wecom: WeCom) -> list[str]:
    """What came to the robot outside any run."""
    return [content for content in wecom.robot("team").contents if not content.startswith("(")]


def _check_told(watched: Watched, detail: str) -> str:
    """Check that the error speaks both languages and says what to do; returns its one notice."""
    error = watched.state["error"]
    assert detail in error["message"]
    assert not CHINESE.search(error["message"])
    assert CHINESE.search(error["message_zh"])
    assert re.search(r"[A-Za-z]{3,}.*[\u4e00-\u9fff]", error["hint"])
    [notice] = watched.messages
    assert ("notice", None, None) == (notice["kind"], notice["number"], notice["of"])
    assert error["message_zh"].split("(")[0].strip() in notice["text"]
    assert error["hint"] in notice["text"]
    return notice["text"]


def _serve_faults(site: Site) -> dict[str, str]:
    """Serve every source of ``FAULTS``."""
    speech = media.speech(media.story(1, 2))
    good = Reply(body=speech)
    two = pages.video_page("One", "/good.wav") + pages.video_page("Two", "/good.opus")
    return {
        "good": site.serve("/good.wav", good),
        "500 once": site.serve("/once.wav", Reply(status=500), good),
        "not media": site.serve("/text.mp4", Reply(body=media.not_media())),
        "no sound": site.serve("/mute.mp4", Reply(body=media.mp4_without_sound())),
        "empty": site.serve("/empty.mp4", Reply(body=b"")),
        "cut": site.serve("/cut.wav", Reply(body=speech, cut_after=20_000, ranges=False)),
        "short": site.serve("/short.wav", Reply(body=media.truncated(speech))),
        "long and short": site.serve("/long.flac", Reply(body=media.truncated(media.flac(media.tone(LONG_S))))),
        "403": site.serve("/403.mp4", Reply(status=403)),
        "404": site.serve("/404.mp4", Reply(status=404)),
        "429": site.serve("/429.mp4", Reply(status=429)),
        "500": site.serve("/500.mp4", Reply(status=500)),
        "refused": f"http://{CLOSED_PORT}/video.mp4",
        "no video": site.serve("/nothing", page(pages.empty_page("Nothing"))),
        "two videos": site.serve("/two", page(two)),
        "live": _stream(site, "/live", media.tone(5), live=True),
        "circle": site.serve("/circle", Reply(redirect_to="/circle")),
        "good, too": site.serve("/good.opus", Reply(body=media.opus(media.compose(media.story(2, 2))))),
    }


def _serve_too_much(site: Site) -> dict[str, str]:
    """Serve every source of ``TOO_MUCH``."""
    speech = media.speech(media.story(1, 2))
    declared = pages.described_page("Long", f"{site.url}/good.wav", duration_s=ENDLESSLY_LONG_S)
    return {
        "good": site.serve("/good.wav", Reply(body=speech)),
        "endless": site.serve("/endless.mp4", Reply(body=speech, endless=True)),
        "stalled": site.serve("/stalled.wav", Reply(body=speech, stall_after=20_000, ranges=False)),
        "drip": site.serve("/drip.wav", Reply(body=speech, bytes_per_s=3000)),
        "declared too long": site.serve("/long", page(declared)),
        "too long": site.serve("/long.flac", Reply(body=media.flac(media.silence(70)))),
    }
