"""A program that adds tasks to a store and prints each id once the store has answered."""

from __future__ import annotations

import asyncio
import itertools
import sys
from pathlib import Path

from pipeline.store.sqlite import SqliteStore
from tests.contract.examples import ROUTE, add


async def main(path: Path) -> None:
    """Let eight callers add tasks until the program is killed."""
    store = SqliteStore(path, ROUTE, "child")
    await store.open()

    async def add_on(caller: int) -> None:
        for number in itertools.count():
            task_id = f"{caller}-{number}"
            await add(store, task_id)
            sys.stdout.write(f"{task_id}\n")
            sys.stdout.flush()

    await asyncio.gather(*map(add_on, range(8)))


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
