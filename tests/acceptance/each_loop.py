"""The real daemon, started once for each of its background loops, which is then ended from inside.

``python -m tests.acceptance.each_loop --config PATH`` writes the exit code of each start as JSON, by the loop. What
is imported once serves all starts, so that each takes a fraction of a second.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import sys
from collections.abc import Callable
from pathlib import Path

from daemon import serve
from pipeline.config import load_settings

LOOK_S = 0.01
UNNAMED = re.compile(r"Task-\d+")
"""What asyncio calls a task that nobody has given a name: none of our background loops."""
FLEETING = {"store flush"}
"""Has a name, and is there only while somebody waits for the store."""

Deed = Callable[[dict[str, "asyncio.Task[object]"]], None]


class _OnceReady(asyncio.DefaultEventLoopPolicy):
    """Makes loops on which a deed is done to the named tasks as soon as the daemon says that it is ready."""

    def __init__(self, announcement: Path, deed: Deed) -> None:
        super().__init__()
        self._announcement = announcement
        self._deed = deed

    def new_event_loop(self) -> asyncio.AbstractEventLoop:
        made = super().new_event_loop()
        made.call_soon(self._look, made)
        return made

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        if not self._announcement.exists():
            loop.call_later(LOOK_S, self._look, loop)
            return
        names = {task.get_name(): task for task in asyncio.all_tasks(loop)}
        self._deed({name: task for name, task in names.items() if not UNNAMED.fullmatch(name) and name not in FLEETING})


def main() -> None:
    """Start, end one loop, and start again until each has been ended once."""
    parser = argparse.ArgumentParser(prog="python -m tests.acceptance.each_loop")
    parser.add_argument("--config", type=Path, required=True)
    config: Path = parser.parse_args().config
    codes: dict[str, int] = {}
    left: set[str] = set()

    def end_one(loops: dict[str, asyncio.Task[object]]) -> None:
        left.update(loops.keys() - codes.keys())
        loops[min(left)].cancel()

    asyncio.set_event_loop_policy(_OnceReady(load_settings(config).storage.dir / "daemon.json", end_one))
    while left or not codes:
        code = serve(lambda: load_settings(config))
        codes[min(left)] = code
        left.discard(min(left))
    sys.stdout.write(json.dumps(codes))


if __name__ == "__main__":
    main()
