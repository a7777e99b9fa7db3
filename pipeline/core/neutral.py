"""Words of strangers made harmless before they go to a group: titles, authors, transcripts.

What could mention someone, load an image, lead to another site or change the layout is replaced by its
full-width look-alike: readable as before, and nothing to a machine. Everything here is idempotent.
"""

from __future__ import annotations

import re
from urllib.parse import quote

_SURROGATE = re.compile(r"[\ud800-\udfff]")
_LINE_END = re.compile(r"\r\n?|[\v\f\x85\u2028\u2029]")

_PICTURE = r"\u2190-\u21ff\u2300-\u23ff\u2600-\u27bf\u2b00-\u2bff\U0001f000-\U0001faff"
_UNSEEN = re.compile(
    # Kept: joiners inside emoji and inside words of scripts that spell with them, and flags made of tags.
    rf"((?<=[{_PICTURE}\ufe0f])\u200d(?=[{_PICTURE}])"
    r"|(?<=[\u0600-\u109f\u1780-\u18af])[\u200c\u200d]"
    r"|\U0001f3f4[\U000e0020-\U000e007e]++\U000e007f)"
    # Gone: control characters but the line feed and the tab, and what is there but cannot be seen.
    r"|[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]"
    r"|[\U0001d173-\U0001d17a\U000e0000-\U000e007f]"
)

_AT_SIGNS = str.maketrans("@﹫", "＠＠")
_TAG_OPENER = re.compile(r"<(?=[＠A-Za-z/!?])")
_WEB_NAME = re.compile(r"(?i)(www)\.(?=\S)")

_MARKDOWN = str.maketrans({mark: chr(ord(mark) + 0xFEE0) for mark in "[]<>*_`~|#\\"})
_ENTITY = re.compile(r"&(?=#?\w+;)")

_PATH_MARKS = str.maketrans({mark: chr(ord(mark) + 0xFEE0) for mark in '/\\:*?"<>|'})

_WEB_ADDRESS = re.compile(r"(?i)https?://\S")
_SAFE_IN_TARGET = "-._~:/?#[]&=+,;%$!"
"""What may stand in the target of a markdown link as it is; parentheses and quotes would end it."""


def plain(text: str) -> str:
    """Make text harmless for a plain message, changing as little as possible; lines stay lines."""
    text = _SURROGATE.sub("\ufffd", text)
    text = _LINE_END.sub("\n", text)
    text = _UNSEEN.sub(r"\1", text)
    text = text.translate(_AT_SIGNS)
    text = _TAG_OPENER.sub("＜", text)
    text = text.replace("](", "]（").replace("://", "：//")
    return _WEB_NAME.sub(r"\1．", text)


def inline(text: str) -> str:
    """Make text harmless inside one line of a markdown message: one line, without a mark that means layout."""
    one_line = " ".join(plain(text).split())
    return _ENTITY.sub("＆", one_line).translate(_MARKDOWN)


def file_name(text: str) -> str:
    """Make text fit for the name of a file on any system: one line, without a mark that paths are written with."""
    return " ".join(plain(text).split()).translate(_PATH_MARKS).strip(". ")


def link_target(url: str) -> str | None:
    """Write an address so that it can stand in a markdown link and mentions nobody; None if it is no web address."""
    return quote(url, safe=_SAFE_IN_TARGET, errors="replace") if _WEB_ADDRESS.match(url) else None
