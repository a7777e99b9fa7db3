"""The settings in force while the daemon runs: some keys may change, the others wait for a restart."""

from __future__ import annotations

from dataclasses import dataclass
from operator import attrgetter

from pipeline.config.schema import key_names
from pipeline.config.settings import Section, Settings

LIVE = frozenset({
    "api.auth_token",
    "api.max_body_mb",
    "api.max_upload_mb",
    "concurrent.queue_size",
    "download.max_duration_s",
    "download.max_mb",
    "download.stall_s",
    "download.timeout_s",
    "llm.chunk_chars",
    "llm.glossary",
    "llm.min_summary_chars",
    "log.level",
    "storage.min_free_gb",
    "storage.result_days",
    "storage.task_days",
    "wechat.language",
    "wechat.long_text_as_file_over",
    "wechat.notify",
    "wechat.per_minute",
    "wechat.webhook",
})  # fmt: skip
"""Keys that take effect when the configuration is read again: limits, prompts, robots, tokens, the log's level.

Whoever uses one of them reads it through `Live` each time, or is told of a change.
"""


@dataclass(frozen=True, slots=True)
class Change:
    """What a configuration that was read again would change."""

    settings: Settings
    """The settings in force, with the live keys as they were read."""
    taken: tuple[str, ...]
    """Live keys that differ."""
    waiting: tuple[str, ...]
    """Other keys that differ: they need a restart."""


class Live:
    """Holds the settings in force. Who keeps this, sees every change; who keeps the settings, sees none."""

    def __init__(self, settings: Settings) -> None:
        """Begin with the settings of the start."""
        self._settings = settings

    @property
    def settings(self) -> Settings:
        """The settings in force at this moment."""
        return self._settings

    def change_to(self, read: Settings) -> Change:
        """Tell what taking these settings would change."""
        differing = [key for key in key_names() if attrgetter(key)(read) != attrgetter(key)(self._settings)]
        taken = tuple(key for key in differing if key in LIVE)
        waiting = tuple(key for key in differing if key not in LIVE)
        return Change(_with_keys(self._settings, read, taken), taken, waiting)

    def take(self, change: Change) -> None:
        """Put a change into force."""
        self._settings = change.settings


def _with_keys(settings: Settings, read: Settings, keys: tuple[str, ...]) -> Settings:
    sections: dict[str, Section] = {}
    for section, _, name in (key.partition(".") for key in keys):
        known = sections.get(section) or getattr(settings, section)
        sections[section] = known.model_copy(update={name: attrgetter(f"{section}.{name}")(read)})
    return settings.model_copy(update=sections)
