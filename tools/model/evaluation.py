"""Evaluation: how often a model is wrong about sentences and voices that it was not trained on.

It is run by faster-whisper as it is, in the ways that people call it.
"""

from __future__ import annotations

import functools
import io
import random
import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from faster_whisper import BatchedInferencePipeline, WhisperModel, decode_audio
from faster_whisper.transcribe import Segment

from examples.samples import samples
from examples.scoring import error_rate
from tests.fakes import media
from tools.model.grammar import GRAMMARS
from tools.model.noise import colored
from tools.model.speech import RATE, Samples, Voice, espeak, voice

SENTENCES_A_TURN = 4
"""After so many, somebody else speaks."""
NOISE_BELOW_DB = 20
NOTHING_S = 20.0


@dataclass(frozen=True)
class Said:
    """A sentence of a recording, and when it is said."""

    text: str
    start_s: float
    end_s: float


@dataclass(frozen=True, eq=False)
class Recording:
    """Speech that no model was trained on, as it was recorded."""

    language: str
    samples: Samples
    text: str
    """All that is said."""
    said: tuple[Said, ...] = ()
    """The same sentence by sentence, where their times are known."""


Way = Callable[[WhisperModel, Samples], tuple[list[Segment], str]]
"""One way to call faster-whisper: segments, and the language that it heard."""


def _batched(model: WhisperModel, heard: Samples) -> tuple[list[Segment], str]:
    segments, info = BatchedInferencePipeline(model).transcribe(heard, batch_size=4, without_timestamps=False)
    return list(segments), info.language


def _sequential(**options: Any) -> Way:  # noqa: ANN401 - whatever faster-whisper takes
    def transcribe(model: WhisperModel, heard: Samples) -> tuple[list[Segment], str]:
        segments, info = model.transcribe(heard, **options)
        return list(segments), info.language

    return transcribe


WAYS: Mapping[str, Way] = {
    "batched, `without_timestamps=False`": _batched,
    "`condition_on_previous_text=False`, `vad_filter=True`": _sequential(
        condition_on_previous_text=False, vad_filter=True
    ),
    "all defaults": _sequential(),
}


def load(folder: Path) -> WhisperModel:
    """Load a model as anyone would."""
    return WhisperModel(str(folder), device="cpu", compute_type="int8")


def on_held_out_speech(model: WhisperModel, seconds: float) -> str:
    """Measure a model on so much held-out speech of each language; returns a report in Markdown."""
    plain, loose = (
        [recording(language, seconds, loose=with_loose) for language in GRAMMARS] for with_loose in (False, True)
    )
    conditions = {
        f"{one.language} {name}": (one, heard)
        for sentences, words in zip(plain, loose, strict=True)
        for name, one, heard in _conditions(sentences, words)
    }
    return "\n".join(
        (
            f"Errors on {seconds:.0f} s of held-out speech a column, in % of words (en) and characters (zh):\n",
            *_table(conditions, _rates(model, list(conditions.values()))),
            *(_times(model, one) for one in plain),
            f"\n{NOTHING_S:.0f} s of white noise: {_segments_in(model, _white_noise())} segments; "
            f"of digital silence: {_segments_in(model, _silence(NOTHING_S))}.",
        )
    )


def on_examples(model: WhisperModel) -> str:
    """Measure a model on the recordings of ``examples``; returns a report in Markdown."""
    recordings = {
        sample.media.name: Recording(sample.language, decode_audio(str(sample.media)), sample.reference)
        for sample in samples()
    }
    return "\n".join(
        (
            "Errors on the recordings of `examples`, in %:\n",
            *_table(recordings, _rates(model, [(one, one.samples) for one in recordings.values()])),
        )
    )


@functools.cache
def recording(language: str, seconds: float, *, loose: bool) -> Recording:
    """Say held-out sentences in held-out voices, once, so that two models hear the very same sound.

    Args:
        language: ``en`` or ``zh``.
        seconds: how long it gets at most.
        loose: whether word strings at random are among the sentences.
    """
    rng = random.Random(f"evaluation {language} {loose}")
    parts = [_silence(rng.uniform(0.1, 0.8))]
    said: list[Said] = []
    length = len(parts[0])
    speakers = _speakers(language, rng)
    while True:
        sentence = GRAMMARS[language].sentence(rng)
        if not sentence.held_out or sentence.loose > loose:
            continue
        spoken = espeak().speak([unit.spoken for unit in sentence.units], next(speakers)).samples
        if length + len(spoken) > seconds * RATE:
            text = "".join(sentence.text for sentence in said)
            return Recording(language, np.concatenate(parts), text, tuple(said))
        said.append(Said(sentence.text, length / RATE, (length + len(spoken)) / RATE))
        parts += [spoken, _silence(_pause_s(rng))]
        length += len(parts[-2]) + len(parts[-1])


