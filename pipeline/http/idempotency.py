"""The ``Idempotency-Key`` header: what a caller names a request, so that sending it again changes nothing."""

from __future__ import annotations

import hashlib
import json

from aiohttp import web

from pipeline.core.admission import RequestKey
from pipeline.intake import KEY_HEADER
from pipeline.refusals import InvalidJson, InvalidValue

LONGEST_KEY = 255
_PRINTABLE = range(0x20, 0x7F)


def key_of(request: web.Request) -> str | None:
    """Read the key of a request; None if it has none.

    Raises:
        InvalidValue: it is empty, too long or not printable ASCII, or there are several.
    """
    keys = request.headers.getall(KEY_HEADER, [])
    if not keys:
        return None
    if len(keys) > 1:
        raise InvalidValue("one request has one key", param=KEY_HEADER)
    if not 1 <= len(keys[0]) <= LONGEST_KEY or any(ord(character) not in _PRINTABLE for character in keys[0]):
        raise InvalidValue(f"must be 1 to {LONGEST_KEY} printable ASCII characters", param=KEY_HEADER)
    return keys[0]


def request_key(owner: str, key: str | None, asked: object) -> RequestKey | None:
    """Bind a key to its owner and to what was asked: parsed JSON, in which order and spacing count for nothing.

    Raises:
        InvalidJson: it is nested too deeply to be compared.
    """
    if key is None:
        return None
    try:
        said = json.dumps(asked, sort_keys=True)
    except RecursionError:
        raise InvalidJson("nested too deeply") from None
    return RequestKey(owner, key, hashlib.sha256(said.encode()).hexdigest())
