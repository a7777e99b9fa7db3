"""The list of languages against the recognizer that has to know them."""

from __future__ import annotations

from faster_whisper.tokenizer import _LANGUAGE_CODES

from pipeline.core.languages import LANGUAGES


def test_languages_are_those_of_the_recognizer() -> None:
    """A request may name every language that faster-whisper knows and no other."""
    assert set(_LANGUAGE_CODES) == LANGUAGES
