"""How many videos are fetched side by side under which load."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, strategies as st

from pipeline.core.fetch_slots import AHEAD, LEAST_MEMORY_MB, Load, Strain, adjust, strain_of

EASY = Load(disk_free_gb=100.0, disk_floor_gb=1.0, memory_free_mb=8000, prepared=0, device_slots=3)
STRAINS = st.none() | st.sampled_from(Strain)


@pytest.mark.parametrize(
    ("load", "strain"),
    [
        (EASY, None),
        (replace(EASY, disk_free_gb=2.0), None),
        (replace(EASY, disk_free_gb=1.9), Strain.DISK),
        (replace(EASY, disk_free_gb=0.0, disk_floor_gb=0.0), None),
        (replace(EASY, memory_free_mb=LEAST_MEMORY_MB), None),
        (replace(EASY, memory_free_mb=LEAST_MEMORY_MB - 1), Strain.MEMORY),
        (replace(EASY, memory_free_mb=None), None),
        (replace(EASY, prepared=3 * AHEAD - 1), None),
        (replace(EASY, prepared=3 * AHEAD), Strain.BACKLOG),
        (replace(EASY, disk_free_gb=0.5, memory_free_mb=1, prepared=1000), Strain.DISK),
    ],
)
def test_strain_is_named(load: Load, strain: Strain | None) -> None:
    """The worst that the machine is short of is named; what nobody can tell is no strain."""
    assert strain == strain_of(load)


@given(st.integers(1, 64), st.lists(STRAINS, max_size=30))
def test_there_are_always_some_and_never_too_many(most: int, strains: list[Strain | None]) -> None:
    """There is always one slot and never more than `max_workers`; strain adds none, and ease takes none."""
    slots = most
    for strain in strains:
        before, slots = slots, adjust(slots, most, strain)
        assert 1 <= slots <= most
        assert slots <= before if strain else slots >= before


@given(st.integers(1, 64), st.sampled_from(Strain))
def test_strain_that_lasts_leaves_one_and_ease_gives_all_back(most: int, strain: Strain) -> None:
    """Six looks under strain leave one slot of 64; as many looks at ease as there are slots give all back."""
    slots = most
    for _ in range(6):
        slots = adjust(slots, most, strain)
    assert 1 == slots
    for _ in range(most - 1):
        slots = adjust(slots, most, None)
    assert most == slots == adjust(slots, most, None)
