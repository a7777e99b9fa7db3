"""The fetch child: what it makes of sites and their files, and the name each fault gets."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from pipeline.child import Zygote
from pipeline.errors import Interrupted
from pipeline.failures import (
    DiskFull,
    DownloadTooLarge,
    DownloadTruncated,
    LiveNotSupported,
    MediaInvalid,
    PlaylistNotAllowed,
    SourceForbidden,
    SourceNotFound,
    SourceRateLimited,
    SourceUnreachable,
    SourceUnsupported,
    StageFailed,
)
from tests.disk import Disk
from tests.fakes import media, pages
from tests.fakes.server import running
from tests.fakes.site import Reply, Site, page
from tests.integration.children import LIMIT_BYTES, Children

SPOKEN = media.compose(media.story(0, 2))
WAV = media.wav(SPOKEN)
TONE = media.tone(8.0)
WHOLE = Reply(body=WAV)


@pytest.fixture
def site() -> Iterator[Site]:
    with running(Site()) as site:
        yield site


# -- resolve ------------------------------------------------------------------------------------


def test_resolve_tells_what_a_page_says_of_its_video(site: Site, children: Children) -> None:
    """Title, author and duration are the page's own, letter for letter."""
    media_url = site.serve("/hidden.wav", WHOLE)
    described = pages.described_page("标题 <b> \U0001f44b", media_url, author="A & B", duration_s=6.5)
    found = children.fetch("resolve", site.serve("/watch", page(described)))
    assert ("标题 <b> \U0001f44b", "A & B", 6.5) == (found["title"], found["author"], found["duration_s"])


def test_a_page_s_only_video_is_not_numbered(site: Site, children: Children) -> None:
    """A page with one ``<video>`` has the page's title, and what it does not say is not made up."""
    site.serve("/clip.wav", WHOLE)
    found = children.fetch("resolve", site.serve("/watch", page(pages.video_page("One (and only)", "/clip.wav"))))
    assert ("One (and only)", None, None) == (found["title"], found["author"], found["duration_s"])


def test_half_a_surrogate_pair_in_a_title_is_replaced(site: Site, children: Children) -> None:
    """A title is always text that can be stored and sent."""
    media_url = site.serve("/hidden.wav", WHOLE)
    found = children.fetch("resolve", site.serve("/watch", page(pages.described_page("a\ud83db", media_url))))
    assert ("a", "b") == (found["title"][0], found["title"][-1])
    assert found["title"].encode().decode() == found["title"]


# -- the way to a site --------------------------------------------------------------------------


def cookie(domain: str, name: str, *, path: str = "/", expires: int = 0, mark: str = "") -> str:
    return "\t".join([f"{mark}{domain}", "FALSE", path, "FALSE", str(expires), name, f"of-{domain}"])


def test_a_site_gets_the_cookies_of_its_own_file(site: Site, children: Children, tmp_path: Path) -> None:
    """Page and media are asked with what is for them and holds; a file of no use is named, and all stay as they are."""
    folder = tmp_path / "cookies"
    folder.mkdir()
    lines = [
        "# Netscape HTTP Cookie File",
        cookie("127.0.0.1", "session"),
        cookie("127.0.0.1", "kept", expires=4_000_000_000, mark="#HttpOnly_"),
        cookie("127.0.0.1", "old", expires=1_000_000_000),
        cookie("127.0.0.1", "elsewhere", path="/private"),
        "no cookie at all",
    ]
    (folder / "127.0.0.1.txt").write_text("\n".join(lines), encoding="utf-8")
    (folder / "www.example.com_cookies.txt").write_text(
        "\n".join([cookie("127.0.0.1", "stray"), cookie(".example.com", "other")]), encoding="utf-8"
    )
    (folder / "broken.example.txt").write_text('[{"name": "planted-secret-4"}]', encoding="utf-8")
    before = {file.name: file.read_bytes() for file in folder.iterdir()}
    url = site.serve("/clip.wav", WHOLE)
    with capture_logs() as told:
        children.fetch("resolve", url, cookies_dir=str(folder))
        children.fetch("download", url, cookies_dir=str(folder))
    sent = {visit.headers.get("Cookie") for visit in site.requests_of("/clip.wav")}
    assert {"session=of-127.0.0.1; kept=of-127.0.0.1"} == sent
    assert {"broken.example.txt"} == {line["file"] for line in told if line["log_level"] == "warning"}
    assert "planted" not in str(told)
    assert before == {file.name: file.read_bytes() for file in folder.iterdir()}


