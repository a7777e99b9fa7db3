"""What to say to a Python that lacks what we need; here nothing but the standard library is imported."""

from __future__ import annotations

import sys


def lacking(missing: ModuleNotFoundError, program: str) -> tuple[str, str]:
    """Name the package that this Python, mostly another than that of .venv, does not have, and the cure."""
    return (
        f"{sys.executable} does not have the package {missing.name}. 'make run' makes a .venv that has all: "
        f"use .venv/bin/python {program} …",
        f"{sys.executable} 中没有 {missing.name} 包。make run 会创建包含全部依赖的 .venv："
        f"请使用 .venv/bin/python {program} …",
    )
