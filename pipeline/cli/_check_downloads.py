"""Checks of the doctor: yt-dlp, the JavaScript runtime that YouTube asks for, and the cookies."""

from __future__ import annotations

import asyncio
import re
import shutil
from collections.abc import Iterator
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

from pipeline.cli._finding import Finding, fine, warning
from pipeline.config import Settings

OLD_DAYS = 90
"""Sites change, YouTube most of all; an older yt-dlp fails there."""


class JsRuntime(NamedTuple):
    """A JavaScript runtime as yt-dlp wants it (yt_dlp/utils/_jsruntime.py)."""

    program: str
    says_version: str
    """The argument that makes it say its version."""
    oldest: tuple[int, int, int]


JS_RUNTIMES = {
    "deno": JsRuntime("deno", "--version", (2, 3, 0)),
    "node": JsRuntime("node", "--version", (22, 0, 0)),
    "bun": JsRuntime("bun", "--version", (1, 2, 11)),
    "quickjs": JsRuntime("qjs", "--help", (2023, 12, 9)),
}


def check_yt_dlp(_: Settings) -> Iterator[Finding]:
    """See how old yt-dlp is."""
    installed = version("yt-dlp")
    year, month, day = map(int, installed.split(".")[:3])
    age_days = (date.today() - date(year, month, day)).days  # noqa: DTZ011 - a day more or less is no matter
    if age_days > OLD_DAYS:
        command = '.venv/bin/python -m pip install --upgrade "yt-dlp[default]"'
        yield warning(
            "yt-dlp",
            (f"{installed} is {age_days} days old", f"{installed} 发布于 {age_days} 天前"),
            (f"If a site fails: {command}, then restart the daemon.", f"若下载失败：{command}，然后重启服务。"),
        )
    else:
        yield fine("yt-dlp", f"{installed}, {age_days} days old")


def check_javascript(settings: Settings) -> Iterator[Finding]:
    """Look for a JavaScript runtime that yt-dlp may use, in the order of the configuration."""
    too_old = []
    for entry in settings.download.js_runtimes:
        name, _, path = entry.partition(":")
        program, argument, oldest = JS_RUNTIMES[name]
        found = shutil.which(Path(path) / program if path and Path(path).is_dir() else path or program)
        installed = asyncio.run(_version_of(found, argument)) if found else ()
        told = f"{name} {'.'.join(map(str, installed))}"
        if installed >= oldest:
            yield fine("javascript", told)
            return
        too_old += [told] if found else []
    deno, node = (".".join(map(str, JS_RUNTIMES[name].oldest[:2])) for name in ("deno", "node"))
    but = (f" ({', '.join(too_old)} is too old)", f"（{'、'.join(too_old)} 版本过低）") if too_old else ("", "")
    yield warning(
        "javascript",
        (f"no JavaScript runtime is found{but[0]}", f"未找到 JavaScript 运行环境{but[1]}"),
        (
            f"YouTube needs deno {deno} or node {node} at least (download.js_runtimes); other sites need none.",
            f"YouTube 需要 deno {deno} 或 node {node} 以上版本（见 download.js_runtimes）；其他网站不需要。",
        ),
    )


async def _version_of(program: str, argument: str) -> tuple[int, ...]:
    process = await asyncio.create_subprocess_exec(
        program, argument, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    said, _ = await process.communicate()
    found = re.search(rb"(\d+)[.-](\d+)[.-](\d+)", said)
    return tuple(map(int, found.groups())) if found else ()


def check_cookies(settings: Settings) -> Iterator[Finding]:
    """See whether the folder of cookies is there, has files, and is nobody else's."""
    if not settings.download.cookies_dir:
        return
    folder = Path(settings.download.cookies_dir).expanduser()
    files = sorted(folder.glob("*.txt"))
    if not folder.is_dir() or not files:
        yield warning(
            "cookies",
            (f"{folder} has no cookie files", f"{folder} 中没有 cookies 文件"),
            (
                "Put a file for each site there, such as example.com.txt, exported from a browser as cookies.txt.",
                "请为每个网站放入一个文件，例如 example.com.txt：由浏览器以 cookies.txt 格式导出。",
            ),
        )
    elif shared := [file.name for file in files if file.stat().st_mode & 0o077]:
        names = " ".join(shared)
        yield warning(
            "cookies",
            (f"other users can read {names}", f"其他用户可以读取 {names}"),
            (f"chmod 600 {folder}/*.txt", f"chmod 600 {folder}/*.txt"),
        )
    else:
        yield fine("cookies", ", ".join(file.stem for file in files))
