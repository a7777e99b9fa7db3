"""A video's text as a Markdown document: what strangers said stays words, whatever it looks like."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pipeline.core.head import UNTITLED, Language
from pipeline.core.neutral import link_target

_HEADINGS: dict[Language, tuple[str, str]] = {"zh": ("摘要", "正文"), "en": ("Summary", "Text")}

_MARKS = re.compile(r"[\\`*_\[\]<>&~|#]")
_LINE_MARKS = re.compile(r"^([-+=]|\d{1,9}(?=[.)]))")
"""What begins a list or underlines a heading where it begins a line."""


def write_document(title: str, url: str, text: str, language: Language, *, summary: str = "") -> str:
    """Write a document: the title, where the video is, the summary if there is one, the text.

    Rendered, every line of summary and text is a paragraph with exactly its words.

    Args:
        title: of the video.
        url: of the video; one that is no web address is left out.
        text: the text, or whatever is to stand in its place.
        language: of the product's own words.
        summary: with a heading above it, and one above the text; blank: neither.
    """
    target = link_target(url)
    parts = [f"# {_escaped(title) or UNTITLED[language]}", *([f"<{target}>"] if target else [])]
    if summary.strip():
        above_summary, above_text = _HEADINGS[language]
        parts += [f"## {above_summary}", *_paragraphs(summary), f"## {above_text}"]
    return "\n\n".join([*parts, *_paragraphs(text)]) + "\n"


def _paragraphs(text: str) -> Iterator[str]:
    return (_LINE_MARKS.sub(_escape_after, escaped) for line in text.splitlines() if (escaped := _escaped(line)))


def _escaped(line: str) -> str:
    return _MARKS.sub(r"\\\g<0>", " ".join(line.split()))


def _escape_after(found: re.Match[str]) -> str:
    mark = found[0]
    return f"{mark}\\" if mark.isdigit() else f"\\{mark}"
