"""What the answer of a WeCom robot means."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, strategies as st

from pipeline.ports import (
    InDoubt,
    Receipt,
    Refused,
    RobotGone,
    Sent,
    TryLater,
)
from stages.channels.wecom import read_answer


def answer(errcode: object, errmsg: str = "ok") -> bytes:
    """The body in which the robot's server tells a code."""
    return json.dumps({"errcode": errcode, "errmsg": errmsg}).encode()


@pytest.mark.parametrize(
    ("errcode", "kind"),
    [
        (0, Sent),
        (-1, TryLater),
        (45009, TryLater),
        (45033, TryLater),
        (40008, Refused),
        (40058, Refused),
        (44004, Refused),
        (45002, Refused),
        (93000, RobotGone),
        (93004, RobotGone),
        (93008, RobotGone),
        (301019, Refused),
        (40007, Refused),
        (10**30, Refused),
    ],
)
def test_errcode_decides(errcode: int, kind: type[Receipt]) -> None:
    """Each code has its meaning, whatever the words beside it say; the reason names the code."""
    receipt = read_answer(200, answer(errcode, "ok invalid webhook freq out of limit"))
    assert isinstance(receipt, kind)
    assert isinstance(receipt, Sent) or f"errcode {errcode}: " in receipt.why


@pytest.mark.parametrize("errcode", [45009, 45033])
def test_rate_limits_wait_a_minute(errcode: int) -> None:
    """After a refusal for the rate the lane waits until the window has passed."""
    receipt = read_answer(200, answer(errcode))
    assert isinstance(receipt, TryLater)
    assert receipt.wait_s == pytest.approx(60)


@pytest.mark.parametrize(
    "body",
    [b"", b"ok", b"<html>", b"null", b"[]", b"{}", b'{"errcode": "0"}', b'{"errcode": true}', b'{"errcode": 0.0}',
     b'{"errcode": null}', b"\xff\xfe", b"[" * 100_000, b'{"errcode": ' + b"9" * 5000 + b"}"],
)  # fmt: skip
def test_answer_without_a_code_leaves_doubt(body: bytes) -> None:
    """An answer of 200 that is not the robot's JSON says nothing about the message."""
    assert isinstance(read_answer(200, body), InDoubt)


@pytest.mark.parametrize("status", [500, 502, 503, 504])
@pytest.mark.parametrize("body", [b"", answer(0), answer(-1)])
def test_server_error_leaves_doubt(status: int, body: bytes) -> None:
    """With a server error nothing that is said can be trusted."""
    assert isinstance(read_answer(status, body), InDoubt)


@pytest.mark.parametrize("status", [301, 302, 307, 400, 403, 404, 407, 429])
def test_other_refusals_may_pass(status: int) -> None:
    """A redirect, a proxy or a gateway that refused did not take the message; it can go out again later."""
    receipt = read_answer(status, b"<html>")
    assert isinstance(receipt, TryLater)
    assert f"HTTP {status}" in receipt.why


@given(st.integers(100, 599), st.one_of(st.binary(), st.text().map(lambda words: answer(0, words))))
def test_words_are_not_repeated(status: int, body: bytes) -> None:
    """The reason never quotes what came, which could hold the robot's key."""
    same = read_answer(status, answer(93000, "key=SECRET"))
    assert "SECRET" not in repr(same)
    assert isinstance(read_answer(status, body), Sent | TryLater | Refused | RobotGone | InDoubt)
