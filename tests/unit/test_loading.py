"""Waiting for a model: whoever waits hears of headway, of the model, or of what went wrong."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from pipeline.engine.loading import Loading
from pipeline.host import thread_work

LOOK_S = 0.01
WITHIN_S = 10.0


@contextmanager
def pipe() -> Iterator[tuple[int, int]]:
    """Open a pipe, from which a slow disk is read."""
    source, sink = os.pipe()
    try:
        yield source, sink
    finally:
        os.close(source)
        os.close(sink)


def test_who_waits_hears_of_headway() -> None:
    """Every piece that is read is headway; what the loading returns is the model."""
    with pipe() as (source, sink):

        def load() -> int:
            return sum(len(os.read(source, 100)) for _ in range(5))

        told = []

        def feed() -> None:
            told.append(os.write(sink, b"piece"))

        assert 25 == Loading(load).wait(feed, LOOK_S)
        assert 5 == len(told)


def test_a_thread_that_stands_still_makes_no_headway() -> None:
    """What it has done stays the same while it waits for its disk, and is more once it has read."""
    with pipe() as (source, sink):
        reading, was_read, go_on = threading.Event(), threading.Event(), threading.Event()

        def read() -> None:
            reading.set()
            os.read(source, 100)
            was_read.set()
            go_on.wait(WITHIN_S)

        thread = threading.Thread(target=read)
        thread.start()
        assert reading.wait(WITHIN_S)
        assert thread.native_id is not None
        before = thread_work(thread.native_id)
        while before != (now := thread_work(thread.native_id)):  # until it has come to wait
            before = now
        os.write(sink, b"piece")
        assert was_read.wait(WITHIN_S)
        assert before != thread_work(thread.native_id)
        go_on.set()
        thread.join()


def test_what_goes_wrong_is_told_to_everybody() -> None:
    """Whoever waits hears of it, now and later; who waits for a model that is there has it at once."""

    def fail() -> None:
        raise ValueError("no such layer")

    failed = Loading(fail)
    for _ in range(2):
        with pytest.raises(ValueError, match="no such layer"):
            failed.wait(lambda: None)
    assert failed.has_failed
    done = Loading(lambda: "model")
    assert ("model", "model") == (done.wait(lambda: None), done.wait(lambda: None))
    assert not done.has_failed
