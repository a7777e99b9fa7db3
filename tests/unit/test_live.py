"""What a configuration that was read again changes."""

from __future__ import annotations

from typing import Any

from pipeline.config import LIVE, NOT_IN_EFFECT, Live, Settings


def settings(**sections: dict[str, Any]) -> Settings:
    return Settings.model_validate(sections)


def test_the_same_settings_change_nothing() -> None:
    """Read again as it was, a configuration changes no key and waits for no restart."""
    live = Live(settings(wechat={"webhook": "https://example.com/robot"}))
    change = live.change_to(settings(wechat={"webhook": "https://example.com/robot"}))
    assert (live.settings, (), ()) == (change.settings, change.taken, change.waiting)


def test_live_keys_are_taken_and_others_wait() -> None:
    """Keys of one section and of several change if they are live; the others keep what they were."""
    live = Live(settings(concurrent={"max_workers": 2}))
    read = settings(
        concurrent={"max_workers": 5, "queue_size": 1},
        wechat={"per_minute": 7, "language": "en"},
        llm={"glossary": ["Whisper"]},
        storage={"keep_media": True},
    )
    change = live.change_to(read)
    assert {"concurrent.queue_size", "wechat.per_minute", "wechat.language", "llm.glossary"} == set(change.taken)
    assert {"concurrent.max_workers", "storage.keep_media"} == set(change.waiting)
    live.take(change)
    now = live.settings
    assert (2, 1) == (now.concurrent.max_workers, now.concurrent.queue_size)
    assert (7, "en", ("Whisper",)) == (now.wechat.per_minute, now.wechat.language, now.llm.glossary)
    assert not now.storage.keep_media


def test_what_waits_is_named_until_the_restart() -> None:
    """A key that needs a restart is named at every further reading, for it is still not in force."""
    live, read = Live(settings()), settings(concurrent={"max_workers": 5})
    live.take(live.change_to(read))
    assert ("concurrent.max_workers",) == live.change_to(read).waiting


def test_live_keys_are_in_effect() -> None:
    """Every live key is a key, and does something."""
    keys = {
        f"{section}.{key}"
        for section, field in Settings.model_fields.items()
        for key in type(field.default).model_fields
    }
    assert LIVE <= keys - NOT_IN_EFFECT
