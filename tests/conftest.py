"""What holds for all tests."""

from __future__ import annotations

import signal
from collections.abc import Generator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.chaos.figures import FIGURE, Figure, table
from tests.turns import Turns

# A busy machine makes any example slow once in a while; tests of speed measure it themselves. Few examples keep the
# tests of what is pure within a second, and every run draws others; ``make chaos`` has the time for many.
settings.register_profile("quick", deadline=None, max_examples=25)
settings.register_profile("whole", deadline=None, max_examples=1000)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Make ``--whole`` known, which ``make chaos`` gives."""
    parser.addoption("--whole", action="store_true", help="run all of tests/chaos, and more examples of every property")


# A shell has what it runs in the background ignore Ctrl-C, and everything that starts from there inherits that:
# the commands under test are started as from a terminal, however the tests were.
signal.signal(signal.SIGINT, signal.default_int_handler)

_TURNS = pytest.StashKey[Turns]()


def pytest_configure(config: pytest.Config) -> None:
    """Choose how many examples a property is tried on; find where processes that share the tests take turns."""
    settings.load_profile("whole" if config.getoption("--whole") else "quick")
    config.stash[_TURNS] = Turns(Path(__file__))


def pytest_unconfigure(config: pytest.Config) -> None:
    """Leave it."""
    config.stash[_TURNS].close()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the tests that run alone: later they would have to wait for all others to end, and others for them."""
    items.sort(key=_runs_beside_others)


def _runs_beside_others(item: pytest.Item) -> bool:
    return item.get_closest_marker("alone") is None


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Wait for the turn of a test, before its time begins to count."""
    with item.config.stash[_TURNS].turn(alone=not _runs_beside_others(item)):
        return (yield)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the figures that tests have measured, whichever process they ran in."""
    reports = [report for status in ("passed", "failed") for report in terminalreporter.getreports(status)]
    figures = [
        Figure(*row)
        for report in reports
        if report.when == "call"
        for name, row in report.user_properties
        if name == FIGURE
    ]
    if figures:
        terminalreporter.section("chaos: what was measured")
        terminalreporter.write_line(table(figures))
