"""Fixtures of the integration tests."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from pipeline.store.sqlite import SqliteStore
from tests.contract.examples import ROUTE
from tests.integration.api import Api, running


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    """Run the API over an empty store."""
    async with running(tmp_path) as api:
        yield api


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    """An empty store."""
    made = SqliteStore(tmp_path / "tasks.db", ROUTE, "boot 1")
    await made.open()
    yield made
    await made.close()
