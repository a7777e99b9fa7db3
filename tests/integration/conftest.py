"""Fixtures of the integration tests."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from pipeline.child import Zygote
from pipeline.roster import Roster
from pipeline.store.sqlite import SqliteStore
from tests.contract.examples import ROUTE
from tests.fakes.llm import Llm as Endpoint
from tests.integration.api import Api, running
from tests.integration.children import Children


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


@pytest.fixture(scope="session")
def zygote(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Zygote]:
    """A zygote that is warm as the daemon's is."""
    made = Zygote(
        ("stages._fetch_child", "stages._decode_child", "yt_dlp", "av"), Roster(tmp_path_factory.mktemp("pids"))
    )
    yield made
    made.close()


@pytest.fixture
def children(zygote: Zygote, tmp_path: Path) -> Children:
    """The two children, with a work folder."""
    return Children(zygote, tmp_path)


@pytest.fixture
async def endpoint() -> AsyncIterator[Endpoint]:
    """An endpoint of an LLM without faults."""
    async with Endpoint() as started:
        yield started
