"""What holds for all tests."""

from __future__ import annotations

import pytest
from hypothesis import settings

# A busy machine makes any example slow once in a while; tests of speed measure it themselves.
settings.register_profile("steady", deadline=None)
settings.load_profile("steady")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Make ``--whole`` known, which ``make chaos`` gives."""
    parser.addoption("--whole", action="store_true", help="run all of tests/chaos, not only a selection")
