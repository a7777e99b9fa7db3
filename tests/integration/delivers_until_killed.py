"""A program that delivers what is in a store, and ends when everything has come to rest."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

import aiohttp

from pipeline.store.sqlite import SqliteStore
from stages.channels.wecom import WecomRobot
from tests.contract.examples import ROUTE
from tests.integration.delivery import outbox
from tests.integration.hurry import hurried


async def main(path: Path, webhooks: dict[str, str], per_minute: int, speed: float, tasks: int) -> None:
    """Deliver until all tasks have come to rest or the program is killed."""
    store = SqliteStore(path, ROUTE, "child")
    await store.open()
    async with aiohttp.ClientSession() as session:
        channels = {name: WecomRobot(session, url, timeout_s=5) for name, url in webhooks.items()}
        async with outbox(store, hurried(speed), per_minute, **channels) as (_, finished):
            await finished.until(lambda found: len(found) == tasks, within_s=600)
    await store.close()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), *json.loads(sys.argv[2])))
