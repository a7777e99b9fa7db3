"""The link in what an app's share button copies: words and emoji around an address."""

from __future__ import annotations

import re

# A link in a text begins at the text's start, after a space or after a non-ASCII character, with at most one mark
# between (链接:https://…). So the inner address of "concat:http://…" or "hls+http://…" is no link: those are of another
# scheme.
_LINK = re.compile(
    r"(?:\A|[^!-~])(?P<mark>[:(\[<\"']?)(?P<link>https?://[^\s，。！？；、（）【】《》「」『』“”]+)",
    re.IGNORECASE | re.ASCII,
)
_CLOSING = {"(": ")", "[": "]", "<": ">", '"': '"', "'": "'"}
# At the very start it must go as far as a path: "http://a @b" is one broken address, not a link and a word.
_LEADING_LINK = re.compile(r"(https?://[^\s/?#]+/\S*) ", re.IGNORECASE | re.ASCII)
_ADDRESS_START = re.compile(r"https?://", re.IGNORECASE | re.ASCII)


def first_link(text: str) -> str:
    """Return the first link of a shared text, or the text itself if it is an address or has none.

    Args:
        text: what was pasted, of any length. The answer still has to pass ``addresses.check_address``.
    """
    text = text.strip(" \t\r\n")
    if _ADDRESS_START.match(text):
        leading = _LEADING_LINK.match(text)
        return leading[1] if leading else text
    found = _LINK.search(text)
    if not found:
        return text
    closing = _CLOSING.get(found["mark"])
    return found["link"].partition(closing)[0] if closing else found["link"]
