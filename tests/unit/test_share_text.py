"""The link in what an app's share button copies."""

from __future__ import annotations

import pytest

from pipeline.core.share_text import first_link
from tests.cpu import quickest_s


@pytest.mark.parametrize(
    ("text", "link"),
    [
        ("7.43 复制打开抖音，看看【作品】 https://v.douyin.com/iR5d/ 12/23 abC:/ x@Y.zz", "https://v.douyin.com/iR5d/"),
        ("快来看吧！😆 http://xhslink.com/a/xyz，复制本条信息，打开App", "http://xhslink.com/a/xyz"),
        ("【标题】https://b23.tv/abc", "https://b23.tv/abc"),
        ("链接:https://example.com/s/1x 提取码: 8888", "https://example.com/s/1x"),
        ("Look at this (https://example.com/a?b=c) now", "https://example.com/a?b=c"),
        ('{"text": "https://example.com/a", "id": 1}', "https://example.com/a"),
        ("(https://example.com/a)", "https://example.com/a"),
        ("<https://example.com/a>", "https://example.com/a"),
        ("Title\nHTTPS://Example.com/a\nmore", "HTTPS://Example.com/a"),
        ("https://example.com/a 来自微博 https://example.com/b", "https://example.com/a"),
        ("first https://example.com/a then https://example.com/b", "https://example.com/a"),
    ],
)
def test_first_link_counts(text: str, link: str) -> None:
    """Words, emoji and Chinese punctuation around the first link fall away."""
    assert link == first_link(text)


@pytest.mark.parametrize(
    "text",
    [
        "https://example.com/视频，第1集.mp4",
        "http://1.1.1.1 @127.0.0.1/",
        "http://example.com/\r\nX-Injected: 1",
        "concat:http://example.com/a|b",
        "hls+http://example.com/a",
        "foo bar baz",
        "",
    ],
)
def test_an_address_is_left_whole(text: str) -> None:
    """A text that is one address, sound or not, or has no link, is judged as it is."""
    assert text == first_link(text)


def test_space_around_an_address_falls_away() -> None:
    """Spaces and line breaks around the text, as a copy may have them, do not count."""
    assert first_link(" \t https://example.com/a \r\n") == "https://example.com/a"


@pytest.mark.parametrize("text", ["http:/" * 20_000, "：https://" * 10_000, "x " * 50_000, "http://a/" + "b" * 100_000])
def test_search_is_quick(text: str) -> None:
    """No text of 100,000 characters keeps the search busy for 50 ms of processor time."""
    assert quickest_s(lambda: first_link(text)) < 0.05
