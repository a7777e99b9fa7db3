"""Cookies that the daemon was given: a folder with a file for each domain, in the format of Netscape's cookies.txt."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from http.cookiejar import Cookie
from pathlib import Path
from typing import Any

Emit = Callable[[dict[str, Any]], None]

_LINE = re.compile(
    r"(?P<http_only>#HttpOnly_)?(?P<domain>[^\s#]+)\t(?:TRUE|FALSE)\t(?P<path>[^\t]*)\t(?P<secure>TRUE|FALSE)\t"
    r"(?P<expires>\d*)(?:\.\d+)?\t(?P<name>[^\t]*)\t(?P<value>[^\t]*)"
)


def cookies_in(folder: Path, emit: Emit) -> Iterator[Cookie]:
    """Give the cookies of every file ``DOMAIN.txt``, as far as they are for this domain and what lies below it.

    A file that is of no use is named in the log; the sites of the others are asked as ever. The files are only read.
    """
    for file in sorted(folder.glob("*.txt")):
        try:
            text = file.read_text(encoding="utf-8-sig")
        except (OSError, UnicodeError) as error:
            _warn(emit, file, type(error).__name__)
            continue
        found = [line for line in map(_LINE.fullmatch, text.splitlines()) if line and _is_for(line, _domain(file))]
        if not found:
            _warn(emit, file, f"no cookie of {_domain(file)} in the format of cookies.txt")
        yield from map(_cookie, found)


def _domain(file: Path) -> str:
    """The domain that a file is named after, also as browsers' extensions name it: www.example.com_cookies.txt."""
    return file.stem.lower().removesuffix("_cookies").removeprefix("www.")


def _is_for(line: re.Match[str], domain: str) -> bool:
    return f".{line['domain'].lower().lstrip('.')}".endswith(f".{domain}")


def _cookie(line: re.Match[str]) -> Cookie:
    domain, expires = line["domain"], int(line["expires"] or 0)
    return Cookie(
        version=0,
        name=line["name"],
        value=line["value"],
        port=None,
        port_specified=False,
        domain=domain,
        domain_specified=domain.startswith("."),
        domain_initial_dot=domain.startswith("."),
        path=line["path"] or "/",
        path_specified=bool(line["path"]),
        secure=line["secure"] == "TRUE",
        expires=expires or None,  # 0: until the browser is closed
        discard=expires == 0,
        comment=None,
        comment_url=None,
        rest={"HTTPOnly": ""} if line["http_only"] else {},
    )


def _warn(emit: Emit, file: Path, why: str) -> None:
    emit({"log": {"level": 30, "event": "these cookies are not used", "file": file.name, "why": why}})
