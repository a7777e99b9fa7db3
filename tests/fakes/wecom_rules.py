"""What WeCom's group robots take, what they refuse, and under which codes."""

from __future__ import annotations

import json
import re
from typing import Any

LIMITS_BYTES = {"text": 2048, "markdown": 4096, "markdown_v2": 4096}

OK = 0
BUSY = -1
BAD_MEDIA_TYPE = 40004
BAD_MEDIA_SIZE = 40006
BAD_MEDIA_ID = 40007
BAD_KIND = 40008
BAD_PARAMETER = 40058
EMPTY_MEDIA = 44001
EMPTY_CONTENT = 44004
TOO_OFTEN = 45009
NOT_JSON = 47001
BAD_WEBHOOK = 93000

MEANINGS = {
    OK: "ok",
    BUSY: "system busy",
    BAD_MEDIA_TYPE: "invalid media type",
    BAD_MEDIA_SIZE: "invalid media size",
    BAD_MEDIA_ID: "invalid media_id",
    BAD_KIND: "invalid message type",
    BAD_PARAMETER: "invalid Request Parameter",
    EMPTY_MEDIA: "empty media data",
    EMPTY_CONTENT: "empty content",
    TOO_OFTEN: "api freq out of limit",
    NOT_JSON: "data format error",
    BAD_WEBHOOK: "invalid webhook url",
}

_MENTION = re.compile(r"<@[^>]*>|@(?:all|everyone|所有人|全体成员)(?![a-z0-9])", re.IGNORECASE)


def parse(raw: bytes) -> Any:
    """Read the JSON of a request; None if it is none."""
    try:
        return json.loads(raw.decode("utf-8"))
    except ValueError:
        return None


def part_of(body: Any) -> dict[str, Any]:
    """Return what a message holds under the name of its kind."""
    kind = body.get("msgtype") if isinstance(body, dict) else None
    part = body.get(kind) if isinstance(kind, str) else None
    return part if isinstance(part, dict) else {}


def content_of(body: Any) -> str:
    """Return the text of a message; empty where it has none."""
    content = part_of(body).get("content")
    return content if isinstance(content, str) else ""


def verdict(body: Any) -> int:
    """Check a message as the documents of the group robot describe it, and return the errcode."""
    if not isinstance(body, dict):
        return NOT_JSON
    kind = body.get("msgtype")
    if not isinstance(kind, str) or kind not in LIMITS_BYTES:
        return BAD_KIND
    content = content_of(body)
    if not content:
        return EMPTY_CONTENT
    try:
        size = len(content.encode("utf-8"))
    except UnicodeEncodeError:  # half a surrogate pair
        return BAD_PARAMETER
    return OK if size <= LIMITS_BYTES[kind] else BAD_PARAMETER


def mentions(body: Any) -> list[str]:
    """Return everything in a message that would notify somebody: listed people and marks in the text."""
    part = part_of(body)
    listed = [*(part.get("mentioned_list") or []), *(part.get("mentioned_mobile_list") or [])]
    return [*map(str, listed), *_MENTION.findall(content_of(body))]
