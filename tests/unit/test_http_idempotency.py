"""What makes two requests of one key the same request."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, strategies as st

from pipeline.http.body import parse_json
from pipeline.http.idempotency import request_key

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
BODIES = st.dictionaries(st.text(), VALUES, max_size=5)


def turned(value: Any) -> Any:
    """The same JSON with the names of every object in reverse order."""
    if isinstance(value, dict):
        return {name: turned(value[name]) for name in reversed(value)}
    return [turned(each) for each in value] if isinstance(value, list) else value


@given(BODIES)
def test_spelling_makes_no_other_request(body: dict[str, Any]) -> None:
    """Order of names, white space and escapes count for nothing."""
    for ascii_only in (True, False):
        respelled = json.dumps(turned(body), indent=2, ensure_ascii=ascii_only).encode()
        assert request_key("me", "k", body) == request_key("me", "k", parse_json(respelled))


@given(BODIES, BODIES)
def test_another_value_makes_another_request(one: dict[str, Any], two: dict[str, Any]) -> None:
    """Bodies are the same exactly if the JSON they hold is: true is no 1, and null is not left out."""
    same = json.dumps(one, sort_keys=True) == json.dumps(two, sort_keys=True)
    assert same == (request_key("me", "k", one) == request_key("me", "k", two))


def test_no_key_makes_no_request_to_remember() -> None:
    """Without the header there is nothing to remember."""
    assert request_key("me", None, {}) is None
