"""Windows: what the network is shown at once, sound and the tokens that belong to it.

A window holds at most 10 s of sound. faster-whisper then pads its features with zeros to 30 s, always, so most
windows are trained with a part of that tail only, which is faster, and some with all of it.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tools.model.library import BANDS, FRAMES_PER_S, LEAST_POWER, POSITIONS_PER_S, Floats, Labels, Library, Utterance
from tools.model.vocabulary import (
    END,
    NO_SPEECH,
    NO_TIMESTAMPS,
    PROMPT,
    START,
    TIMESTAMPS,
    TRANSCRIBE,
    Vocabulary,
    language_token,
)

SOUND_S = 10
"""``chunk_length`` of the exported model."""
MOST_PROMPT = 223
"""Tokens of earlier text that faster-whisper gives at most."""
LATEST_FIRST_POSITION = 50
"""Decoding never puts the first timestamp of a window later than 1.0 s, so it is not taught to."""
ENGLISH_SHARE = 0.6
WITHOUT_SPEECH_SHARE = 0.04
WITHOUT_TIMESTAMPS_SHARE = 0.25
PROMPT_WITHOUT_TIMESTAMPS_SHARE = 0.2


@dataclass(frozen=True)
class Shape:
    """What kind of window."""

    frames: int
    """Of sound and zeros, together; 3000 is what faster-whisper makes."""
    offset: int = 0
    """At which position the network is told that the window begins; trains late positions with short windows."""
    prompted: bool = False
    """Whether tokens of earlier text come first."""
    single: bool = False
    """Whether one sentence is enough."""

    @property
    def sound_s(self) -> float:
        """How much sound fits in."""
        return min(self.frames / FRAMES_PER_S, SOUND_S)

    @property
    def positions(self) -> int:
        """What the encoder makes of it."""
        return self.frames // 2


@dataclass(frozen=True)
class Placed:
    """A sentence at its place in a window."""

    utterance: Utterance
    start_s: float
    cut: bool = False
    """Whether the window ends before it does: then it is heard, but not written."""

    @property
    def end_s(self) -> float:
        """When it ends."""
        return self.start_s + self.utterance.duration_s


@dataclass(frozen=True)
class Look:
    """Where the decoder should look to predict a token: positions from ``first`` to before ``end``."""

    token: int
    """The place of the token."""
    first: int
    end: int


@dataclass(frozen=True)
class Script:
    """The tokens of a window."""

    tokens: tuple[int, ...]
    prompt: int
    """How many of them are earlier text and are not to be learned."""
    looks: tuple[Look, ...]


@dataclass(frozen=True, eq=False)
class Window:
    """One example to learn from."""

    features: Floats
    """What faster-whisper would give the network, [80, frames]."""
    script: Script
    phoneme_labels: Labels
    word_labels: Labels
    silent: bool


class Composer:
    """Composes windows from the library."""

    def __init__(self, library: Library, noises: Sequence[Floats], vocabulary: Vocabulary) -> None:
        """Take sentences and noises from these."""
        self._library = library
        self._noises = noises
        self._vocabulary = vocabulary

    def window(self, shape: Shape, rng: random.Random) -> Window:
        """Compose one; the state of ``rng`` decides all of it."""
        language = "en" if rng.random() < ENGLISH_SHARE else "zh"
        silent = rng.random() < WITHOUT_SPEECH_SHARE
        known = self._library.utterances[language]
        placed, content_s = ([], shape.sound_s) if silent else _arrange(known, shape, rng)
        power = self._disturbed(_sound(placed, shape, rng), rng)
        timestamps = rng.random() >= WITHOUT_TIMESTAMPS_SHARE
        prompt = self._prompt(known, rng) if shape.prompted else []
        return Window(
            features=features(power, content_s, shape.frames, headroom=rng.uniform(0, 0.8) * (rng.random() < 0.5)),
            script=script(self._vocabulary, language, placed, shape, prompt, timestamps=timestamps),
            phoneme_labels=_labels([(one, one.utterance.phoneme_labels) for one in placed], shape),
            word_labels=_labels([(one, one.utterance.word_labels) for one in placed], shape),
            silent=silent,
        )

    def _disturbed(self, power: Floats, rng: random.Random) -> Floats:
        """Add noise, 7 to 40 dB below the speech, and bend the spectrum as microphones and codecs do."""
        if rng.random() < 0.75 or not power.any():
            noise = rng.choice(self._noises)
            start = rng.randrange(noise.shape[1] - power.shape[1])
            loudness = 3 * power.mean() if power.any() else 10 ** rng.uniform(-6, 0)
            power = power + noise[:, start : start + power.shape[1]] * (loudness * 10 ** -rng.uniform(1.2, 4.5))
        if rng.random() < 0.5:
            knots = [rng.uniform(-0.7, 0.7) for _ in range(5)]
            curve = np.interp(np.arange(BANDS), [0, 20, 40, 60, BANDS - 1], knots)
            if rng.random() < 0.15:
                curve[rng.randint(58, 76) :] -= 5
            power = power * (10**curve)[:, None].astype(np.float32)
        return power

    def _prompt(self, known: Sequence[Utterance], rng: random.Random) -> list[int]:
        """Write earlier text, with the times of earlier windows or, as a user's own prompt is, without."""
        length = rng.choice((rng.randint(5, 60), MOST_PROMPT, rng.randint(60, MOST_PROMPT)))
        timestamps = rng.random() >= PROMPT_WITHOUT_TIMESTAMPS_SHARE
        tokens: list[int] = []
        at_s = rng.uniform(0, 1)
        while len(tokens) < length:
            utterance = rng.choice(known)
            if at_s + utterance.duration_s > SOUND_S:
                at_s = rng.uniform(0, 1)
            times = [self._vocabulary.timestamp(position(at_s + after_s)) for after_s in (0, utterance.duration_s)]
            tokens += [times[0], *utterance.tokens, times[1]] if timestamps else utterance.tokens
            at_s += utterance.duration_s + _pause_s(rng)
        return [self._vocabulary[PROMPT], *tokens[-length:]]


