"""Which characters a text of a request may hold."""

from __future__ import annotations

import re

# Control characters (C0 but line breaks and tab, DEL, C1) and halves of surrogate pairs, which UTF-8 cannot hold.
_UNFIT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")


def unfit_character(text: str) -> str | None:
    """Name the first character that no text may hold, such as ``U+0000``; None if there is none."""
    found = _UNFIT.search(text)
    return f"U+{ord(found[0]):04X}" if found else None
