"""Every configuration key has an effect, or says that it has none yet."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from pipeline.config import NOT_IN_EFFECT, Settings

ROOT = Path(__file__).resolve().parents[2]
KEYS = [
    f"{section}.{key}" for section, field in Settings.model_fields.items() for key in type(field.default).model_fields
]
SEEN_AS = {"api.auth_token": "tokens", "wechat.webhook": "robots"}
"""Keys that the house reads through a property of their section."""


def names_used() -> set[str]:
    """Every attribute that the house reads, outside the reader of the settings itself."""
    files = [*ROOT.glob("pipeline/**/*.py"), *ROOT.glob("stages/**/*.py"), ROOT / "run_daemon.py"]
    return {
        node.attr
        for file in files
        if "config" not in file.relative_to(ROOT).parts
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute)
    }


@pytest.mark.parametrize("key", sorted(set(KEYS) - NOT_IN_EFFECT))
def test_a_key_that_counts_is_read_somewhere(key: str) -> None:
    """A key that counts is read somewhere."""
    assert SEEN_AS.get(key, key.partition(".")[2]) in names_used()


def test_keys_without_effect_exist() -> None:
    """Keys named as not in effect exist."""
    assert set() == NOT_IN_EFFECT - set(KEYS)
