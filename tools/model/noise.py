"""Sounds without speech, as power in mel bands."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tools.model.library import Floats, mel_power
from tools.model.speech import RATE

SECONDS = 40
_SEED = 0

Waves = npt.NDArray[np.float64]


def noises() -> list[Floats]:
    """Make seven kinds of noise, [80, frames] each, with a mean power of 1; the same ones every time."""
    rng = np.random.default_rng(_SEED)
    white = rng.standard_normal(SECONDS * RATE)
    swell = np.interp(np.arange(len(white)) / RATE, np.arange(SECONDS + 1), rng.uniform(0.05, 1, SECONDS + 1))
    brown, pink = colored(white, 1.0), colored(white, 0.5)
    kinds = (white, pink, brown, _hum(white), _tunes(rng), white * swell, pink * swell)
    return [power / power.mean() for power in (mel_power(_leveled(kind)) for kind in kinds)]


def colored(white: Waves, steepness: float) -> Waves:
    """Turn white noise into one whose amplitude falls with this power of the frequency: 0.5 is pink, 1 brown."""
    frequencies = np.fft.rfftfreq(len(white), 1 / RATE)
    return np.fft.irfft(np.fft.rfft(white) / np.maximum(frequencies, 20) ** steepness, len(white))


def _leveled(waves: Waves) -> Floats:
    return (0.1 * waves / waves.std()).astype(np.float32)


def _hum(white: Waves) -> Waves:
    """The mains, with overtones, and a little noise."""
    seconds = np.arange(len(white)) / RATE
    overtones = (np.sin(2 * np.pi * 50 * number * seconds + number) / number for number in range(1, 12))
    return sum(overtones, start=0.05 * white)


def _tunes(rng: np.random.Generator) -> Waves:
    """Notes that fade, three a second, in place of music."""
    tunes = np.zeros(SECONDS * RATE)
    for _ in range(3 * SECONDS):
        start, length = rng.integers(0, len(tunes) - RATE), rng.integers(RATE // 5, RATE)
        seconds = np.arange(length) / RATE
        pitch = 110 * 2 ** (rng.integers(0, 36) / 12)
        overtones = sum(np.sin(2 * np.pi * pitch * number * seconds) / number for number in (1, 2, 3, 4))
        tunes[start : start + length] += np.exp(-3 * seconds) * overtones
    return tunes
