"""One device's batches, with real threads and pieces that follow a script."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pipeline.engine.batcher import Batcher, Tally
from tests.fakes.server import Record

WITHIN_S = 10.0


class Owner:
    """A recording that remembers what it was told."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.priority = 2
        self.preparing = False
        self.left = 0.0
        self.heard: Record[str] = Record()

    def fail(self, error: Exception) -> None:
        self.heard.add(f"failed: {error}")

    def go_on(self) -> None:
        self.heard.add("waits")


def come_through(_: Sequence[Piece]) -> None:
    """Do nothing, which is enough."""


@dataclass(eq=False)
class Piece:
    """Does what its script says, and notes with whom it shared a batch."""

    owner: Owner
    name: str
    batches: Record[list[str]]
    script: Callable[[Sequence[Piece]], object] = come_through
    key: str = "k"
    seconds: float = 30.0

    def run(self, batch: Sequence[Piece]) -> None:
        self.batches.add([piece.name for piece in batch])
        for piece in batch:
            piece.script(batch)
        for piece in batch:
            piece.owner.heard.add(piece.name)


class Device:
    """A batcher with one worker, which is kept busy until ``run``, so that pieces gather."""

    def __init__(self, size: int = 4) -> None:
        self.batcher = Batcher(size, workers=1)
        self.batches: Record[list[str]] = Record()
        self._go = threading.Event()
        self.offer(self.owner(0), "held", script=self._hold)
        self.batches.wait(lambda batches: len(batches) == 1, WITHIN_S)

    def _hold(self, _: Sequence[Piece]) -> None:
        assert self._go.wait(WITHIN_S)

    def owner(self, number: int) -> Owner:
        made = Owner(number)
        self.batcher.join(made)
        return made

    def offer(self, owner: Owner, *names: str, **fields: object) -> None:
        for name in names:
            self.batcher.offer(Piece(owner, name, self.batches, **fields))

    def run(self, count: int) -> list[list[str]]:
        """Let the worker go on; returns the batches after the one that kept it busy."""
        self._go.set()
        return self.batches.wait(lambda batches: len(batches) == 1 + count, WITHIN_S)[1:]


def test_recordings_share_batches_in_turns() -> None:
    """What waits of two recordings goes out in full batches, half of each."""
    device = Device()
    one, two = device.owner(1), device.owner(2)
    device.offer(one, "a1", "a2", "a3", "a4", "a5", "a6")
    device.offer(two, "b1", "b2")
    assert [["a1", "b1", "a2", "b2"], ["a3", "a4", "a5", "a6"]] == device.run(2)


def test_pieces_of_different_keys_never_share_a_batch() -> None:
    """Two models are decoded one after the other."""
    device = Device()
    device.offer(device.owner(1), "a1", "a2", key="one model")
    device.offer(device.owner(2), "b1", key="another")
    assert [["a1", "a2"], ["b1"]] == device.run(2)


def test_idle_workers_wait_for_what_is_prepared_and_share_it_out() -> None:
    """While more is on its way nobody takes a batch that is not full; then two workers take half each."""
    batches: Record[list[str]] = Record()
    batcher, owner = Batcher(4, workers=2, moment_s=WITHIN_S), Owner(1)
    batcher.join(owner)
    owner.preparing = True
    together = threading.Barrier(2)
    pieces = [Piece(owner, name, batches, lambda _: together.wait(WITHIN_S)) for name in ("a1", "a2", "a3", "a4")]
    for piece in pieces[:3]:
        batcher.offer(piece)
    owner.preparing = False
    batcher.offer(pieces[3])
    assert [["a1", "a2"], ["a3", "a4"]] == sorted(batches.wait(lambda batches: len(batches) == 2, WITHIN_S))


