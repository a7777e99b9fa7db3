"""What models take: the formula for Whisper's sizes, what was measured in its place, and how a model's file is read."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from pipeline.core.memory import PROCESS_MB, Build, Footprint, Peak, compute_types
from pipeline.engine.build import read_build
from pipeline.engine.models import BUNDLED

BUILDS = {
    "tiny": Build(38_000_000, 384, 6, 4),
    "base": Build(73_000_000, 512, 8, 6),
    "small": Build(242_000_000, 768, 12, 12),
    "medium": Build(764_000_000, 1024, 16, 24),
    "large-v3": Build(1_540_000_000, 1280, 20, 32),
    "large-v3-turbo": Build(809_000_000, 1280, 20, 4),
}


@pytest.mark.parametrize(
    ("model", "mb"),
    [("tiny", 33), ("base", 45), ("small", 73), ("medium", 190), ("large-v3", 316), ("large-v3-turbo", 111)],
)
def test_a_chunk_takes_what_encoder_or_decoder_hold_at_their_peak(model: str, mb: int) -> None:
    """In float16, by the sizes of Whisper's models; float32 takes twice as much."""
    assert mb == round(BUILDS[model].item_mb("float16"))
    assert BUILDS[model].item_mb("float32") == 2 * BUILDS[model].item_mb("int8_float16")


def test_weights_take_their_bytes_and_chunks_twice_the_formula_at_first() -> None:
    """The large model in float16: 3 GB of weights, and 632 MiB for each chunk until it was measured."""
    footprint = BUILDS["large-v3"].footprint("float16")
    assert (PROCESS_MB + 2937, 632) == (round(footprint.base_mb), round(footprint.item_mb))
    assert PROCESS_MB + 1469 == round(BUILDS["large-v3"].footprint("int8_float16").base_mb)


def test_auto_leaves_a_choice_of_compute_types() -> None:
    """A name does not; on a GPU smaller numbers come after half precision."""
    assert ("int8", "float32") == compute_types("auto", "cpu")
    assert "float16" == compute_types("auto", "cuda:1")[0]
    assert ("bfloat16",) == compute_types("bfloat16", "cuda:0")


def test_what_was_measured_replaces_the_formula() -> None:
    """Batches of two sizes tell what a chunk takes, be it less or more, but nothing counts below a quarter."""
    start = Footprint(1000, 200)
    assert Footprint(1300, 100) == start.learned([Peak(4, 1700), Peak(2, 1500), Peak(4, 1600)])
    assert Footprint(1000, 600) == start.learned([Peak(1, 1500), Peak(4, 3300)])
    assert Footprint(1450, 50) == start.learned([Peak(1, 1500), Peak(16, 1510)])
    assert start == start.learned([])


def test_what_was_measured_of_one_size_says_nothing_of_another() -> None:
    """A recording of a single chunk does not make batches of many seem as dear as what the process takes with it."""
    start = Footprint(1000, 200)
    assert Footprint(1800, 200) == start.learned([Peak(1, 2000)])
    assert Footprint(1000, 100) == start.learned([Peak(4, 1400)])
    assert Footprint(1000, 50) == start.learned([Peak(16, 900)])


@given(st.lists(st.builds(Peak, st.integers(1, 32), st.integers(0, 80_000)), min_size=1), st.integers(1, 128))
def test_no_less_is_promised_than_was_seen(peaks: list[Peak], items: int) -> None:
    """Whatever was measured: batches of these sizes are promised as much, and larger ones no less than smaller ones."""
    start = Footprint(1000, 200)
    learned = start.learned(peaks)
    assert all(learned.mb(peak.items) >= peak.mb - 1 for peak in peaks)
    assert start.base_mb < learned.mb(items) <= learned.mb(items + 1)


@given(st.floats(0, 10_000), st.floats(1, 1000), st.integers(0, 100_000), st.integers(1, 128))
def test_a_batch_is_as_large_as_there_is_room_for(base_mb: float, item_mb: float, room_mb: int, wanted: int) -> None:
    """It fits, one chunk more would not, and it is never larger than was wanted."""
    footprint = Footprint(base_mb, item_mb)
    most = footprint.most_items(room_mb, wanted)
    assert 0 <= most <= wanted
    assert most == 0 or footprint.mb(most) <= room_mb
    assert most == wanted or footprint.mb(most + 1) > room_mb


def test_a_models_file_says_how_it_is_built() -> None:
    """The bundled model: 96 wide, 3 heads, 3 layers that write text; a folder without a model says nothing."""
    build = read_build(BUNDLED["demo"])
    assert build is not None
    assert (96, 3, 3) == (build.width, build.heads, build.decoder_layers)
    assert build.weights == pytest.approx((BUNDLED["demo"] / "model.bin").stat().st_size / 1.46, rel=0.01)
    assert read_build(BUNDLED["demo"].parent) is None


def test_a_file_that_is_no_model_says_nothing(tmp_path: Path) -> None:
    """Nor does one that is cut off."""
    whole = (BUNDLED["demo"] / "model.bin").read_bytes()
    for content in (b"", b"<html>not found</html>" * 100, whole[:1000]):
        (tmp_path / "model.bin").write_bytes(content)
        assert read_build(tmp_path) is None
