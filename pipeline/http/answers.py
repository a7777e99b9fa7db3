"""What goes back: one envelope for everything that worked, one for everything that did not."""

from __future__ import annotations

import json
from collections.abc import Mapping

from aiohttp import hdrs, web

from pipeline.refusals import MethodNotAllowed, Refusal, Unauthorized

COMMON_HEADERS = {"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store", "Server": "transcribed"}
REQUEST_ID = "X-Request-Id"
_ENCODER = json.JSONEncoder(ensure_ascii=False)


def answer(
    data: object, *, status: int = 200, message: str = "ok", headers: Mapping[str, str] | None = None
) -> web.Response:
    """Answer with data."""
    return _json({"code": status, "message": message, "data": data}, status, headers or {})


def bare_answer(text: str, content_type: str) -> web.Response:
    """Answer with a bare text in UTF-8."""
    return web.Response(body=text.encode(errors="replace"), headers={hdrs.CONTENT_TYPE: content_type})


def refuse(refusal: Refusal, request_id: str) -> web.Response:
    """Answer with the reason why not."""
    body = {
        "code": refusal.status,
        "message": refusal.message,
        "error": {
            "type": refusal.type,
            "param": refusal.param,
            "retry_after": refusal.retry_after,
            "detail": {"message_zh": refusal.localized, **refusal.more},
        },
        "request_id": request_id,
    }
    return _json(body, refusal.status, _refusal_headers(refusal))


def _refusal_headers(refusal: Refusal) -> dict[str, str]:
    headers = {}
    if refusal.retry_after is not None:
        headers["Retry-After"] = str(refusal.retry_after)
    if isinstance(refusal, Unauthorized):
        headers["WWW-Authenticate"] = "Bearer"
    if isinstance(refusal, MethodNotAllowed):
        headers["Allow"] = ", ".join(refusal.more["allowed"])
    return headers


def _json(body: object, status: int, headers: Mapping[str, str]) -> web.Response:
    # Half a surrogate pair has no UTF-8, and its JSON escape is an error to many who would read it.
    encoded = _ENCODER.encode(body).encode("utf-8", "replace")
    return web.Response(body=encoded, status=status, headers=headers, content_type="application/json", charset="utf-8")
