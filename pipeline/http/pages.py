"""The API described: for programs, and as a page for people that needs nothing from elsewhere."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Sequence
from importlib import resources

from aiohttp import web

from pipeline.http.deps import Call, Deps, Route, View
from pipeline.http.openapi import describe
from pipeline.refusals import NotFound

_FOLDER = resources.files("pipeline.http") / "static"
_FILES = {
    "docs.css": ("docs.css", "text/css; charset=utf-8"),
    "rapidoc-min.js": ("vendor/rapidoc-min.js", "text/javascript; charset=utf-8"),
}
"""What is given out, by its name in the address: where it lies below ``static``, and its media type."""
MEDIA_TYPES = tuple(media_type for _, media_type in _FILES.values())

_POLICY = (
    "default-src 'none'; script-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "style-src 'self' 'unsafe-inline'; "  # RapiDoc writes style attributes into its own shadow tree
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""What the page may load: its own files, and answers of this daemon."""


def describing(routes: Callable[[], Sequence[Route]]) -> View:
    """Make the view that describes a route table; it is asked for the table when the view first answers."""

    @functools.cache
    def described(version: str) -> bytes:
        return json.dumps(describe(routes(), version), ensure_ascii=False, indent=1).encode()

    async def openapi(deps: Deps, _call: Call) -> web.StreamResponse:
        """Describe the API in OpenAPI 3.1."""
        return web.Response(body=described(deps.version), content_type="application/json")

    return openapi


async def docs(_deps: Deps, _call: Call) -> web.StreamResponse:
    """Show the description of the API as a page."""
    headers = {"Content-Security-Policy": _POLICY, "Referrer-Policy": "no-referrer"}
    return web.Response(body=_read("docs.html"), headers=headers, content_type="text/html", charset="utf-8")


async def static(_deps: Deps, call: Call) -> web.StreamResponse:
    """Give out a file of the page."""
    file = _FILES.get(call.request.match_info["name"])
    if file is None:
        raise NotFound
    path, media_type = file
    return web.Response(body=_read(path), headers={"Content-Type": media_type})


@functools.cache
def _read(path: str) -> bytes:
    return _FOLDER.joinpath(path).read_bytes()
