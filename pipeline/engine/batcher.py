"""One device's batches: pieces of all recordings wait here, and its workers take them together.

Pieces of different recordings share a batch where they may (see ``core.batching``). A full batch is taken at once; for
one that is not, an idle worker waits a moment while more is being prepared. Whatever goes wrong with a batch is found
out piece by piece, so that no recording fails because of another.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from pipeline.core.batching import ReadyChunk, next_batch
from pipeline.zygote import emit

MOMENT_S = 0.02
"""How long an idle worker waits for a batch to fill. Decoding one takes many times as long."""


class Owner(Protocol):
    """The recording that pieces are of."""

    number: int
    priority: int
    preparing: bool
    """Whether more of its pieces are on their way."""

    @property
    def left(self) -> float:
        """How many more pieces its sound is enough for, about."""
        ...

    def fail(self, error: Exception) -> None:
        """Take the news that one of its pieces cannot be done."""
        ...

    def go_on(self) -> None:
        """Take the news that the device goes on, but with others."""
        ...


class Piece(Protocol):
    """Something the device does to a stretch of a recording, alone or together with others of its key."""

    @property
    def owner(self) -> Owner: ...
    @property
    def key(self) -> Hashable: ...
    @property
    def seconds(self) -> float: ...
    def run(self, batch: Sequence[Any]) -> None:
        """Do it, for a batch of which this piece is the first."""
        ...


@dataclass(slots=True)
class Tally:
    """What a device's workers did, all together, between two times without any recording."""

    batches: int = 0
    pieces: int = 0
    busy_s: float = 0.0
    """In batches."""
    starved_s: float = 0.0
    """Without one, although there was sound for a full batch."""


class Batcher:
    """Hands batches to the workers of one device; called from the threads of all recordings."""

    def __init__(
        self,
        size: int,
        workers: int,
        moment_s: float = MOMENT_S,
        on_rest: Callable[[Tally], object] = lambda _: None,
    ) -> None:
        """Start ``workers`` threads, each of which does ``size`` pieces at most together.

        Args:
            size: of a batch.
            workers: how many batches the device does at the same time.
            moment_s: how long an idle worker waits for a batch to fill.
            on_rest: is told what was done when the last recording has left and the last batch is done.
        """
        self.size, self.workers = size, workers
        self._news = threading.Condition()
        self._waiting: list[Piece] = []
        self._in_hand: list[Piece] = []
        self._owners: dict[int, Owner] = {}
        self._served: dict[int, float] = {}
        self._idle = 0
        self._moment_s = moment_s
        self._on_rest = on_rest
        self._tally = Tally()
        for number in range(workers):
            threading.Thread(target=self._work_on, name=f"decode-{number}", daemon=True).start()

    def join(self, owner: Owner) -> None:
        """Let a recording take part; it starts level with whoever has had least so far."""
        with self._news:
            self._served[owner.number] = min(self._served.values(), default=0.0)
            self._owners[owner.number] = owner
            self._news.notify_all()  # from now on a worker that waits may starve

    def leave(self, owner: Owner) -> None:
        """Forget a recording and what of it waits; a batch in hand that holds some of it is the last."""
        with self._news:
            self._owners.pop(owner.number, None)
            self._served.pop(owner.number, None)
            self._waiting = [piece for piece in self._waiting if piece.owner is not owner]
            self._rest_if_all_left()

    def _rest_if_all_left(self) -> None:
        if self._tally.batches and not self._owners and not self._in_hand:
            self._on_rest(self._tally)
            self._tally = Tally()

    def offer(self, piece: Piece, *, again: bool = False) -> None:
        """Let a piece wait for the device; ``again``: before everything else of its recording."""
        with self._news:
            if piece.owner.number in self._owners:
                self._waiting.insert(0 if again else len(self._waiting), piece)
                self._news.notify_all()

    def _work_on(self) -> None:
        while True:
            batch = self._take()
            began = time.monotonic()
            try:
                self._run(batch)
            finally:
                self._put_down(batch, time.monotonic() - began)

    def _take(self) -> list[Piece]:
        """Wait for a batch that is worth its time, and take it."""
        with self._news:
            self._idle += 1
            ready_at = None
            while True:
                if self._waiting and ready_at is None:
                    ready_at = time.monotonic() + self._moment_s
                left_s = math.inf if ready_at is None else ready_at - time.monotonic()
                if self._waiting and (left_s <= 0 or not self._may_fill()):
                    break
                self._wait(None if ready_at is None else left_s)
                ready_at = ready_at if self._waiting else None
            batch = self._choose()
            self._idle -= 1
            return batch

    def _wait(self, most_s: float | None) -> None:
        began, there_are_some, is_starving = time.monotonic(), bool(self._owners), self._has_sound_for_a_batch()
        self._news.wait(most_s)
        if there_are_some and (is_starving or self._has_sound_for_a_batch()):
            self._tally.starved_s += time.monotonic() - began

    def _has_sound_for_a_batch(self) -> bool:
        return len(self._waiting) + sum(owner.left for owner in self._owners.values()) >= self.size

    def _may_fill(self) -> bool:
        """Whether the idle workers' batches are not full yet, and more is on its way."""
        preparing = any(owner.preparing for owner in self._owners.values())
        return preparing and len(self._waiting) < self.size * self._idle

    def _choose(self) -> list[Piece]:
        """Choose a batch; few pieces are shared out among the idle workers."""
        waiting = [
            ReadyChunk(piece.owner.number, piece.key, piece.owner.priority, piece.seconds) for piece in self._waiting
        ]
        size = min(self.size, math.ceil(len(waiting) / self._idle))
        chosen = next_batch(waiting, self._served, size)
        batch = [self._waiting[place] for place in chosen]
        for piece in batch:
            self._served[piece.owner.number] += piece.seconds
        self._waiting = [piece for piece in self._waiting if piece not in batch]
        self._in_hand += batch
        return batch

    def _put_down(self, batch: Sequence[Piece], took_s: float) -> None:
        with self._news:
            self._tally.batches += 1
            self._tally.pieces += len(batch)
            self._tally.busy_s += took_s
            self._in_hand = [piece for piece in self._in_hand if piece not in batch]
            served = {piece.owner.number for piece in (*batch, *self._in_hand)}
            others = [owner for number, owner in self._owners.items() if number not in served]
            self._rest_if_all_left()
        for owner in others:
            owner.go_on()

    def _run(self, batch: Sequence[Piece]) -> None:
        """Do a batch; if it fails, each of its pieces alone, or its halves if it was only too large."""
        try:
            batch[0].run(batch)
        except Exception as error:  # noqa: BLE001 - whatever it is, the recording must hear of it
            if len(batch) == 1:
                batch[0].owner.fail(error)
                return
            half = 1
            if is_out_of_memory(error):
                half = len(batch) // 2
                self._shrink_to(half)
            for first in range(0, len(batch), half):
                self._run(batch[first : first + half])

    def _shrink_to(self, size: int) -> None:
        with self._news:
            if size < self.size:
                emit({"level": 30, "event": "memory ran out; batches are smaller from now on", "batch": size})
                self.size = size


def is_out_of_memory(error: Exception) -> bool:
    """Tell whether a device, or the machine, had no memory left; CTranslate2 says so in words."""
    said = str(error).lower()
    return isinstance(error, MemoryError) or "out of memory" in said or "alloc_failed" in said


def is_of_the_device(error: Exception) -> bool:
    """Tell whether the device itself failed: whatever its process asks of it then fails, too."""
    return str(error).lower().startswith(("cuda failed", "cublas failed"))