def position(at_s: float) -> int:
    """Return the position nearest to a time."""
    return round(at_s * POSITIONS_PER_S)


def _arrange(known: Sequence[Utterance], shape: Shape, rng: random.Random) -> tuple[list[Placed], float]:
    """Put sentences one after the other until the window is full; returns also how much of it is not padding."""
    full_s = shape.sound_s
    content_s = full_s if rng.random() < 0.6 else rng.uniform(min(2.5, full_s), full_s)
    start_s = _lead_s(full_s, rng)
    placed: list[Placed] = []
    while True:
        utterance = rng.choice(known)
        if start_s + utterance.duration_s <= content_s - 0.02:
            placed.append(Placed(utterance, start_s))
            start_s += utterance.duration_s + _pause_s(rng)
            if shape.single:
                return placed, min(full_s, start_s)
        elif not placed:
            start_s, content_s = 0.0, full_s
        else:
            if content_s == full_s and start_s < full_s - 0.3 and rng.random() < 0.7:
                placed.append(Placed(utterance, start_s, cut=True))
            return placed, content_s


def _lead_s(full_s: float, rng: random.Random) -> float:
    """How long nobody speaks at first."""
    kind = rng.random()
    if kind < 0.4:
        return rng.uniform(0, 0.25)
    return rng.uniform(0.2, 1) if kind < 0.65 else rng.uniform(1, min(6, full_s / 2))


def _pause_s(rng: random.Random) -> float:
    """How long nobody speaks between two sentences."""
    kind = rng.random()
    if kind < 0.4:
        return rng.uniform(0.03, 0.4)
    return rng.uniform(0.4, 1.2) if kind < 0.8 else rng.uniform(1.2, 4)


