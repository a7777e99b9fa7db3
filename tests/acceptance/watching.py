"""Tasks that are followed to their end, and what every one of them must have done on the way."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass

from tests.daemon import Client, Daemon, Json

CHINESE = re.compile("[\u4e00-\u9fff]")
LOOK_S = 0.3
FINAL = {"completed", "failed", "cancelled", "timeout"}


@dataclass(frozen=True)
class Watched:
    """A task that has come to its end, and everything it had to say."""

    state: Json
    percents: list[float]
    messages: list[Json]

    @property
    def end(self) -> tuple[str, str | None, str | None, int]:
        """Status, type and stage of the error, and the number of the last attempt."""
        error = self.state["error"] or {"type": None, "stage": None}
        return self.state["status"], error["type"], error["stage"], self.state["attempt"]


async def watch(client: Client, url: str, **fields: object) -> Watched:
    """Submit an address and follow it to its end."""
    task_id = await client.submit(url, **fields)
    percents = []
    async with asyncio.timeout(90):
        while True:
            _, answer = await client.get(f"/api/task/{task_id}", wait=LOOK_S)
            percents.append(answer["data"]["progress"]["percent"])
            if answer["data"]["status"] in FINAL:
                return Watched(answer["data"], percents, await client.messages(task_id))


async def watch_all(client: Client, urls: dict[str, str]) -> dict[str, Watched]:
    """Submit all addresses at once; what became of each goes by its name."""
    watched = await asyncio.gather(*(watch(client, url) for url in urls.values()))
    return dict(zip(urls, watched, strict=True))


def check_progress(watched: Watched) -> None:
    """Check that the percent never fell, and that only a completed task has 100."""
    assert sorted(watched.percents) == watched.percents
    assert (watched.state["status"] == "completed") == (watched.percents[-1] == 100)


def check_nothing_left(daemon: Daemon) -> None:
    """Check, once the daemon has stopped, that no task has left anything in the work folder."""
    daemon.stop()
    assert [] == list((daemon.data / "work").glob("*"))
