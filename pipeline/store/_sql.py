"""The named statements of ``queries.sql`` and the migrations, read once."""

from __future__ import annotations

import re
from importlib import resources

_FILES = resources.files(__package__)


def _read_statements() -> dict[str, str]:
    parts = re.split(r"^-- name: (\w+)\n", (_FILES / "queries.sql").read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {name: text.partition(";\n")[0] for name, text in zip(parts[1::2], parts[2::2], strict=True)}


def _read_migrations() -> tuple[str, ...]:
    files = sorted((file for file in (_FILES / "migrations").iterdir() if file.name.endswith(".sql")), key=str)
    return tuple(file.read_text(encoding="utf-8") for file in files)


SQL = _read_statements()
MIGRATIONS = _read_migrations()
"""Number n brings a store of version n to version n + 1."""