def _sound(placed: Sequence[Placed], shape: Shape, rng: random.Random) -> Floats:
    """Add up the power of the sentences, each a little louder or softer than the window as a whole."""
    power = np.zeros((BANDS, shape.frames), np.float32)
    room = round(shape.sound_s * FRAMES_PER_S)
    level = rng.uniform(-1.5, 0.3)
    for one in placed:
        start = round(one.start_s * FRAMES_PER_S)
        own = one.utterance.log_power[:, : room - start].astype(np.float32)
        power[:, start : start + own.shape[1]] += 10 ** (own + (level + rng.uniform(-0.2, 0.2)))
    return power


def features(power: Floats, content_s: float, frames: int, *, headroom: float = 0.0) -> Floats:
    """Compress power as Whisper does, and pad what is not content with zeros.

    Args:
        power: [80, frames].
        content_s: how much of it counts.
        frames: how many there are to be in the end.
        headroom: how much louder, as a decimal logarithm, the loudest moment of the recording is than this window's.
    """
    content = round(content_s * FRAMES_PER_S)
    loudness = np.log10(np.maximum(power[:, :content], LEAST_POWER))
    padded = np.zeros((BANDS, frames), np.float32)
    padded[:, :content] = (np.maximum(loudness, loudness.max() + headroom - 8) + 4) / 4
    return padded


def _labels(parts: Sequence[tuple[Placed, Labels]], shape: Shape) -> Labels:
    """Put the labels of sentences where the sentences are."""
    found = np.zeros(shape.positions, np.int64)
    room = round(shape.sound_s * POSITIONS_PER_S)
    for one, own in parts:
        start = round(one.start_s * FRAMES_PER_S) // 2
        fitting = own[: room - start]
        found[start : start + len(fitting)] = fitting
    return found


def script(
    vocabulary: Vocabulary,
    language: str,
    placed: Sequence[Placed],
    shape: Shape,
    prompt: Sequence[int],
    *,
    timestamps: bool,
) -> Script:
    """Write what the decoder should write, and where it should look meanwhile."""
    room = round(shape.sound_s * POSITIONS_PER_S)
    tokens = [*prompt, vocabulary[START], vocabulary[language_token(language)], vocabulary[TRANSCRIBE]]
    looks: list[Look] = []

    def write(token: int, first: int, end: int) -> None:
        looks.append(Look(len(tokens), min(max(0, first), room - 2), min(end, room)))
        tokens.append(token)

    def write_time(at_s: float, latest: int = TIMESTAMPS) -> None:
        if timestamps:
            at = position(at_s)
            write(vocabulary.timestamp(min(at, latest) + shape.offset), at - 3, at + 3)

    if not timestamps:
        tokens.append(vocabulary[NO_TIMESTAMPS])
    elif not placed:
        tokens.append(vocabulary.timestamp(0))
    for number, one in enumerate(placed):
        write_time(one.start_s, TIMESTAMPS if number or shape.offset else LATEST_FIRST_POSITION)
        if one.cut:
            break
        *words, mark = one.utterance.tokens
        for word, (start_s, end_s) in zip(words, one.utterance.words, strict=True):
            first = int((one.start_s + start_s) * POSITIONS_PER_S)
            write(word, first, max(first + 2, int(np.ceil((one.start_s + end_s) * POSITIONS_PER_S))))
        end = int(one.end_s * POSITIONS_PER_S)
        write(mark, end - 8, end + 4)
        write_time(one.end_s)
    tokens.append(vocabulary[END])
    return Script(tuple(tokens), len(prompt), tuple(looks))


def targets(one: Script, vocabulary: Vocabulary, *, silent: bool) -> list[int | None]:
    """Return what each token should be followed by; None where nothing is to be learned."""
    after: list[int | None] = [None] * one.prompt + list(one.tokens[one.prompt + 1 :]) + [None]
    if silent:
        # The probability of this token after the start is what Whisper takes for that of no speech.
        after[one.prompt] = vocabulary[NO_SPEECH]
    return after
