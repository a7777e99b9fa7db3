"""When somebody who does not answer is left alone, and when he is asked again."""

from __future__ import annotations

from pipeline.core.breaker import CLOSED, MOST_FAILURES, PAUSE_S, Breaker


def after_failures(count: int, now: float = 0.0) -> Breaker:
    """The breaker after so many failures in a row."""
    breaker = CLOSED
    for _ in range(count):
        breaker = breaker.failed(now)
    return breaker


def test_few_failures_change_nothing() -> None:
    """Four failures in a row let the next question through."""
    breaker = after_failures(MOST_FAILURES - 1)
    assert (False, False) == (breaker.blocks(0.0), breaker.probes(0.0))


def test_failures_in_a_row_open_it() -> None:
    """After the fifth nothing passes until the pause is over; then one question does."""
    breaker = after_failures(MOST_FAILURES, now=100.0)
    almost = 100.0 + PAUSE_S - 0.001
    assert (True, False) == (breaker.blocks(almost), breaker.probes(almost))
    assert (False, True) == (breaker.blocks(100.0 + PAUSE_S), breaker.probes(100.0 + PAUSE_S))


def test_failed_probe_opens_it_again() -> None:
    """A probe that fails begins a new pause at once."""
    later = PAUSE_S + 1.0
    breaker = after_failures(MOST_FAILURES).failed(later)
    assert breaker.blocks(later + PAUSE_S - 0.001)
    assert breaker.probes(later + PAUSE_S)


def test_lasting_failure_opens_it_at_once() -> None:
    """A failure that is no matter of chance needs no second one."""
    assert CLOSED.opened(5.0).blocks(5.0)
