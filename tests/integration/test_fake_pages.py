"""The pages of the fake site, read by the real yt-dlp."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import yt_dlp

from tests.fakes.pages import described_page, empty_page, video_page
from tests.fakes.server import running
from tests.fakes.site import Reply, Site, page

if TYPE_CHECKING:
    from collections.abc import Iterator

TITLES = {
    "plain": "The red ship",
    "5000 bytes": "很长的标题" * 333 + "12345",
    "emoji": "👨‍👩‍👧‍👦 party 🎉🏳️‍🌈",
    "fences": "```\ncode\n``` ~~~ `x`",
    "table": "| a | b |\n|---|---|\n| 1 | 2 |",
    "mentions": "<@everyone> @all @所有人 <@U123>",
    "bidi": "\u202eevil\u202c \u2066left\u2069 \u200fright",
    "markup": '</script><script>alert(1)</script> <b>"it\'s"</b> &amp; &#60; <!-- ]]>',
    "links": "[click](https://example.com) ![image](https://example.com/a.png)",
    "template": "%(title)s {title} \\n \\ $HOME",
    "control": "bell \x07 tab \t escape \x1b[31m end",
    "half a pair": "half \ud83d pair",
}


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    """A site with one media file."""
    with running(Site()) as started:
        started.serve("/a.mp4", Reply(body=b"\0\0\0\x18ftypmp42" + bytes(1000)))
        yield started


@pytest.fixture(scope="module")
def ydl() -> Iterator[yt_dlp.YoutubeDL]:
    """A silent yt-dlp."""
    with yt_dlp.YoutubeDL({"quiet": True, "no_warnings": True, "cachedir": False}) as opened:
        yield opened


def read(ydl: yt_dlp.YoutubeDL, url: str) -> dict[str, Any]:
    """Return what yt-dlp finds at an address."""
    found: dict[str, Any] = ydl.extract_info(url, download=False)
    return found


@pytest.mark.parametrize("title", TITLES.values(), ids=TITLES.keys())
def test_any_title_reaches_yt_dlp_from_a_described_page(site: Site, ydl: yt_dlp.YoutubeDL, title: str) -> None:
    """Title and description are exactly those of the page."""
    html = described_page(title, f"{site.url}/a.mp4", description=title)
    found = read(ydl, site.serve("/described", page(html)))
    assert (title, title) == (found["title"], found["description"])


@pytest.mark.parametrize("title", TITLES.values(), ids=TITLES.keys())
def test_any_title_reaches_yt_dlp_from_a_page_with_a_video_element(
    site: Site, ydl: yt_dlp.YoutubeDL, title: str
) -> None:
    """The title is that of the page, numbered by yt-dlp."""
    found = read(ydl, site.serve("/player", page(video_page(title, "/a.mp4"))))
    assert f"{title} (1)" == found["title"]


def test_a_described_page_gives_author_and_duration(site: Site, ydl: yt_dlp.YoutubeDL) -> None:
    """Uploader, duration and the address of the file are those described."""
    html = described_page("A title", f"{site.url}/a.mp4", author="Ann & <Bob> 安", duration_s=62.5)
    found = read(ydl, site.serve("/described", page(html)))
    assert ("Ann & <Bob> 安", 62.5, f"{site.url}/a.mp4") == (found["uploader"], found["duration"], found["url"])
    assert "description" not in found


def test_a_video_element_is_found_by_its_relative_address(site: Site, ydl: yt_dlp.YoutubeDL) -> None:
    """The address of the file is made whole, its query included."""
    found = read(ydl, site.serve("/watch/page", page(video_page("A title", "../a.mp4?x=1&y=2"))))
    assert ("html5", f"{site.url}/a.mp4?x=1&y=2") == (found["extractor"], found["url"])


def test_a_page_without_a_video_is_unsupported(site: Site, ydl: yt_dlp.YoutubeDL) -> None:
    """yt-dlp finds nothing on it."""
    with pytest.raises(yt_dlp.utils.DownloadError, match="Unsupported URL"):
        read(ydl, site.serve("/empty", page(empty_page("Nothing"))))
