"""How a long recording is cut into chunks: nothing is lost, nothing doubled, chunks are full, sentences whole."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, strategies as st

from pipeline.core.products import GROWING
from pipeline.engine.recording import (
    FIRST_WINDOW_S,
    PAD_S,
    SAMPLE_RATE,
    WINDOW_S,
    Chunk,
    Recording,
    Span,
    find_speech,
    pack,
    tighten,
)
from tests.fakes import media

MOST_S = 30.0
GAP_S = 0.6


def chunks_of(folder: Path, pcm: np.ndarray, start_s: float = 0.0, most_s: float = MOST_S) -> list[Chunk]:
    """Cut samples as the engine does."""
    file = folder / "audio.s16le"
    file.write_bytes(np.asarray(pcm, dtype="<i2").tobytes())
    with Recording(file, start_s) as recording:
        return [found for found in recording.chunks(most_s) if isinstance(found, Chunk)]


def spans_of(chunks: Sequence[Chunk]) -> list[Span]:
    """All spans, one after the other."""
    return [span for chunk in chunks for span in chunk.spans]


def within(spans: Sequence[Span], length: int) -> np.ndarray:
    """Mark the samples that lie in spans."""
    found = np.zeros(length, dtype=bool)
    for span in spans:
        found[span.start : span.end] = True
    return found


def test_over_the_borders_of_windows_no_speech_is_lost_or_doubled(tmp_path: Path) -> None:
    """What is found in windows is what is found in the recording as a whole, and spans never overlap."""
    pcm = media.compose(media.story(5, 250), GAP_S)
    assert len(pcm) > (FIRST_WINDOW_S + WINDOW_S) * SAMPLE_RATE
    whole = find_speech(pcm.astype(np.float32) / 32768)
    spans = spans_of(chunks_of(tmp_path, pcm))
    edges = [edge for span in spans for edge in (span.start, span.end)]
    assert sorted(edges) == edges
    heard, speech = within(spans, len(pcm)), within(tighten(whole, 0), len(pcm))
    lost, doubtful = np.flatnonzero(speech & ~heard), np.flatnonzero(heard & ~within(whole, len(pcm)))
    assert (len(lost) + len(doubtful)) / SAMPLE_RATE <= PAD_S, (lost / SAMPLE_RATE, doubtful / SAMPLE_RATE)


@pytest.mark.parametrize("behind_s", [-0.06, 0.0, 0.1, 0.3])
def test_a_word_at_the_border_of_windows_is_heard_with_the_silence_before_it(tmp_path: Path, behind_s: float) -> None:
    """It may begin too softly to be found out: as much is heard before it as before any other."""
    [spoken] = media.story(5, 1)
    begins = media.compose([spoken], 1.0)
    onset = find_speech(begins.astype(np.float32) / 32768)[0]
    lead_s = FIRST_WINDOW_S + behind_s - (onset.start + onset.lead) / SAMPLE_RATE
    pcm = np.concatenate([media.silence(lead_s), begins, media.silence(1.0)])
    whole = find_speech(pcm.astype(np.float32) / 32768)[0]
    frame = 512
    assert spans_of(chunks_of(tmp_path, pcm))[0].start <= whole.start + 2 * frame


def test_what_was_said_does_not_wait_for_the_end_of_a_long_silence(tmp_path: Path) -> None:
    """A chunk that is not full is heard when nobody has spoken for a window."""
    spoken = media.compose(media.story(5, 2), GAP_S)
    length = (FIRST_WINDOW_S + WINDOW_S) * SAMPLE_RATE
    pcm = np.concatenate([spoken, np.zeros(length - len(spoken), np.int16)])
    (tmp_path / f"growing.s16le{GROWING}").write_bytes(pcm.tobytes())

    def never() -> None:
        raise AssertionError("it waits")

    with Recording(tmp_path / "growing.s16le", wait=never) as recording:
        found = recording.chunks(MOST_S)
        chunk, done_s = next(found), next(found)
    assert isinstance(chunk, Chunk)
    assert isinstance(done_s, float)
    assert chunk.end_s < len(spoken) / SAMPLE_RATE < done_s


def test_leaving_out_silence_makes_no_more_chunks_than_cutting_blindly(tmp_path: Path) -> None:
    """Where sentences have pauses, speech that fills 60 s but for them takes two chunks, and so on."""
    pcm = media.compose(media.story(5, 60), GAP_S)
    for count in (1, 2, 3, 4):
        cut = pcm[: round(count * MOST_S * SAMPLE_RATE)]
        assert len(chunks_of(tmp_path, cut)) == count


def test_a_recording_is_cut_while_it_grows(tmp_path: Path) -> None:
    """Its chunks are those of the recording as a whole."""
    pcm = media.compose(media.story(5, 60), GAP_S)
    assert len(pcm) > 2 * FIRST_WINDOW_S * SAMPLE_RATE
    file = tmp_path / "growing.s16le"
    part = file.with_name(file.name + GROWING)
    part.touch()
    pieces = iter(np.array_split(pcm, 100))

    def grow() -> None:
        piece = next(pieces, None)
        if piece is None:
            part.rename(file)
        else:
            with part.open("ab") as out:
                out.write(piece.tobytes())

    with Recording(file, wait=grow) as recording:
        found = [chunk for chunk in recording.chunks(MOST_S) if isinstance(chunk, Chunk)]
    assert chunks_of(tmp_path, pcm) == found


def test_the_first_chunk_needs_only_the_first_minute(tmp_path: Path) -> None:
    """Nobody waits for the end of a recording to hear its beginning."""
    pcm = media.compose(media.story(5, 60), GAP_S)[: FIRST_WINDOW_S * SAMPLE_RATE]
    (tmp_path / f"growing.s16le{GROWING}").write_bytes(pcm.tobytes())

    def never() -> None:
        raise AssertionError("it waits")

    with Recording(tmp_path / "growing.s16le", wait=never) as recording:
        assert isinstance(next(recording.chunks(MOST_S)), Chunk)


def test_chunks_of_speech_with_pauses_are_full_and_end_between_sentences(tmp_path: Path) -> None:
    """Chunks are filled to nine tenths on average, none is too long, and none ends within a sentence."""
    spoken = media.story(5, 120)
    chunks = chunks_of(tmp_path, media.compose(spoken, GAP_S))
    assert max(chunk.seconds for chunk in chunks) <= MOST_S
    assert sum(chunk.seconds for chunk in chunks[:-1]) >= 0.87 * MOST_S * (len(chunks) - 1)
    ends = np.cumsum([GAP_S + len(one.pcm) / media.RATE for one in spoken])
    for chunk in chunks:
        assert np.min(np.abs(ends + GAP_S / 2 - chunk.end_s)) <= GAP_S, chunk.end_s


def test_speech_without_any_pause_fills_its_chunks_as_well(tmp_path: Path) -> None:
    """Where nobody pauses, a chunk ends in a quiet moment and not half empty."""
    chunks = chunks_of(tmp_path, media.compose(media.story(3, 120), 0.0))
    assert sum(chunk.seconds for chunk in chunks[:-1]) >= 0.87 * MOST_S * (len(chunks) - 1)


def test_a_recording_goes_on_where_it_was_left(tmp_path: Path) -> None:
    """From a place within it, only what lies behind is found."""
    pcm = media.compose(media.story(5, 30), GAP_S)
    spans = spans_of(chunks_of(tmp_path, pcm, start_s=40.0))
    assert spans[0].start >= 40 * SAMPLE_RATE
    frame = 512
    assert abs(spans[-1].end - spans_of(chunks_of(tmp_path, pcm))[-1].end) <= frame


@pytest.mark.parametrize("loud", [0, 40], ids=["silence", "noise"])
def test_where_nobody_speaks_there_is_nothing_to_hear(tmp_path: Path, loud: int) -> None:
    """Silence and noise give no chunk, but the search says how far it has come."""
    file = tmp_path / "audio.s16le"
    seconds = FIRST_WINDOW_S + 5
    samples = (
        np.random.default_rng(1).normal(0, loud, seconds * SAMPLE_RATE) if loud else np.zeros(seconds * SAMPLE_RATE)
    )
    file.write_bytes(samples.astype("<i2").tobytes())
    with Recording(file) as recording:
        assert [FIRST_WINDOW_S - PAD_S, float(seconds)] == list(recording.chunks(MOST_S))


lengths = st.lists(st.tuples(st.integers(1, 900), st.integers(0, 60)), max_size=40)


@given(lengths, st.integers(100, 300))
def test_packing_keeps_every_sample_in_order_and_every_chunk_within_its_limit(
    pieces: list[tuple[int, int]], most: int
) -> None:
    """Whatever the spans, chunks and rest hold each sample once, in order, and nothing is longer than it may be."""
    spans, at = [], 0
    for length, pause in pieces:
        spans.append(Span(at, at + length, pause))
        at += length + pause
    chunks, rest = pack(spans, most, lambda start, end: (start + end) // 2)
    packed = [*spans_of(chunks), *rest]
    samples = [sample for span in packed for sample in range(span.start, span.end)]
    assert [sample for span in spans for sample in range(span.start, span.end)] == samples
    assert all(sum(span.length for span in chunk.spans) <= most for chunk in chunks)
    assert all(chunk.spans for chunk in chunks)
    assert sum(span.length for span in rest) <= most


@given(lengths.filter(bool), st.data())
def test_the_parts_of_a_chunk_hold_every_sample_once(pieces: list[tuple[int, int]], data: st.DataObject) -> None:
    """Wherever it is cut, each sample is in one of them, the first so many in the first."""
    spans, at = [], 0
    for length, pause in pieces:
        spans.append(Span(at, at + length, pause))
        at += length + pause
    count = sum(span.length for span in spans)
    place = data.draw(st.integers(0, count))
    before, behind = Chunk(tuple(spans)).cut(place / SAMPLE_RATE)
    samples, first, second = (
        [sample for span in part for sample in range(span.start, span.end)]
        for part in (spans, before.spans, behind.spans)
    )
    assert (samples[:place], samples[place:]) == (first, second)
    assert all(span.length for part in (before, behind) for span in part.spans)


def test_times_in_a_chunk_are_times_of_the_recording() -> None:
    """Where two spans meet, an end belongs to the first and a beginning to the second."""
    second = SAMPLE_RATE
    chunk = Chunk((Span(10 * second, 12 * second), Span(20 * second, 25 * second)))
    assert 7.0 == chunk.seconds
    assert (10.0, 11.5) == (chunk.source_time(0.0), chunk.source_time(1.5))
    assert (20.0, 12.0) == (chunk.source_time(2.0), chunk.source_time(2.0, is_end=True))
    assert (24.0, 25.0) == (chunk.source_time(6.0), chunk.source_time(99.0, is_end=True))
