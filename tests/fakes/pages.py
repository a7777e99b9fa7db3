"""HTML pages that yt-dlp finds a video on, whatever stands in the title."""

from __future__ import annotations

import json


def video_page(title: str, src: str) -> str:
    """Build a page with a ``<video>`` and an Open Graph title.

    yt-dlp reads it through its ``html5`` extractor, which gives no author, no description and no
    duration, and appends `` (1)`` to the title.

    Args:
        title: any text, in whatever condition.
        src: address of the media file, may be relative to the page.
    """
    return _page(
        f'<meta property="og:title" content="{_escaped(title)}"><title>{_escaped(title)}</title>',
        f'<video controls src="{_escaped(src)}"></video>',
    )


def described_page(
    title: str,
    content_url: str,
    *,
    author: str | None = None,
    description: str | None = None,
    duration_s: float | None = None,
) -> str:
    """Build a page that describes its video as a schema.org ``VideoObject``.

    yt-dlp gives ``title``, ``uploader``, ``description`` and ``duration`` exactly as they are here.
    There is no ``<video>`` on it: yt-dlp looks at the description only where it finds none.

    Args:
        title: any text, in whatever condition.
        content_url: absolute address of the media file.
        author: shown as the uploader.
        description: shown as it is.
        duration_s: length in seconds.
    """
    video = {
        "@context": "https://schema.org",
        "@type": "VideoObject",
        "name": _escaped(title),
        "contentUrl": content_url,
        "author": author and {"@type": "Person", "name": author},
        "description": description and _escaped(description),
        "duration": duration_s and f"PT{duration_s}S",
    }
    # "<" is written as an escape, so that no text can end the script element.
    described = json.dumps({name: value for name, value in video.items() if value}).replace("<", "\\u003c")
    return _page(
        f'<meta property="og:title" content="{_escaped(title)}"><title>{_escaped(title)}</title>',
        f'<script type="application/ld+json">{described}</script>',
    )


def empty_page(title: str) -> str:
    """Build a page without any video."""
    return _page(f"<title>{_escaped(title)}</title>", "<p>Nothing to see.</p>")


def _page(head: str, body: str) -> str:
    return f'<!doctype html><html><head><meta charset="utf-8">{head}</head><body>{body}</body></html>'


def _escaped(text: str) -> str:
    """Write all but plain letters and digits as character references, so that any text survives."""
    return "".join(
        letter if letter.isascii() and (letter.isalnum() or letter in " /.:_-") else f"&#{ord(letter)};"
        for letter in text
    )
