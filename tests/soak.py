"""``make soak``: a day's worth of mixed videos in some minutes, and whether anything of them stays behind.

Not part of ``make test``: it takes minutes. Good and bad sources are submitted in waves to one daemon; after each
wave its memory, file handles, threads, children and files are counted. After the first waves, in which caches
fill, none of them may grow.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import astuple, dataclass, fields
from pathlib import Path

from tests.daemon import Client, Daemon
from tests.fakes import media
from tests.fakes.server import running
from tests.fakes.site import Reply, Site, page
from tests.fakes.wecom import WeCom

WARM_WAVES = 3
MOST_GROWTH = {
    "rss_mb": 8.0,  # the store's page cache alone may take 2
    "handles": 5,  # a connection of the client may just be closing
    "threads": 5,  # pools begin a thread when all they have are busy, up to a number that does not depend on the tasks
    "processes": 0,
    "files": 0,
}
"""From the last warm wave to the end."""
PER_WAVE = 20


@dataclass(frozen=True)
class Count:
    """What the daemon holds between two waves."""

    rss_mb: float
    handles: int
    threads: int
    processes: int
    files: int
    """In the work folder."""


def main() -> int:
    """Run the waves; 0 if nothing grew."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.soak", description="Many mixed tasks, then count what is left."
    )
    parser.add_argument("--tasks", type=int, default=200)
    waves = max(WARM_WAVES + 2, parser.parse_args().tasks // PER_WAVE)
    with tempfile.TemporaryDirectory() as folder, running(Site()) as site, running(WeCom(per_minute=None)) as wecom:
        robot = {"name": "team", "url": wecom.webhook("team")}
        daemon = Daemon(
            Path(folder),
            download={"allow_hosts": [site.address], "max_mb": 8},
            concurrent={"queue_size": PER_WAVE},
            wechat={"webhook": [robot], "per_minute": 1000},
            log={"level": "info"},
        )
        with daemon:
            counts = asyncio.run(_waves(daemon, site, waves))
    names = [field.name for field in fields(Count)]
    print("wave  " + "  ".join(f"{name:>9}" for name in names))
    for number, count in enumerate(counts, start=1):
        print(f"{number:>4}  " + "  ".join(f"{value:>9.6g}" for value in astuple(count)))
    grown = _grown(counts)
    print(f"\n{waves * PER_WAVE} tasks:", "; ".join(grown) or "nothing grew")
    return int(bool(grown))


def _grown(counts: list[Count]) -> list[str]:
    """What is more at the end than after the warm waves."""
    warm, last = counts[WARM_WAVES - 1], counts[-1]
    held = {name: (getattr(warm, name), getattr(last, name)) for name in MOST_GROWTH}
    return [f"{name} {was:g} -> {now:g}" for name, (was, now) in held.items() if now > was + MOST_GROWTH[name]]


async def _waves(daemon: Daemon, site: Site, waves: int) -> list[Count]:
    counts = []
    async with Client(daemon) as client:
        for wave in range(waves):
            urls = [site.serve(path, reply) for path, reply in _mixed(wave)]
            ids = [await client.submit(url) for url in urls]
            states = [await client.finished(task_id, 300) for task_id in ids]
            assert {state["status"] for state in states} <= {"completed", "failed"}, states
            counts.append(_count(daemon))
    return counts


def _mixed(wave: int) -> Iterator[tuple[str, Reply]]:
    """Sources as a day brings them: mostly good ones, and one of each way to be bad."""
    bad = [
        Reply(status=404),
        Reply(body=media.not_media()),
        Reply(body=b""),
        Reply(body=media.mp4_without_sound()),
        Reply(body=media.wav(media.silence(3))),
        page("<html><title>nothing</title></html>"),
    ]
    for place, reply in enumerate(bad):
        yield f"/{wave}/bad-{place}.mp4", reply
    for place in range(PER_WAVE - len(bad)):
        spoken = media.story(wave * PER_WAVE + place, 2 + place % 4)
        yield f"/{wave}/good-{place}.wav", Reply(body=media.speech(spoken))


def _count(daemon: Daemon) -> Count:
    proc = Path(f"/proc/{daemon.pid}")
    return Count(
        rss_mb=daemon.rss_mb(),
        handles=sum(1 for _ in (proc / "fd").iterdir()),
        threads=sum(1 for _ in (proc / "task").iterdir()),
        processes=len(daemon.processes()),
        files=sum(path.is_file() for path in (daemon.data / "work").glob("**/*")),
    )


if __name__ == "__main__":
    sys.exit(main())
