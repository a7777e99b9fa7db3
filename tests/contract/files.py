"""Files of stores, looked at and changed from outside."""

from __future__ import annotations

import asyncio
import stat
from pathlib import Path

import pytest

from pipeline.errors import DataFolderUnusable
from pipeline.store.sqlite import SqliteStore
from tests.contract.examples import ROUTE, add

COUNTED = "SELECT count(*) FROM task WHERE sequence IS NULL AND status IN ('pending', 'processing', 'retrying')"
"""Counts the tasks without a transcript that have not ended."""


async def filled(path: Path, count: int = 1) -> None:
    """Make a store with some tasks, and close it."""
    store = SqliteStore(path, ROUTE, "boot")
    await store.open()
    await asyncio.gather(*(add(store, str(number)) for number in range(count)))
    await store.close()


def modes(folder: Path) -> dict[str, int]:
    """Who may do what with each file of a folder."""
    return {file.name: stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()}


def overwrite(path: Path, content: bytes) -> bytes:
    """Give a file this content, and return it."""
    path.write_bytes(content)
    return content


def content(path: Path) -> bytes:
    """What is in a file."""
    return path.read_bytes()


async def refusal(path: Path) -> str:
    """Open a store that cannot be opened; returns what it says."""
    with pytest.raises(DataFolderUnusable) as caught:
        await SqliteStore(path, ROUTE, "boot").open()
    assert str(path) in caught.value.message
    assert str(path) in caught.value.localized
    return caught.value.message
