"""Fixtures of the unit tests."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import structlog

from pipeline.config import LogSettings
from pipeline.log import set_up
from tests.unit.logs import Log, StartLog


@pytest.fixture
def written(tmp_path: Path) -> Callable[[str | bytes], Path]:
    """Write a configuration file."""

    def write(content: str | bytes) -> Path:
        path = tmp_path / "config.json"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


@pytest.fixture
def start_log(tmp_path: Path) -> Iterator[StartLog]:
    """Set up a log at level info, with console, and take it down afterwards.

    It is started in the test itself: what pytest captures is another stream in each phase.
    """
    root = logging.getLogger()

    def begin() -> Log:
        root.handlers.clear()  # pytest's own would fail on values that cannot show themselves
        file = tmp_path / "new" / "logs" / "daemon.jsonl"
        set_up(LogSettings(level="info", file=file, max_mb=1, backups=5), console=True)
        return Log(file)

    level = root.level
    yield begin
    for handler in list(root.handlers):
        if type(handler).__module__ == set_up.__module__:
            root.removeHandler(handler)
            handler.close()
    root.setLevel(level)
    logging.captureWarnings(capture=False)
    structlog.reset_defaults()
