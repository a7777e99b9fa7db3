"""The Markdown document, as a renderer of Markdown reads it."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
from hypothesis import given, strategies as st
from markdown_it import MarkdownIt

from pipeline.core.document import write_document

URL = "https://example.com/a"


class Reader(HTMLParser):
    """Gathers the blocks of a page, each with its tag and words, and every other tag."""

    def __init__(self) -> None:
        super().__init__()
        self.blocks: list[tuple[str, str]] = []
        self.others: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in {"h1", "h2", "p"}:
            self.blocks.append((tag, ""))
        else:
            self.others.append(f"{tag} {dict(attrs)}")

    def handle_data(self, data: str) -> None:
        if self.blocks and data.strip():
            tag, words = self.blocks[-1]
            self.blocks[-1] = tag, words + data


def rendered(document: str) -> Reader:
    """Render a document with everything that common renderers know."""
    reader = Reader()
    reader.feed(MarkdownIt("commonmark").enable(["table", "strikethrough"]).render(document))
    return reader


def test_document_looks_like_this() -> None:
    """A document has the title, the source as a link, the summary and the text under headings of their own."""
    document = write_document("A *talk*", URL, "One.\n\nTwo.", "en", summary="• It counts.")
    expected = """\
# A \\*talk\\*

<https://example.com/a>

## Summary

• It counts.

## Text

One.

Two.
"""
    assert expected == document


def test_nothing_stands_for_what_is_not_there() -> None:
    """Without a summary there are no headings, and an address of no website is left out."""
    assert "# 无标题\n\n你好。\n" == write_document(" ", "upload:a.mp4", "你好。", "zh")


TEXTS = st.text(st.sampled_from("ab1.)-+=*_#>< \n[]()!`~|\\&;:/'\"“”船\t\u2028"), max_size=60)
HOSTILE = [
    "# heading",
    "1. list",
    "- list",
    "a\n===",
    "<script>alert(1)</script>",
    "![x](http://evil.test/x.png)",
    "[x]: http://evil.test",
    "    code",
    "```\ncode\n```",
    "| a |\n|---|\n| b |",
    "&lt;b&gt;",
    "~~gone~~",
    "***",
    "C# ##",
]


def check_words(title: str, text: str, summary: str) -> None:
    page = rendered(write_document(title, URL, text, "en", summary=summary))
    words = [" ".join(line.split()) for part in (summary, text) for line in part.splitlines() if line.split()]
    shown = [re.sub(r"\s+", " ", block) for tag, block in page.blocks if tag == "p"]
    assert [URL, *words] == shown
    assert ("h1", " ".join(title.split()) or "Untitled") == page.blocks[0]
    assert [f"a {{'href': '{URL}'}}"] == page.others


@pytest.mark.parametrize("text", HOSTILE)
def test_words_that_look_like_markup_stay_words(text: str) -> None:
    """What looks like a heading, list, link, picture or tag is shown as the words it is, wherever it stands."""
    check_words(" ".join(text.split()), text, text)


@given(TEXTS, TEXTS, TEXTS)
def test_any_words_stay_words(title: str, text: str, summary: str) -> None:
    """Whatever is said, a renderer shows exactly the words, a paragraph a line, and makes nothing of them."""
    check_words(title, text, summary)
