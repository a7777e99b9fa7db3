"""How much chaos there is, the seeds of chance, and the table at the end."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import pytest

from tests.chaos.figures import Figure, table

SEEDS = Path(__file__).with_name("seeds.txt")
"""A line ``TEST SEED`` for each run of chance that once failed."""
_FIGURES = pytest.StashKey[list[Figure]]()

Note: TypeAlias = Callable[[str, str, str, object], None]


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_FIGURES] = []


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what belongs to the whole only."""
    if not config.getoption("whole"):
        left_out = [item for item in items if item.get_closest_marker("whole_only")]
        items[:] = [item for item in items if item not in left_out]
        config.hook.pytest_deselected(items=left_out)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run every test that takes a ``seed`` with those of its failures, then with a new one, which its id names."""
    if "seed" in metafunc.fixturenames:
        failed = (line.split() for line in SEEDS.read_text(encoding="utf-8").splitlines())
        seeds = [int(seed) for test, seed in failed if test == metafunc.function.__name__]
        metafunc.parametrize("seed", [*seeds, time.time_ns() % 10**6])


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print the table of what was measured."""
    if config.stash[_FIGURES]:
        terminalreporter.section("chaos: what was measured")
        terminalreporter.write_line(table(config.stash[_FIGURES]))


@pytest.fixture
def whole(request: pytest.FixtureRequest) -> bool:
    """Whether this is ``make chaos``."""
    return bool(request.config.getoption("whole"))


@pytest.fixture
def chance(seed: int) -> random.Random:
    """Chance that can be had again by its seed."""
    return random.Random(seed)  # noqa: S311 - no secret


@pytest.fixture
def note(request: pytest.FixtureRequest) -> Note:
    """Call ``note(name, what, bar, measured)`` for a row of the table."""

    def note(name: str, what: str, bar: str, measured: object) -> None:
        request.config.stash[_FIGURES].append(Figure(name, what, bar, str(measured)))

    return note
