"""How much chaos there is, the seeds of chance, and the rows of the table at the end."""

from __future__ import annotations

import os
import random
import time
import zlib
from collections.abc import Callable
from dataclasses import astuple
from pathlib import Path
from typing import TypeAlias

import pytest

from tests.chaos.figures import FIGURE, Figure

SEEDS = Path(__file__).with_name("seeds.txt")
"""A line ``TEST SEED`` for each run of chance that once failed."""
Note: TypeAlias = Callable[[str, str, str, object], None]


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
        # Processes that share the tests have to agree on it; what they know in common is the name of the run.
        shared = os.environ.get("PYTEST_XDIST_TESTRUNUID", str(time.time_ns()))
        metafunc.parametrize("seed", [*seeds, zlib.crc32(shared.encode()) % 10**6])


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
    """Call ``note(name, what, bar, measured)`` for a row of the table; it goes out with the test's report."""

    def note(name: str, what: str, bar: str, measured: object) -> None:
        figure = Figure(name, what, bar, str(measured))
        request.node.user_properties.append((FIGURE, astuple(figure)))

    return note
