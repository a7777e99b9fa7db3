"""A log that a test has set up."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Log:
    """A log that has been set up."""

    file: Path

    def lines(self) -> list[dict[str, Any]]:
        """Give the lines so far, each parsed by itself."""
        return [json.loads(line) for line in self.file.read_text(encoding="utf-8").splitlines()]


StartLog = Callable[[], Log]