def test_downloads_go_through_the_proxy(site: Site, children: Children) -> None:
    """A site that only the proxy can reach is reached; one that does not answer there is told, without its password."""
    site.serve("/clip.wav", WHOLE)
    url = "http://videos.invalid/clip.wav"
    children.fetch("resolve", url, proxy=site.url)
    assert len(WAV) == children.fetch("download", url, proxy=site.url)["size_bytes"]
    assert {"videos.invalid"} == {visit.headers["Host"] for visit in site.requests}
    with capture_logs() as told, pytest.raises(SourceUnreachable) as caught:
        children.fetch("resolve", url, proxy="http://user:planted-secret-5@127.0.0.1:1")
    assert "planted" not in f"{caught.value.detail} {told}"


def test_every_javascript_runtime_is_known_to_the_extractor(site: Site, children: Children) -> None:
    """All that the configuration may name are taken without a word, with a path and without."""
    runtimes = ["deno", "node:/usr/bin/node", "bun", "quickjs:/usr/bin/qjs"]
    with capture_logs() as told:
        children.fetch("resolve", site.serve("/clip.wav", WHOLE), js_runtimes=runtimes)
    assert "untime" not in str(told)
    with pytest.raises(StageFailed):
        children.fetch("resolve", site.url, js_runtimes=["no-such-runtime"])


RESOLVE_FAULTS = [
    (Reply(status=401), SourceForbidden, "HTTP 401"),
    (Reply(status=403), SourceForbidden, "HTTP 403"),
    (Reply(status=404), SourceNotFound, "HTTP 404"),
    (Reply(status=410), SourceNotFound, "HTTP 410"),
    (Reply(status=429), SourceRateLimited, "HTTP 429"),
    (Reply(status=500), SourceUnreachable, "HTTP 500"),
    (Reply(status=503), SourceUnreachable, "HTTP 503"),
    (Reply(redirect_to="/fault"), SourceUnreachable, "circle"),
    (Reply(redirect_to="http://127.0.0.1:1/"), SourceUnreachable, "refused"),
    (Reply(redirect_to="http://nowhere.invalid/"), SourceUnreachable, "nowhere.invalid"),
    (Reply(body=WAV, delay_s=30), SourceUnreachable, "timed out"),
    (page(pages.empty_page("nothing")), SourceUnsupported, ""),
    (page(pages.video_page("a", "/a.mp4") + pages.video_page("b", "/b.mp4")), PlaylistNotAllowed, "2"),
    (Reply(body=b"<html>" * 500, content_type="text/html", cut_after=900), DownloadTruncated, "900"),
]


@pytest.mark.parametrize(("reply", "error", "detail"), RESOLVE_FAULTS)
def test_each_fault_of_a_page_has_its_name(
    site: Site, children: Children, reply: Reply, error: type[StageFailed], detail: str
) -> None:
    """What a site answers instead of a video is told apart, with what was seen."""
    with pytest.raises(error) as caught:
        children.fetch("resolve", site.serve("/fault", reply))
    assert detail in caught.value.detail


def test_a_full_disk_has_its_name(site: Site, zygote: Zygote, tmp_path: Path) -> None:
    """A child that finds no room for its file says so: it is neither the site's fault nor the task's."""
    with Disk(tmp_path / "disk", LIMIT_BYTES) as disk:
        disk.fill()
        with pytest.raises(DiskFull):
            Children(zygote, disk.folder).fetch("resolve", site.serve("/a.wav", WHOLE))


# -- download -----------------------------------------------------------------------------------


def test_download_fetches_what_resolve_found(site: Site, children: Children) -> None:
    """The media is fetched whole, under a name of ours, and the page is not fetched again."""
    site.serve("/../../clip.wav", WHOLE)
    url = site.serve("/watch", page(pages.video_page("Title", "/..%2f..%2fclip.wav")))
    found = children.fetch_both(url)
    assert {"name": "media.wav", "size_bytes": len(WAV)} == found
    assert WAV == (children.folder / "media.wav").read_bytes()
    assert 1 == len(site.requests_of("/watch"))


def test_download_reports_every_byte_once(site: Site, children: Children) -> None:
    """Progress grows to the size of the file, of which the server named the length."""
    children.fetch_both(site.serve("/clip.wav", WHOLE))
    done = [line["bytes_done"] for line in children.lines]
    assert sorted(set(done)) == done
    assert (len(WAV), {len(WAV)}) == (done[-1], {line["bytes_total"] for line in children.lines})


