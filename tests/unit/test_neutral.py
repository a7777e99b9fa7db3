"""Words of strangers made harmless: what is replaced, and what is left alone."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable

import pytest
from hypothesis import given, strategies as st

from pipeline.core.neutral import inline, link_target, plain

TRICKS = [
    *("@all", "@所有人", "<@user>", "<@", "<\u200b@all>", "@\u200ball", "﹫all", "@everyone"),
    *("![", "](", "![x](http://evil/p.png)", "[x](javascript:alert(1))"),
    *("https://", "HTTP://evil", "ht\u200btp://", "www.", "WwW.evil.com"),
    *('<font color="info">', "</font>", "<!--", "<?", "&#64;all", "&lt;"),
    *("```", "| a |", "# ", "> ", "**", "__", "~~", "\\", "\r\n", "\u2028", "\x85"),
    *("\u202e", "\u2066", "\ufeff", "\xad", "\x00", "\x1b[31m", "\ud800", "👩\u200d", "\U000e0041"),
    *("。", "word", " ", "\n"),
]

ANY_TEXT = st.one_of(st.text(st.characters()), st.lists(st.sampled_from(TRICKS)).map("".join))


def dangers(text: str) -> list[str]:
    """Everything in a text that a chat program could act on, found by other means than the code under test."""
    seen = "".join(character for character in text if unicodedata.category(character) != "Cf").lower()
    acting = ["@", "://", "](", "<font", "</", "<!", "<@", "<img"]
    found = [mark for mark in acting if mark in seen]
    return found + re.findall(r"www\.\w", seen)


@given(ANY_TEXT)
@pytest.mark.parametrize("neutralize", [plain, inline])
def test_nothing_dangerous_survives(neutralize: Callable[[str], str], text: str) -> None:
    """No mention, link, image or tag is left in any text, and what is left is valid UTF-8."""
    harmless = neutralize(text)
    assert not dangers(harmless)
    assert harmless == harmless.encode().decode()


@given(ANY_TEXT)
@pytest.mark.parametrize("neutralize", [plain, inline])
def test_twice_is_once(neutralize: Callable[[str], str], text: str) -> None:
    """Text that was made harmless stays as it is when made harmless again."""
    once = neutralize(text)
    assert once == neutralize(once)


@given(ANY_TEXT)
def test_plain_text_has_lines_and_no_other_controls(text: str) -> None:
    """Lines end with a line feed, and no control or direction mark is left to hide or turn what follows."""
    harmless = plain(text)
    assert harmless.splitlines() == harmless.removesuffix("\n").split("\n") or not harmless
    assert not re.search(
        r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]", harmless
    )


@given(ANY_TEXT)
def test_inline_text_is_one_line_without_layout(text: str) -> None:
    """A title is one line, and none of its characters means layout in markdown."""
    assert not re.search(r"[\n\t`*_~|#<>\[\]\\]", inline(text))


@pytest.mark.parametrize(
    "text",
    [
        "昨天学生去上海检查视频。\n\n他说：“好的！”",
        "It's 3 < 4, isn't it? 50% & more; see [1], *this* and #2.\tTab.",
        "👩‍👩‍👧‍👦 🏳️‍🌈 🏴󠁧󠁢󠁥󠁮󠁧󠁿 🇨🇳 1️⃣ 👍🏽",
        "می‌خواهم बच्चा ශ්‍රී",
        "Node.js at 10:30 / a|b ``` # no heading",
    ],
)
def test_ordinary_text_is_not_touched(text: str) -> None:
    """Emoji, scripts that spell with joiners, and marks that mean nothing in plain text stay as they are."""
    assert text == plain(text)


@pytest.mark.parametrize(
    ("text", "in_plain", "in_markdown"),
    [
        ("ask @all or <@zhang>", "ask ＠all or ＜＠zhang>", "ask ＠all or ＜＠zhang＞"),
        ("@所有人 看", "＠所有人 看", "＠所有人 看"),
        ("![x](https://e.com/p.png)", "![x]（https：//e.com/p.png)", "!［x］（https：//e.com/p.png)"),
        ("see www.e.com", "see www．e.com", "see www．e.com"),
        ('<font color="info">x</font>', '＜font color="info">x＜/font>', '＜font color="info"＞x＜/font＞'),
        ("a\r\nb\u2028c", "a\nb\nc", "a b c"),
        ("`x` **y** #z", "`x` **y** #z", "｀x｀ ＊＊y＊＊ ＃z"),
        ("R&D &amp; &#64;", "R&D &amp; &#64;", "R&D ＆amp; ＆＃64;"),
        ("gpj.\u202eexe", "gpj.exe", "gpj.exe"),
        ("\ud800", "\ufffd", "\ufffd"),
    ],
)
def test_replacements_are_readable(text: str, in_plain: str, in_markdown: str) -> None:
    """What is taken out of action is still there to read, as its full-width look-alike."""
    assert (in_plain, in_markdown) == (plain(text), inline(text))


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("https://example.com/a?b=c&d=%20#e", "https://example.com/a?b=c&d=%20#e"),
        ("https://example.com/(a)'\"<b>", "https://example.com/%28a%29%27%22%3Cb%3E"),
        ("https://www.tiktok.com/@all/video/1", "https://www.tiktok.com/%40all/video/1"),
        ("http://[2001:db8::1]/视频", "http://[2001:db8::1]/%E8%A7%86%E9%A2%91"),
        ("https://e.com/)![x](http://evil/p.png)", "https://e.com/%29![x]%28http://evil/p.png%29"),
        ("javascript:alert(1)", None),
        ("upload.mp3", None),
    ],
)
def test_link_target_cannot_end_its_link(url: str, target: str | None) -> None:
    """An address is percent-encoded where it would end the link or mention someone; only web addresses are linked."""
    assert target == link_target(url)
