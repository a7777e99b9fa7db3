"""What the tests of the configuration share."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from pipeline.config import load_settings
from pipeline.errors import ConfigInvalid

NO_ENVIRONMENT: Mapping[str, str] = {}


def problems_of(path: Path | None, environ: Mapping[str, str] = NO_ENVIRONMENT, **more: Any) -> list[str]:
    """Load settings that must be refused, and give the problems that were named."""
    with pytest.raises(ConfigInvalid) as refused:
        load_settings(path, environ=environ, **more)
    return refused.value.problems