def _speakers(language: str, rng: random.Random) -> Iterator[Voice]:
    while True:
        speaker = voice(language, rng, held_out=True)
        yield from [speaker] * SENTENCES_A_TURN


def _pause_s(rng: random.Random) -> float:
    kind = rng.random()
    if kind < 0.6:
        return rng.uniform(0.15, 0.7)
    return rng.uniform(0.7, 2) if kind < 0.94 else rng.uniform(3, 7)


def _silence(seconds: float) -> Samples:
    return np.zeros(round(seconds * RATE), np.float32)


def _conditions(plain: Recording, loose: Recording) -> list[tuple[str, Recording, Samples]]:
    return [
        ("clean", plain, plain.samples),
        (f"noise {NOISE_BELOW_DB} dB", plain, noisy(plain.samples)),
        ("Opus 48k", plain, decode_audio(io.BytesIO(media.opus(_pcm(plain.samples))))),
        ("loose words", loose, loose.samples),
    ]


def _pcm(heard: Samples) -> media.Pcm:
    return (heard * 32767).astype(np.int16)


def noisy(heard: Samples) -> Samples:
    """Add pink noise, ``NOISE_BELOW_DB`` below the speech."""
    noise = colored(np.random.default_rng(0).standard_normal(len(heard)), 0.5)
    speech = np.sqrt((heard[np.abs(heard) > 0.01] ** 2).mean())
    return (heard + noise / noise.std() * speech * 10 ** (-NOISE_BELOW_DB / 20)).astype(np.float32)


def _white_noise() -> Samples:
    return 0.01 * np.random.default_rng(1).standard_normal(round(NOTHING_S * RATE)).astype(np.float32)


def _segments_in(model: WhisperModel, heard: Samples) -> int:
    return len(_batched(model, heard)[0])


def _rates(model: WhisperModel, heard: Sequence[tuple[Recording, Samples]]) -> dict[str, list[str]]:
    """Measure each way on each recording, as it is heard."""
    return {name: [_rate(one, *way(model, samples)) for one, samples in heard] for name, way in WAYS.items()}


def _rate(one: Recording, segments: Sequence[Segment], language: str) -> str:
    rate = error_rate(one.text, "".join(segment.text for segment in segments), one.language)
    return f"{100 * rate:.1f}" + ("" if language == one.language else f" (heard as {language})")


def _times(model: WhisperModel, one: Recording) -> str:
    """Tell how exact the times of segments are."""
    segments, _ = _batched(model, one.samples)
    found = [(sentence, nearest) for sentence in one.said if (nearest := _nearest(sentence, segments))]
    starts = [abs(segment.start - sentence.start_s) for sentence, segment in found]
    ends = [abs(segment.end - sentence.end_s) for sentence, segment in found]
    return (
        f"\nTimes, batched, {one.language}: {len(found)} of {len(one.said)} sentences found in {len(segments)} "
        f"segments; starts are off by {_spread(starts)}, ends by {_spread(ends)}."
    )


def _nearest(sentence: Said, segments: Sequence[Segment]) -> Segment | None:
    """Find the segment that shares most time with a sentence; None if none shares any."""

    def shared_s(segment: Segment) -> float:
        return min(segment.end, sentence.end_s) - max(segment.start, sentence.start_s)

    best = max(segments, key=shared_s, default=None)
    return best if best and shared_s(best) > 0 else None


def _spread(errors_s: Sequence[float]) -> str:
    if len(errors_s) < 2:
        return "nobody knows how much"
    return f"{statistics.median(errors_s):.2f} s (median), {statistics.quantiles(errors_s, n=10)[-1]:.2f} s (90 %)"


def _table(columns: Mapping[str, Any], rows: Mapping[str, Sequence[str]]) -> Iterator[str]:
    yield f"| | {' | '.join(columns)} |"
    yield f"|---{'|---' * len(columns)}|"
    yield from (f"| {name} | {' | '.join(cells)} |" for name, cells in rows.items())
