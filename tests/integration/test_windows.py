"""How a long recording is cut into the windows that the engine hears one after the other."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from pipeline.engine.asr_host import BORDER_S, WINDOW_S, Recording, quietest_cut
from tests.fakes import media

GAP_S, LONGEST_GAP_S = 0.3, 0.5


def test_a_window_ends_in_the_longest_pause_near_its_end() -> None:
    """No word is cut: of many short pauses between sentences, the window ends in the longest."""
    before, behind = (media.compose(media.story(number, 12), GAP_S) for number in (1, 2))
    longer = media.silence(LONGEST_GAP_S - GAP_S)
    window = np.concatenate([before, longer, behind]).astype(np.float32) / 32768
    assert len(window) > BORDER_S * media.RATE
    pause_ends = len(before) + len(longer) + GAP_S * media.RATE
    assert pause_ends - (LONGEST_GAP_S + GAP_S) * media.RATE < quietest_cut(window) < pause_ends


def test_windows_hold_every_sample_once(tmp_path: Path) -> None:
    """Windows follow each other without a gap or an overlap, from where they begin to the end."""
    file = tmp_path / "audio.s16le"
    samples = np.arange(round((1.5 * WINDOW_S) * media.RATE), dtype=np.int32).astype("<i2")
    file.write_bytes(samples.tobytes())
    start_s = 10.0
    windows = list(Recording(file, start_s).windows())
    assert 2 == len(windows)
    begins = [round(begin_s * media.RATE) for _, begin_s in windows]
    assert [round(start_s * media.RATE), begins[0] + len(windows[0][0])] == begins
    heard = np.concatenate([window for window, _ in windows])
    assert np.array_equal(samples[begins[0] :], (heard * 32768).astype("<i2"))
