"""How a token is taken out of a request, and how guessing is counted."""

from __future__ import annotations

import pytest

from pipeline.http.auth import MOST_FAILURES, MOST_PEERS, WINDOW_S, Failures, bearer_token


@pytest.mark.parametrize(
    ("headers", "token"),
    [
        (["Bearer abc"], b"abc"),
        (["bearer abc"], b"abc"),
        (["BEARER   abc "], b"abc"),
        (["Bearer \udce9\udcff"], b"\xe9\xff"),
        (["Bearer 中"], "中".encode()),
    ],
)
def test_token_is_taken_out(headers: list[str], token: bytes) -> None:
    """The token of a bearer header is taken as the bytes that were sent, whatever the case of the scheme."""
    assert token == bearer_token(headers)


@pytest.mark.parametrize(
    "headers",
    [[], [""], ["Bearer"], ["Bearer "], ["abc"], ["Basic abc"], ["Bearer\tabc"], ["Bearer a", "Bearer b"]],
)
def test_other_headers_hold_no_token(headers: list[str]) -> None:
    """No header, another scheme and more than one header hold no token."""
    assert bearer_token(headers) is None


def test_failures_are_free_at_first() -> None:
    """The first failures of an address cost no wait, the next does, to the end of the window."""
    failures = Failures()
    assert [0.0] * MOST_FAILURES == [failures.note("a", 10.0) for _ in range(MOST_FAILURES)]
    assert WINDOW_S - 5 == failures.note("a", 15.0)


def test_failures_are_counted_by_address() -> None:
    """The failures of one address cost no other address anything."""
    failures = Failures()
    for _ in range(MOST_FAILURES + 1):
        failures.note("a", 0.0)
    assert 0.0 == failures.note("b", 0.0)


def test_failures_are_forgotten_after_the_window() -> None:
    """A window after the first failure the address begins anew."""
    failures = Failures()
    for _ in range(MOST_FAILURES + 1):
        failures.note("a", 0.0)
    assert 0.0 == failures.note("a", WINDOW_S)


def test_memory_of_failures_is_bounded() -> None:
    """Of more addresses than are remembered the first is forgotten, the latest not."""
    failures = Failures()
    peers = [str(number) for number in range(MOST_PEERS + 1)]
    for peer in peers:
        for _ in range(MOST_FAILURES):
            failures.note(peer, 0.0)
    assert failures.note(peers[-1], 0.0) > 0
    assert 0.0 == failures.note(peers[0], 0.0)
