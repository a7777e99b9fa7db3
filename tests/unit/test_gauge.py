"""What is measured of batches: by the most chunks that were decoded together, each size told when it took more."""

from __future__ import annotations

import pytest

from pipeline.engine.gauge import Gauge


class Memory:
    """What a process takes, as a script says."""

    mb: int | None = 100

    def read(self) -> int | None:
        return self.mb


@pytest.fixture
def memory() -> Memory:
    return Memory()


def test_each_size_is_measured_and_told_once(memory: Memory) -> None:
    """Smaller batches behind larger ones count as these: what was taken once is kept."""
    gauge = Gauge(memory.read)
    for items, mb in ((1, 100), (4, 160), (2, 170)):
        memory.mb = mb
        with gauge.batch(items):
            pass
    assert [(1, 100), (4, 170)] == gauge.news()
    assert [] == gauge.news()
    with gauge.batch(4):
        memory.mb = 180
    assert [(4, 180)] == gauge.news()


def test_a_batch_that_fails_does_not_count(memory: Memory) -> None:
    """One that did not fit says nothing of its size; its halves do."""
    gauge = Gauge(memory.read)

    def run_out() -> None:
        with gauge.batch(16):
            memory.mb = 900
            raise MemoryError

    with pytest.raises(MemoryError):
        run_out()
    with gauge.batch(8):
        pass
    assert [(8, 900)] == gauge.news()


def test_a_batch_that_another_worker_decodes_counts(memory: Memory) -> None:
    """Its memory is taken already when a smaller one ends."""
    gauge = Gauge(memory.read)
    with gauge.batch(4):
        memory.mb = 160
        with gauge.batch(1):
            pass
        assert [(4, 160)] == gauge.news()


def test_what_nobody_knows_is_not_told(memory: Memory) -> None:
    """Such as in a container, where the driver may not tell."""
    gauge = Gauge(memory.read)
    memory.mb = None
    with gauge.batch(1):
        pass
    assert [] == gauge.news()
