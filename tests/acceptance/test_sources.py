"""Everything an address may lead to that completes."""

from __future__ import annotations

from collections.abc import Callable

from examples.scoring import error_rate
from tests.acceptance.conftest import Start
from tests.acceptance.videos import WORST_ERROR_RATE, serve_stream
from tests.acceptance.watching import CHINESE, Watched, check_nothing_left, check_progress, watch_all
from tests.daemon import Client
from tests.fakes import media, pages
from tests.fakes.site import Reply, Site, page


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


def _two_qualities(site: Site, pcm: media.Pcm) -> str:
    """Serve a playlist of playlists: the same recording, of which the poor quality is noise."""
    serve_stream(site, "/poor", media.tone(len(pcm) / media.RATE))
    serve_stream(site, "/good", pcm)
    playlist = (
        "#EXTM3U\n"
        '#EXT-X-STREAM-INF:BANDWIDTH=32000,CODECS="mp4a.40.2"\npoor/stream.m3u8\n'
        '#EXT-X-STREAM-INF:BANDWIDTH=96000,CODECS="mp4a.40.2"\ngood/stream.m3u8\n'
    )
    return site.serve("/qualities.m3u8", Reply(body=playlist.encode()))


def _sound_apart(site: Site, pcm: media.Pcm) -> str:
    """Serve a playlist whose picture has no sound, with the sound as a stream of its own."""
    serve_stream(site, "/sound", pcm)
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
    "stream": lambda site, pcm: serve_stream(site, "/ts", pcm),
    "stream of fragments": lambda site, pcm: serve_stream(site, "/fmp4", pcm, kind="fmp4"),
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
