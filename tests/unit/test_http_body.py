"""What counts as JSON."""

from __future__ import annotations

import pytest

from pipeline.http.body import parse_json
from pipeline.refusals import InvalidJson


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b' {"a": [1, -2.5, "\xe4\xb8\xad", null, true]} ', {"a": [1, -2.5, "中", None, True]}),
        (b'{"a": {"a": 1}}', {"a": {"a": 1}}),
        (b'"\\ud83d\\ude00"', "😀"),
    ],
)
def test_json_is_read(body: bytes, value: object) -> None:
    """Strict JSON in UTF-8 is read."""
    assert value == parse_json(body)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" ",
        b"{",
        b"{}x",
        b"{'a': 1}",
        b"// c\n{}",
        b'{"a": 01}',
        b'{"a": 1,}',
        b'{"a": "\n"}',
        b'\xef\xbb\xbf{"a": 1}',
        b'{"a": "\xff"}',
        b'{"a": "\xed\xa0\x80"}',
        '{"a": 1}'.encode("utf-16"),
        b'{"a": NaN}',
        b'{"a": -Infinity}',
        b'{"a": 1, "a": 2}',
        b'{"a": ' + b"9" * 5000 + b"}",
        b"[" * 100_000,
        b'{"a":' * 100_000,
    ],
    ids=lambda body: repr(body[:12]),
)
def test_anything_else_is_refused(body: bytes) -> None:
    """Whatever is not strict JSON is refused as such."""
    with pytest.raises(InvalidJson):
        parse_json(body)
