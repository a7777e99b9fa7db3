"""Check values against the settings, and go on past every mistake, so that none hides another."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from pipeline.config.problems import Place, explained
from pipeline.config.schema import key_names
from pipeline.config.settings import Settings


@dataclass(frozen=True, slots=True)
class Judged:
    """What became of the values."""

    settings: Settings
    """With the default in place of everything that is wrong."""
    mistakes: list[str]
    unsure: frozenset[str]
    """Keys that are not what was meant: wrong themselves, or in a file that could not be read."""


def judge(
    tree: Mapping[str, Any], environ: Mapping[str, str], source_of: Callable[[str], str], unread: Collection[str]
) -> Judged:
    """Check the values, then without the wrong ones how the others go together.

    Args:
        tree: the values, by section and key.
        environ: environment variables that may hold secrets.
        source_of: tells for ``section.key`` who set it.
        unread: keys that may have been set where it cannot be seen; nothing is said of how they go with others.
    """
    mistakes: list[str] = []
    unsure = frozenset(unread)
    while True:
        try:
            return Judged(Settings.model_validate(tree, context={"environ": environ}), mistakes, unsure)
        except ValidationError as error:
            mistakes += explained(error, tree, source_of, unsure)
            wrong = {details["loc"][:2] for details in error.errors(include_url=False)}
            unsure |= {key for key in key_names() if not wrong.isdisjoint(_above(key))}
            tree = _without(tree, wrong)


def _above(key: str) -> tuple[Place, Place]:
    """A key and its section, as places."""
    section, _, name = key.partition(".")
    return (section,), (section, name)


def _without(tree: Mapping[str, Any], wrong: Collection[Place]) -> Mapping[str, Any]:
    """Leave sections and keys out."""
    return {
        section: {name: value for name, value in values.items() if (section, name) not in wrong}
        if isinstance(values, Mapping)
        else values
        for section, values in tree.items()
        if (section,) not in wrong
    }
