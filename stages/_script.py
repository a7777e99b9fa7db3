"""Simplified and traditional characters made uniform: the one file that knows OpenCC."""

from __future__ import annotations

import functools
from typing import Any

from pipeline.core.task import Script

_CONVERSIONS: dict[Script, str] = {"simplified": "t2s", "traditional": "s2t"}
_CHINESE = frozenset({"zh", "yue"})


def to_script(text: str, script: Script, language: str) -> str:
    """Write Chinese in the wanted script; other languages, and ``keep``, leave the text as it is.

    Args:
        text: what was heard.
        script: the wanted script.
        language: the text's code, such as ``zh``.
    """
    if script not in _CONVERSIONS or language not in _CHINESE:
        return text
    converted: str = _converter(_CONVERSIONS[script]).convert(text)
    return converted


@functools.cache
def _converter(conversion: str) -> Any:  # noqa: ANN401 - OpenCC ships no types
    import opencc  # noqa: PLC0415 - a native library with its dictionaries, loaded when Chinese comes

    return opencc.OpenCC(conversion)
