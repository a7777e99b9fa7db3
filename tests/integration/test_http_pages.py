"""The description and the page that shows it, over a real server: public, whole, and nothing from elsewhere."""

from __future__ import annotations

import hashlib
import re
from html.parser import HTMLParser
from pathlib import Path

from pipeline.http.openapi import describe
from pipeline.http.routes import ROUTES
from tests.integration.api import Api

STATIC = Path(__file__).parents[2] / "pipeline" / "http" / "static"
VENDORED = {
    "rapidoc-LICENSE.txt": "92682ac573adb5e1357f1f41dd0eaa2f0e9dd6116b569218978c2469c1cd085c",
    "rapidoc-min.js": "affbd173a65e870e18f392cca963113bcdafb6e50e88cd2f6a834a65b22db94d",
    "rapidoc-min.js.LICENSE.txt": "b6366d212427ca41732dd93ce56a47ceaf7a0902edc2e90b22ca6a9d6feff20e",
}
"""RapiDoc 9.3.8 as it is on the npm registry, by SHA-256."""


class Links(HTMLParser):
    """Gathers every address a page loads or leads to, and whatever runs without an address."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.inline: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = dict(attrs)
        self.found += [value for name, value in attrs if value and name in {"src", "href", "spec-url", "action"}]
        self.inline += [name for name in names if name.startswith("on") or name == "style"]
        if tag == "style" or (tag == "script" and "src" not in names):
            self.inline.append(tag)


async def test_description_is_given_to_everybody(api: Api) -> None:
    """The description needs no token and names the version that runs."""
    answer = await api.get("/openapi.json", token=None)
    assert (200, describe(ROUTES, "1.2.3")) == (answer.status, answer.json)


async def test_page_loads_nothing_from_elsewhere(api: Api) -> None:
    """The page needs no token; everything it loads is here, and its policy lets it load nothing else."""
    page = await api.get("/docs", token=None)
    assert (200, "text/html; charset=utf-8") == (page.status, page.headers["Content-Type"])
    links = Links(page.body.decode())
    assert [] == links.inline
    assert {"/openapi.json", "/static/rapidoc-min.js", "/static/docs.css"} == set(links.found) - {"data:,"}
    for link in set(links.found) - {"data:,"}:
        assert 200 == (await api.get(link, token=None)).status
    policy = page.headers["Content-Security-Policy"]
    assert "default-src 'none'; script-src 'self'; connect-src 'self'" in policy
    assert not re.search(r"https?:|\*|unsafe-eval", policy)


async def test_static_files_are_those_of_the_page(api: Api) -> None:
    """Files are given out by their names in a list, with their media types; there is no way to any other."""
    script = await api.get("/static/rapidoc-min.js", token=None)
    assert "text/javascript; charset=utf-8" == script.headers["Content-Type"]
    assert VENDORED["rapidoc-min.js"] == hashlib.sha256(script.body).hexdigest()
    for name in ("docs.html", "vendor", "..%2Fpages.py", "rapidoc-min.js%00", "vendor%2Frapidoc-min.js"):
        assert (await api.get(f"/static/{name}", token=None)).status == 404


def test_vendored_files_are_untouched() -> None:
    """Every vendored file is the one that was taken, with its licence beside it."""
    files = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in (STATIC / "vendor").iterdir()}
    assert VENDORED == files