def test_a_broken_download_goes_on_where_it_stopped(site: Site, children: Children) -> None:
    """A connection that breaks is resumed, and the next attempt goes on with what the last one left."""
    url = site.serve("/clip.wav", Reply(body=WAV, cut_after=30_000))
    with pytest.raises(DownloadTruncated, match="more expected"):
        children.fetch_both(url)
    left = (children.folder / "media.wav.part").stat().st_size
    site.serve("/clip.wav", WHOLE)
    children.fetch("download", url)
    assert left > 0
    assert WAV == (children.folder / "media.wav").read_bytes()
    assert f"bytes={left}-" == site.requests_of("/clip.wav")[-1].range


OTHER = media.wav(media.compose(media.story(7, 2)))
V1, V2 = {"ETag": '"1"'}, {"ETag": '"2"'}
MONDAY, TUESDAY = ({"Last-Modified": f"{day} Jan 2027 08:00:00 GMT"} for day in ("Mon, 04", "Tue, 05"))

CHANGED = [
    (Reply(headers=V1), Reply(body=OTHER[: len(WAV)].ljust(len(WAV), b"\0"), headers=V2)),
    (Reply(headers=MONDAY), Reply(body=OTHER[: len(WAV)].ljust(len(WAV), b"\0"), headers=TUESDAY)),
    (Reply(), Reply(body=OTHER)),
    (Reply(headers=V1), Reply(body=OTHER, headers=V1)),
    (Reply(chunked=True), Reply(body=WAV)),
    (Reply(), Reply(body=WAV, ranges=False)),
    (Reply(), Reply(body=WAV[:25_000])),
]


@pytest.mark.parametrize(("before", "after"), CHANGED)
def test_two_files_are_never_put_together(site: Site, children: Children, before: Reply, after: Reply) -> None:
    """Where the server has another file now, or nobody can tell, or it sends no rest, all of it is fetched anew."""
    url = site.serve("/clip.wav", replace(before, body=WAV, cut_after=30_000))
    with pytest.raises(DownloadTruncated):
        children.fetch_both(url)
    site.serve("/clip.wav", after)
    found = children.fetch("download", url)
    assert after.body == (children.folder / "media.wav").read_bytes()
    assert len(after.body) == found["size_bytes"]


def test_a_download_that_was_killed_goes_on_where_it_stopped(site: Site, children: Children) -> None:
    """What a killed child left is continued, and a whole file is not fetched again."""
    url = site.serve("/clip.wav", Reply(body=WAV, headers=V1), Reply(body=WAV, headers=V1, stall_after=70_000))
    children.fetch("resolve", url)
    with pytest.raises(Interrupted):
        children.fetch("download", url, kill_at=50_000)
    site.serve("/clip.wav", Reply(body=WAV, headers=V1))
    children.fetch("download", url)
    assert WAV == (children.folder / "media.wav").read_bytes()
    assert site.requests_of("/clip.wav")[-1].range.startswith("bytes=")
    before = len(site.requests)
    children.fetch("download", url)
    assert before == len(site.requests)


def test_a_file_that_lost_its_end_with_the_power_is_fetched_again(site: Site, children: Children) -> None:
    """A file that is shorter than the server said is not taken for the whole."""
    url = site.serve("/clip.wav", WHOLE)
    children.fetch_both(url)
    os.truncate(children.folder / "media.wav", 1000)
    children.fetch("download", url)
    assert WAV == (children.folder / "media.wav").read_bytes()


def test_a_wish_to_be_left_alone_is_told(site: Site, children: Children) -> None:
    """The header Retry-After of a refusal is told with it, whether it comes from the page or from the media."""
    busy = Reply(status=429, headers={"Retry-After": "7"})
    for replies, mode in (([busy], "resolve"), ([WHOLE, busy], "download")):
        with pytest.raises(SourceRateLimited) as caught:
            children.fetch_both(site.serve(f"/{mode}.wav", *replies))
        assert 7.0 == caught.value.wish_s


