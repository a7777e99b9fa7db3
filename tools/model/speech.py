"""Speech from espeak-ng, through its C library, which tells the time of every word and phoneme."""

from __future__ import annotations

import ctypes
import functools
import random
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import av
import numpy as np
import numpy.typing as npt

Samples = npt.NDArray[np.float32]
Span = tuple[float, float]
"""Start and end, in seconds."""

RATE = 16_000
_LIBRARY = "libespeak-ng.so.1"
_SYNCHRONOUS, _PHONEME_EVENTS, _BY_CHARACTER, _UTF8 = 2, 1, 1, 1
_SPEED, _PITCH, _PITCH_RANGE = 1, 3, 4
_LIST_END, _WORD, _PHONEME = 0, 1, 7
_SILENT = "_|"
"""What the names of phonemes that are pauses begin with."""
_LOUD = 0.01
_MARGIN = RATE // 100
"""Samples kept before the first loud one and after the last."""

ACCENTS = {
    # Two of seven speakers are American.
    "en": (
        "gmw/en",
        "gmw/en-US",
        "gmw/en-US",
        "gmw/en-GB-x-rp",
        "gmw/en-GB-scotland",
        "gmw/en-GB-x-gbclan",
        "gmw/en-029",
    ),
    # The voice that reads pinyin: the one that reads characters takes some of them for English.
    "zh": ("sit/cmn-Latn-pinyin",),
}
TRAINED_VARIANTS = (
    *("", "", "+m1", "+m2", "+m4", "+m5", "+m6", "+m7", "+m8", "+f1", "+f3", "+f4", "+f5"),
    *("+Alex", "+Alicia", "+Andrea", "+Annie", "+Denis", "+Gene", "+Hugo", "+Jacky", "+Lee", "+Marco", "+Mike"),
    *("+adam", "+anika", "+belinda", "+benjamin", "+boris", "+david", "+ed", "+edward", "+john", "+max", "+paul"),
    *("+pedro", "+quincy", "+rob", "+steph", "+zac"),
)
HELD_OUT_VARIANTS = ("+m3", "+f2", "+linda", "+Michael", "+Andy", "+robert")
"""Speakers that are never trained on."""


@dataclass(frozen=True)
class Voice:
    """Who speaks, and how."""

    name: str
    words_a_minute: int
    pitch: int
    pitch_range: int


def voice(language: str, rng: random.Random, *, held_out: bool) -> Voice:
    """Choose a voice, of those trained on or of the others."""
    variants = HELD_OUT_VARIANTS if held_out else TRAINED_VARIANTS
    return Voice(
        name=rng.choice(ACCENTS[language]) + rng.choice(variants),
        words_a_minute=rng.randint(110, 205),
        # espeak-ng 1.51 crashes where a voice gets too deep: one was seen to at 25.
        pitch=rng.randint(30, 75),
        pitch_range=rng.randint(25, 80),
    )


@dataclass(frozen=True, eq=False)
class Speech:
    """One sentence as sound, without silence around it."""

    samples: Samples
    """One channel, 16,000 a second, within -1 and 1."""
    words: tuple[Span, ...]
    """When each word given is said; they touch each other."""
    phonemes: tuple[tuple[str, float, float], ...]
    """Name, start and end of each phoneme; none in pauses."""


@functools.cache
def espeak() -> Espeak:
    """Return the synthesizer: one for the whole process, since the library crashes when it is started again.

    Raises:
        OSError: it is not installed.
    """
    return Espeak()


