"""What holds for all tests."""

from __future__ import annotations

import signal
from collections.abc import Generator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.turns import Turns

# A busy machine makes any example slow once in a while; tests of speed measure it themselves.
settings.register_profile("steady", deadline=None)
settings.load_profile("steady")

# A shell has what it runs in the background ignore Ctrl-C, and everything that starts from there inherits that:
# the commands under test are started as from a terminal, however the tests were.
signal.signal(signal.SIGINT, signal.default_int_handler)

_TURNS = pytest.StashKey[Turns]()


def pytest_configure(config: pytest.Config) -> None:
    """Find where processes that share the tests take turns."""
    config.stash[_TURNS] = Turns(Path(__file__))


def pytest_unconfigure(config: pytest.Config) -> None:
    """Leave it."""
    config.stash[_TURNS].close()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Wait for the turn of a test, before its time begins to count."""
    with item.config.stash[_TURNS].turn(alone=item.get_closest_marker("alone") is not None):
        return (yield)
