"""Which chunks share a batch."""

from __future__ import annotations

from collections import Counter

from hypothesis import given, strategies as st

from pipeline.core.batching import TURN_S, ReadyChunk, next_batch

chunks = st.builds(
    ReadyChunk,
    job=st.integers(1, 4),
    key=st.sampled_from("ab"),
    priority=st.just(2),
    seconds=st.floats(0.5, 30.0),
)


def waiting(*jobs: tuple[int, int], key: str = "a", seconds: float = 30.0) -> list[ReadyChunk]:
    """So many chunks of each job, one job after the other."""
    return [ReadyChunk(job, key, 2, seconds) for job, count in jobs for _ in range(count)]


@given(st.lists(chunks), st.integers(1, 8))
def test_a_batch_is_full_of_one_key_and_every_job_stays_in_order(there: list[ReadyChunk], size: int) -> None:
    """A batch holds chunks of one key, as many as may be and are to be had, those of a job in their order."""
    places = next_batch(there, {}, size)
    assert len(set(places)) == len(places) <= size
    assert bool(there) == bool(places)
    assert len({there[place].key for place in places}) <= 1
    for job in {chunk.job for chunk in there}:
        taken = [place for place in places if there[place].job == job]
        own = [place for place, chunk in enumerate(there) if chunk.job == job]
        assert own[: len(taken)] == taken
        if len(places) < size and places and len(taken) < len(own):
            assert there[own[len(taken)]].key != there[places[0]].key


@given(st.lists(chunks, min_size=1), st.integers(1, 4))
def test_whatever_waits_is_taken_at_last(there: list[ReadyChunk], size: int) -> None:
    """Batch after batch, every chunk is taken once."""
    served: Counter[int] = Counter()
    left = list(there)
    while left:
        places = next_batch(left, served, size)
        served.update({left[place].job: left[place].seconds for place in places})
        left = [chunk for place, chunk in enumerate(left) if place not in places]


def test_jobs_take_turns() -> None:
    """A short recording beside a long one has its share of every batch."""
    assert [0, 10, 1, 11] == next_batch(waiting((1, 10), (2, 3)), {}, 4)


def test_who_has_had_less_comes_first() -> None:
    """A job that was served for ten turns waits until the other has caught up."""
    assert [10, 11, 12, 0] == next_batch(waiting((1, 10), (2, 3)), {1: 10 * TURN_S}, 4)


def test_a_higher_priority_comes_first_whatever_it_has_had() -> None:
    """An urgent recording is decoded before all others."""
    urgent = ReadyChunk(2, "a", 4, 30.0)
    assert [1, 0] == next_batch([*waiting((1, 1)), urgent], {2: 100 * TURN_S}, 4)


def test_equals_are_chosen_by_their_lengths() -> None:
    """A batch lasts as long as its longest member: beside a long chunk, long ones."""
    there = [ReadyChunk(job, "a", 2, seconds) for job, seconds in enumerate((29.0, 3.0, 28.0, 2.0, 27.0))]
    assert [0, 2, 4] == next_batch(there, {}, 3)