DOWNLOAD_FAULTS = [
    (Reply(body=b""), MediaInvalid, "empty"),
    (Reply(body=WAV, cut_after=20_000, ranges=False), DownloadTruncated, "more expected"),
    (Reply(body=WAV, cut_after=20_000, chunked=True, ranges=False), DownloadTruncated, "bytes read"),
    (Reply(body=WAV, stall_after=20_000, ranges=False), SourceUnreachable, "timed out"),
    (Reply(body=WAV, delay_s=30), SourceUnreachable, "timed out"),
    (Reply(status=403), SourceForbidden, "HTTP 403"),
    (Reply(status=404), SourceNotFound, "HTTP 404"),
    (Reply(status=500), SourceUnreachable, "HTTP 500"),
    (Reply(body=WAV, endless=True), DownloadTooLarge, "MiB"),
    (Reply(body=WAV * 2), DownloadTooLarge, "MiB"),
]


@pytest.mark.parametrize(("reply", "error", "detail"), DOWNLOAD_FAULTS)
def test_each_fault_of_a_download_has_its_name(
    site: Site, children: Children, reply: Reply, error: type[StageFailed], detail: str
) -> None:
    """What goes wrong after the address was resolved is told apart, with what was seen."""
    with pytest.raises(error) as caught:
        children.fetch_both(site.serve("/clip.wav", WHOLE, reply))
    assert detail in caught.value.detail


# -- segmented streams --------------------------------------------------------------------------


def serve_stream(site: Site, *, live: bool = False) -> tuple[str, list[bytes]]:
    """Serve a tone as a segmented stream; returns its address and its segments."""
    files = media.hls(TONE, live=live)
    for name, body in files.items():
        site.serve(f"/{name}", Reply(body=body))
    return f"{site.url}/stream.m3u8", [files[name] for name in sorted(files) if name.endswith(".ts")]


def test_a_stream_of_segments_is_fetched_whole(site: Site, children: Children) -> None:
    """Segments follow each other, and an estimate of the size refuses nothing that fits."""
    url, segments = serve_stream(site)
    size = sum(map(len, segments))
    children.fetch("resolve", url)
    assert size == children.fetch("download", url, max_bytes=size)["size_bytes"]
    assert max(line["bytes_total"] for line in children.lines) > size


def test_a_missing_segment_is_an_error_and_no_hole(site: Site, children: Children) -> None:
    """A stream without one of its segments is not taken for the whole."""
    url, _ = serve_stream(site)
    site.serve("/stream1.ts", Reply(status=500))
    with pytest.raises(SourceUnreachable, match="HTTP 500"):
        children.fetch_both(url)


def test_a_stream_that_was_killed_goes_on_behind_its_last_whole_segment(site: Site, children: Children) -> None:
    """Segments that are there whole are not fetched again, and one that was put behind them in part is cut off."""
    url, segments = serve_stream(site)
    site.serve("/stream2.ts", Reply(body=segments[2], stall_after=8000))
    children.fetch("resolve", url)
    with pytest.raises(Interrupted):
        children.fetch("download", url, kill_at=sum(map(len, segments[:2])) + 1)
    part = children.folder / "media.mp4.part"
    assert b"".join(segments[:2]) == part.read_bytes()
    (children.folder / "segments.json").write_text(json.dumps({"number": 3, "behind_bytes": part.stat().st_size}))
    with part.open("ab") as file:
        file.write(segments[2][:500])
    site.serve("/stream2.ts", Reply(body=segments[2]))
    found = children.fetch("download", url)
    assert b"".join(segments) == (children.folder / found["name"]).read_bytes()
    assert [1, 1] == [len(site.requests_of(f"/stream{number}.ts")) for number in (0, 1)]


@pytest.mark.parametrize("lost", ["segments.json", "media.*.ytdl", "info.json"])
def test_a_stream_of_which_nobody_knows_how_far_it_came_is_fetched_anew(
    site: Site, children: Children, lost: str
) -> None:
    """Without its book, its note or what the site said, a part of a stream is worth nothing."""
    url, segments = serve_stream(site)
    site.serve("/stream2.ts", Reply(status=500))
    with pytest.raises(SourceUnreachable):
        children.fetch_both(url)
    (file,) = children.folder.glob(lost)
    file.write_text("{")
    site.serve("/stream2.ts", Reply(body=segments[2]))
    found = children.fetch("download", url)
    assert b"".join(segments) == (children.folder / found["name"]).read_bytes()


def test_a_live_stream_is_refused(site: Site, children: Children) -> None:
    """A stream without an end is named before anything of it is fetched."""
    url, _ = serve_stream(site, live=True)
    with pytest.raises(LiveNotSupported):
        children.fetch("resolve", url)
