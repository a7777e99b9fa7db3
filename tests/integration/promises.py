"""What `/openapi.json` promises, and whether an answer keeps it."""

from __future__ import annotations

import functools
import json
import re
from typing import Any

from jsonschema import Draft202012Validator

from pipeline.http.openapi import describe
from pipeline.http.routes import ROUTES

DESCRIPTION = describe(ROUTES, "1.2.3")


def check(method: str, path: str, status: int, content_type: str, body: bytes) -> None:
    """Check that an answer is one of those that are promised, and has the shape that is promised.

    An answer to a path or method that nobody promised anything about must be a refusal.
    """
    operation = _operation(method, path.partition("?")[0])
    if operation is None:
        assert status in {401, 404, 405}
        _validate("Refused", body)
        return
    responses = operation["responses"]
    assert str(status) in responses, f"{method} {path}: {status} is not promised: {body[:300]!r}"
    content = responses[str(status)].get("content")
    if content is None:
        assert (content_type, body) == ("", b"")
        return
    media_type = content_type.partition(";")[0]
    assert media_type in content, f"{method} {path}: {media_type} is not promised"
    schema = content[media_type]["schema"]
    _validator(json.dumps(schema)).validate(json.loads(body) if media_type == "application/json" else None)
    if schema.get("$ref", "").endswith("/Refused"):
        named = re.findall(r"^- `(\w+)`", responses[str(status)]["description"], re.MULTILINE)
        assert json.loads(body)["error"]["type"] in named


def _operation(method: str, path: str) -> dict[str, Any] | None:
    for template, operations in DESCRIPTION["paths"].items():
        if re.fullmatch(re.sub(r"{\w+}", "[^/]+", template), path):
            operation: dict[str, Any] | None = operations.get(method.lower())
            return operation
    return None


def _validate(model: str, body: bytes) -> None:
    _validator(json.dumps({"$ref": f"#/components/schemas/{model}"})).validate(json.loads(body))


@functools.cache
def _validator(schema: str) -> Draft202012Validator:
    """Make a validator of a schema that may refer to the shapes of the description."""
    whole = json.loads(schema) | {"components": DESCRIPTION["components"]}
    return Draft202012Validator(whole, format_checker=Draft202012Validator.FORMAT_CHECKER)
