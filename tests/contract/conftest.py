"""The stores under contract. A further implementation is one more class in ``STORES``."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from pipeline.store.sqlite import SqliteStore
from tests.contract.examples import ROUTE
from tests.contract.machine import Machine


class SqliteStores:
    """Opens stores on one SQLite file, as one boot of the daemon after the other would."""

    def __init__(self, folder: Path) -> None:
        """Begin without a file."""
        self.path = folder / "tasks.db"
        self.machine = Machine()
        self._open: list[SqliteStore] = []

    async def boot(self, boot_id: str) -> SqliteStore:
        """End the boot before, and open the store for this one."""
        await self.end()
        store = SqliteStore(self.path, ROUTE, boot_id, self.machine.clock())
        await store.open()
        self._open.append(store)
        return store

    async def end(self) -> None:
        """Close what is open."""
        while self._open:
            await self._open.pop().close()


STORES = {"sqlite": SqliteStores}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a store will be."""
    return tmp_path / "tasks.db"


@pytest.fixture(params=STORES)
async def stores(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[SqliteStores]:
    """The boots of one daemon on the same data."""
    made = STORES[request.param](tmp_path)
    yield made
    await made.end()


@pytest.fixture
async def store(stores: SqliteStores) -> SqliteStore:
    """An open, empty store."""
    return await stores.boot("boot 1")
