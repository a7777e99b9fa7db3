"""What the reference says of a key's effect is so."""

from collections import Counter

from pipeline.config import NOT_IN_EFFECT, Settings
from tests.docs.tree import PRODUCT, attributes_read, source_files

KEYS = [
    f"{section}.{key}" for section, field in Settings.model_fields.items() for key in type(field.default).model_fields
]
"""Every key, by its dotted name."""


def last(key: str) -> str:
    return key.rpartition(".")[2]


def names_read(*beside: str) -> set[str]:
    """Name every attribute that the product reads, of whatever; of the settings' own files only those named."""
    users = [path for path in source_files(*PRODUCT) if not path.startswith("pipeline/config/")]
    return {name for path in (*users, *beside) for name in attributes_read(path)}


def test_keys_in_effect_are_read() -> None:
    """Every key that is not marked as without effect is read somewhere, be it under another name."""
    read = names_read("pipeline/config/settings.py")
    assert [] == [key for key in KEYS if key not in NOT_IN_EFFECT and last(key) not in read]


def test_keys_not_in_effect_are_not_read() -> None:
    """No key that is marked as without effect is read, of its section or, if no other key has its name, of anything."""
    read, times = names_read(), Counter(map(last, KEYS))
    assert [] == [key for key in sorted(NOT_IN_EFFECT) if key in read or (times[last(key)] == 1 and last(key) in read)]


def test_keys_not_in_effect_exist() -> None:
    """Every key that is marked as without effect is a key."""
    assert set() == NOT_IN_EFFECT - set(KEYS)
