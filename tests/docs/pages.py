"""Reads the pages of the documentation: their code, headings, sections and links."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

_FENCE = re.compile(r"^```(?P<language>\w*)\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL)
_INLINE = re.compile(r"`([^`\n]+)`")
_LINK = re.compile(r"\]\(([^)\s]+)\)")


def page(name: str) -> str:
    """Read a page by its path from the root."""
    return (ROOT / name).read_text(encoding="utf-8")


def page_names() -> list[str]:
    """Name every page that people read."""
    files = [file for place in ("*.md", "docs/**/*.md", "examples/*.md", "tools/**/*.md") for file in ROOT.glob(place)]
    return sorted(str(file.relative_to(ROOT)) for file in files)


def fences(text: str, language: str) -> list[str]:
    """Return what stands between the fences of one language, in order."""
    return [found["code"] for found in _FENCE.finditer(text) if found["language"] == language]


def all_fences(text: str) -> list[tuple[str, str]]:
    """Return the language of every fence and what stands in it, in order."""
    return [(found["language"], found["code"]) for found in _FENCE.finditer(text)]


def prose(text: str) -> str:
    """Return a page without its fenced code."""
    return _FENCE.sub("", text)


def inline_code(text: str) -> list[str]:
    """Return everything that stands between single backticks, in order; a line break in it is a space."""
    return [code.strip() for code in _INLINE.findall(re.sub(r"(?<=\S)\n(?=\S)", " ", prose(text)))]


def links(text: str) -> list[str]:
    """Return the targets of all links."""
    return _LINK.findall(prose(text))


def anchors(text: str) -> set[str]:
    """Return what links within a page may name: its headings, written as a web page writes them."""
    return {_anchor(heading) for heading in re.findall(r"^#+ (.+)$", prose(text), re.MULTILINE)}


def _anchor(heading: str) -> str:
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def sections(text: str) -> dict[str, str]:
    """Return what stands below each heading of the second level, by the heading."""
    parts = re.split(r"^## (.+)\n", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))