class Espeak:
    """The library, started."""

    def __init__(self) -> None:
        """Load and start it; see ``espeak``."""
        self._library = ctypes.CDLL(_LIBRARY)
        self._rate = self._library.espeak_Initialize(_SYNCHRONOUS, 0, None, _PHONEME_EVENTS)
        self._chunks: list[npt.NDArray[np.int16]] = []
        self._words: list[tuple[int, float]] = []
        self._phonemes: list[tuple[str, float]] = []
        self._callback = _Callback(self._take)
        self._library.espeak_SetSynthCallback(self._callback)

    def speak(self, words: Sequence[str], speaker: Voice) -> Speech:
        """Say words.

        Raises:
            ValueError: there is no such voice.
        """
        for heard in (self._chunks, self._words, self._phonemes):
            heard.clear()
        if self._library.espeak_SetVoiceByName(speaker.name.encode()):
            raise ValueError(f"espeak-ng has no voice {speaker.name!r}")
        for parameter, value in (
            (_SPEED, speaker.words_a_minute),
            (_PITCH, speaker.pitch),
            (_PITCH_RANGE, speaker.pitch_range),
        ):
            self._library.espeak_SetParameter(parameter, value, 0)
        text = " ".join(words).encode()
        self._library.espeak_Synth(text, len(text) + 1, 0, _BY_CHARACTER, 0, _UTF8, None, None)
        return self._cut(words)

    def _take(self, samples: ctypes._Pointer[ctypes.c_short] | None, count: int, events: ctypes.Array[_Event]) -> int:
        """Take what the library has made so far; 0 lets it go on."""
        if samples and count > 0:
            self._chunks.append(np.ctypeslib.as_array(samples, (count,)).copy())
        place = 0
        while (event := events[place]).type != _LIST_END:
            at_s = event.audio_position / 1000
            if event.type == _WORD:
                self._words.append((event.text_position, at_s))
            elif event.type == _PHONEME:
                self._phonemes.append((event.id.string.decode("utf-8", "replace"), at_s))
            place += 1
        return 0

    def _cut(self, words: Sequence[str]) -> Speech:
        """Cut off the silence around the sentence and move all times accordingly."""
        samples = resampled(np.concatenate(self._chunks), self._rate)
        loud = np.flatnonzero(np.abs(samples) > _LOUD)
        first, last = max(0, loud[0] - _MARGIN), min(len(samples), loud[-1] + _MARGIN)
        begin_s, end_s = first / RATE, last / RATE
        starts = [at_s for _, at_s in self._phonemes] + [end_s]
        phonemes = (
            (name, max(start_s, begin_s) - begin_s, min(then_s, end_s) - begin_s)
            for (name, _), (start_s, then_s) in zip(self._phonemes, pairwise(starts), strict=True)
            if name and name[0] not in _SILENT
        )
        return Speech(
            samples=samples[first:last],
            words=word_spans(_heard(words, self._words), begin_s, end_s),
            phonemes=tuple(phoneme for phoneme in phonemes if phoneme[1] < phoneme[2]),
        )


def _heard(words: Sequence[str], events: Sequence[tuple[int, float]]) -> list[float | None]:
    """Find when each word begins, given the place in the text (from 1) and the time of what espeak-ng calls words."""
    starts = np.cumsum([1, *(len(word) + 1 for word in words[:-1])])
    heard: list[float | None] = [None] * len(words)
    for position, at_s in events:
        place = max(0, int(np.searchsorted(starts, position, side="right")) - 1)
        if heard[place] is None:
            heard[place] = at_s
    return heard


def word_spans(heard: Sequence[float | None], begin_s: float, end_s: float) -> tuple[Span, ...]:
    """Give each word its time, from the beginning of the sentence.

    Args:
        heard: when each word begins; None for one that was said as one with the word before it, whose time it shares.
        begin_s: when the sentence begins.
        end_s: when it ends.
    """
    known = [(0, begin_s if heard[0] is None else heard[0])]
    known += [(place, at_s) for place, at_s in enumerate(heard) if place and at_s is not None]
    known.append((len(heard), end_s))
    places, times = zip(*known, strict=True)
    borders = np.clip(np.interp(range(len(heard) + 1), places, times), begin_s, end_s) - begin_s
    return tuple(pairwise(borders.tolist()))


def resampled(samples: npt.NDArray[np.int16], rate: int) -> Samples:
    """Bring sound to 16,000 samples a second."""
    frame = av.AudioFrame.from_ndarray(samples[np.newaxis, :], format="s16", layout="mono")
    frame.rate = rate
    resampler = av.AudioResampler(format="flt", layout="mono", rate=RATE)
    return np.concatenate([part.to_ndarray()[0] for part in (*resampler.resample(frame), *resampler.resample(None))])


class _Id(ctypes.Union):
    _fields_ = (("number", ctypes.c_int), ("name", ctypes.c_char_p), ("string", ctypes.c_char * 8))


class _Event(ctypes.Structure):
    """``espeak_EVENT`` of ``speak_lib.h``."""

    _fields_ = (
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", _Id),
    )


_Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event))
