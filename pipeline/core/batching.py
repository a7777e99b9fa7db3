"""Which chunks the engine decodes together: by priority, in fair shares between recordings, of similar length.

A batch may only hold chunks of one key: the same model, as many tokens before the text, the same way of decoding.
Languages may differ.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

TURN_S = 30.0
"""Shares that differ by less than a turn are equal: the lengths decide then."""


@dataclass(frozen=True, slots=True)
class ReadyChunk:
    """A chunk that is ready for the engine."""

    job: int
    """The recording it is of."""
    key: Hashable
    """Equal for chunks that may share a batch."""
    priority: int
    """Higher first."""
    seconds: float
    """Its length."""


def next_batch(waiting: Sequence[ReadyChunk], served: Mapping[int, float], size: int) -> list[int]:
    """Choose what is decoded next.

    Args:
        waiting: every chunk that is ready, those of one job in the order of the recording.
        served: seconds of each job that were decoded so far; who has had least comes first.
        size: chunks a batch may hold, 1 at least.

    Returns:
        Places in ``waiting``: the best chunk, and those of its key that follow it. Chunks of one job stay in order.
    """
    had = dict(served)
    left = dict.fromkeys(range(len(waiting)))
    batch: list[int] = []
    while left and len(batch) < size:
        first = waiting[batch[0]] if batch else None
        heads = _heads(waiting, left, first)
        if not heads:
            break
        best = min(heads, key=lambda place: _rank(waiting[place], had, first, place))
        batch.append(best)
        del left[best]
        chunk = waiting[best]
        had[chunk.job] = had.get(chunk.job, 0.0) + chunk.seconds
    return batch


def _heads(waiting: Sequence[ReadyChunk], left: Mapping[int, None], first: ReadyChunk | None) -> list[int]:
    """The first chunk of each job that is left; none where it may not join the batch."""
    heads: dict[int, int] = {}
    for place in left:
        heads.setdefault(waiting[place].job, place)
    return [place for place in heads.values() if first is None or waiting[place].key == first.key]


def _rank(
    chunk: ReadyChunk, had: Mapping[int, float], first: ReadyChunk | None, place: int
) -> tuple[int, float, float, float, int]:
    """Smaller comes first. A batch takes as long as its longest member, so equals are chosen by their lengths."""
    share = had.get(chunk.job, 0.0)
    unlike = abs(chunk.seconds - first.seconds) if first else 0.0
    return -chunk.priority, share // TURN_S, unlike, share, place
