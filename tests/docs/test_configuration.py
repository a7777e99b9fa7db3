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


def keys_read() -> set[str]:
    """The last parts of all keys that are read; the settings' own file reads those that have another name outside."""
    beside = [path for path in source_files(*PRODUCT) if not path.startswith("pipeline/config/")]
    return {name for path in (*beside, "pipeline/config/settings.py") for name in attributes_read(path)}


def test_keys_in_effect_are_read() -> None:
    """Every key that is not marked as without effect is read somewhere."""
    read = keys_read()
    assert [] == [key for key in KEYS if key not in NOT_IN_EFFECT and last(key) not in read]


def test_keys_not_in_effect_are_not_read() -> None:
    """No key that is marked as without effect is read; a name that several keys have tells nothing."""
    read, times = keys_read(), Counter(map(last, KEYS))
    assert [] == [key for key in NOT_IN_EFFECT if times[last(key)] == 1 and last(key) in read]


def test_keys_not_in_effect_exist() -> None:
    """Every key that is marked as without effect is a key."""
    assert set() == NOT_IN_EFFECT - set(KEYS)