def test_the_piece_that_fails_a_batch_fails_its_own_recording_only() -> None:
    """After a batch that failed each piece runs alone, and the others come through."""
    device = Device()
    good, bad = device.owner(1), device.owner(2)

    def poison(_: object) -> None:
        raise RuntimeError("no such layer")

    device.offer(good, "a1", "a2")
    device.offer(bad, "b1", script=poison)
    assert [["a1", "b1", "a2"], ["a1"], ["b1"], ["a2"]] == device.run(4)
    good.heard.wait(lambda heard: "a2" in heard, WITHIN_S)
    bad.heard.wait(lambda heard: "failed: no such layer" in heard, WITHIN_S)
    assert not any("failed" in told for told in good.heard.items())


def test_memory_that_runs_out_halves_batches_for_good() -> None:
    """The pieces in hand are done again in halves, of which one may be halved again; what comes after fits at once."""
    device = Device(size=8)
    owner, small = device.owner(1), device.owner(2)
    tried: list[int] = []

    def needs_room(batch: Sequence[Piece]) -> None:
        tried.append(len(batch))
        if len(batch) > 2:
            raise RuntimeError("CUDA failed with error out of memory")

    device.offer(owner, *"abcdef", script=needs_room)
    device.offer(small, "g", "h", script=needs_room)
    names = device.run(7)
    assert [8, 4, 2, 2, 4, 2, 2] == [len(batch) for batch in names]
    assert 2 == device.batcher.size
    assert sorted("abcdefgh") == sorted(name for batch in names for name in batch if len(batch) == 2)
    device.offer(owner, "i", "j", "k", script=needs_room)
    more = device.batches.wait(lambda batches: len(batches) == 10, WITHIN_S)
    assert 2 == max(map(len, more[8:]))
    assert not any("failed" in told for told in owner.heard.items())


def test_no_memory_for_a_single_piece_fails_its_recording() -> None:
    """There is nothing left to halve: the recording hears of it."""
    device = Device()
    owner = device.owner(1)

    def exhausted(_: object) -> None:
        raise MemoryError

    device.offer(owner, "a", "b", script=exhausted)
    device.run(3)
    owner.heard.wait(lambda heard: 2 == sum(told.startswith("failed") for told in heard), WITHIN_S)


def test_what_waits_of_a_recording_that_leaves_is_never_done() -> None:
    """A recording that is cancelled leaves the queue at once."""
    device = Device()
    gone, stays = device.owner(1), device.owner(2)
    device.offer(gone, "a1", "a2", "a3")
    device.offer(stays, "b1")
    device.batcher.leave(gone)
    device.offer(gone, "a4")
    assert [["b1"]] == device.run(1)


def test_a_recording_that_waits_hears_that_the_device_goes_on() -> None:
    """Its turn has not come, but neither has the device stopped."""
    device = Device()
    waits = device.owner(1)
    device.run(0)
    assert ["waits"] == waits.heard.wait(lambda heard: len(heard) == 1, WITHIN_S)


def test_a_piece_that_comes_again_is_the_first_of_its_recording() -> None:
    """What is to be decoded once more does not wait behind the rest."""
    device = Device(size=1)
    owner = device.owner(1)
    device.offer(owner, "a1", "a2")
    device.batcher.offer(Piece(owner, "again", device.batches), again=True)
    assert [["again"], ["a1"], ["a2"]] == device.run(3)


def test_when_the_last_recording_has_left_it_is_told_what_was_done() -> None:
    """Batches and pieces are counted, and so is the time that a worker waited although there was sound enough."""
    tallies: Record[Tally] = Record()
    batches: Record[list[str]] = Record()
    batcher, owner = Batcher(2, workers=1, on_rest=tallies.add), Owner(1)
    owner.preparing, owner.left = True, 2.0
    batcher.join(owner)
    batcher.offer(Piece(owner, "a1", batches))  # for which the worker waits in vain to get company
    owner.heard.wait(lambda heard: "a1" in heard, WITHIN_S)
    batcher.leave(owner)
    [tally] = tallies.wait(bool, WITHIN_S)
    assert (1, 1) == (tally.batches, tally.pieces)
    assert tally.busy_s > 0
    assert tally.starved_s > 0
