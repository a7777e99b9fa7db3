"""The library: thousands of spoken sentences, from which windows are composed while the network learns.

A sentence is kept as the power of its sound in 80 mel bands, 100 frames a second, because sounds that are heard at
once add up there. Beside it stands when each word and phoneme is said.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from faster_whisper.feature_extractor import FeatureExtractor

from tools.model.grammar import GRAMMARS, Sentence
from tools.model.speech import RATE, Samples, Span, Speech, espeak, voice
from tools.model.vocabulary import Vocabulary

Floats = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int64]

BANDS = 80
FRAMES_PER_S = 100
POSITIONS_PER_S = 50
"""What the encoder makes of two frames is one position; timestamps count them, too."""
LEAST_POWER = 1e-10
ENGLISH_SHARE = 0.66

_extractor = FeatureExtractor()
_window = np.hanning(_extractor.n_fft + 1)[:-1].astype(np.float32)


def mel_power(samples: Samples) -> Floats:
    """Measure the power of sound in each mel band, [80, frames], exactly as faster-whisper does."""
    waves = _extractor.stft(samples, _extractor.n_fft, _extractor.hop_length, window=_window, return_complex=True)
    power: Floats = _extractor.mel_filters @ (np.abs(waves[..., :-1].astype(np.complex64)) ** 2)
    return power


@dataclass(frozen=True, eq=False)
class Utterance:
    """One sentence of the library, as the network learns it."""

    language: str
    tokens: tuple[int, ...]
    """One for each word or character, and one for the mark at the end."""
    words: tuple[Span, ...]
    log_power: npt.NDArray[np.float16]
    """Decimal logarithm of the power, [80, frames]."""
    duration_s: float
    phoneme_labels: Labels
    """Which phoneme is said at each position; 0 in pauses."""
    word_labels: Labels
    """Which word is said at each position; 0 in pauses."""


@dataclass(frozen=True)
class Library:
    """All sentences, and the phonemes that they consist of."""

    utterances: Mapping[str, Sequence[Utterance]]
    """By language."""
    phonemes: int
    """How many there are; they are numbered from 1."""

    @property
    def hours(self) -> float:
        """How much speech this is."""
        return sum(one.duration_s for known in self.utterances.values() for one in set(known)) / 3600


def read(parts: Sequence[Path], vocabulary: Vocabulary) -> Library:
    """Read the parts that ``synthesize`` made."""
    stored = [entry for part in parts for entry in _read(part)]
    names = sorted({name for _, entry in stored for name, _, _ in entry["phonemes"]})
    phonemes = {name: number for number, name in enumerate(names, start=1)}
    utterances: dict[str, list[Utterance]] = {language: [] for language in GRAMMARS}
    for log_power, entry in stored:
        utterance = _utterance(log_power, entry, phonemes, vocabulary)
        # A word said twice in a row is the hardest case: it is shown three times as often.
        repeated = any(token == then for token, then in pairwise(utterance.tokens))
        utterances[utterance.language] += [utterance] * (3 if repeated else 1)
    return Library(utterances, len(phonemes))


def synthesize(folder: Path, parts: int, sentences: int) -> list[Path]:
    """Make the parts of the library that are not there yet, on all cores; returns all.

    Args:
        folder: where they lie.
        parts: how many there are.
        sentences: how many sentences each has.
    """
    folder.mkdir(parents=True, exist_ok=True)
    files = [folder / f"part-{number:02d}.npz" for number in range(parts)]
    missing = [file for file in files if not file.exists()]
    # What espeak-ng said before changes how it sounds, a little, so each part begins in a new process.
    with ProcessPoolExecutor(mp_context=get_context("spawn"), max_tasks_per_child=1) as pool:
        for file in pool.map(_make, missing, [sentences] * len(missing)):
            print(f"  {file.name}: {sentences} sentences", flush=True)
    return files


def held_in(rng: random.Random) -> Iterator[Sentence]:
    """Say sentences for ever, none of those held out."""
    while True:
        language = "en" if rng.random() < ENGLISH_SHARE else "zh"
        sentence = GRAMMARS[language].sentence(rng)
        if not sentence.held_out:
            yield sentence


def labels(spans: Sequence[tuple[int, float, float]], duration_s: float) -> Labels:
    """Write the number of what is said at each position (start and end in seconds); at least one position each."""
    found = np.zeros(int(duration_s * POSITIONS_PER_S) + 2, np.int64)
    for number, start_s, end_s in spans:
        first = int(start_s * POSITIONS_PER_S)
        found[first : max(first + 1, int(end_s * POSITIONS_PER_S))] = number
    return found


def _make(file: Path, sentences: int) -> Path:
    """Make one part; its number decides what is in it."""
    rng = random.Random(file.stem)
    powers, entries = [], []
    for _, sentence in zip(range(sentences), held_in(rng), strict=False):
        speech = espeak().speak([unit.spoken for unit in sentence.units], voice(sentence.language, rng, held_out=False))
        powers.append(np.log10(np.maximum(mel_power(speech.samples), LEAST_POWER)).astype(np.float16))
        entries.append(_entry(sentence, speech))
    unfinished = file.with_suffix(".part")
    with unfinished.open("wb") as out:
        np.savez(
            out,
            log_power=np.concatenate(powers, axis=1),
            frames=[power.shape[1] for power in powers],
            entries=json.dumps(entries),
        )
    unfinished.rename(file)
    return file


def _entry(sentence: Sentence, speech: Speech) -> dict[str, Any]:
    return {
        "language": sentence.language,
        "units": [unit.written for unit in sentence.units] + [sentence.mark],
        "words": speech.words,
        "phonemes": speech.phonemes,
        "duration_s": len(speech.samples) / RATE,
    }


def _read(part: Path) -> Iterator[tuple[npt.NDArray[np.float16], dict[str, Any]]]:
    with np.load(part) as stored:
        powers = np.split(stored["log_power"], np.cumsum(stored["frames"])[:-1], axis=1)
        yield from zip(powers, json.loads(str(stored["entries"])), strict=True)


def _utterance(
    log_power: npt.NDArray[np.float16], entry: dict[str, Any], phonemes: dict[str, int], vocabulary: Vocabulary
) -> Utterance:
    tokens = tuple(vocabulary.of_unit[unit] for unit in entry["units"])
    words = tuple((start_s, end_s) for start_s, end_s in entry["words"])
    return Utterance(
        language=entry["language"],
        tokens=tokens,
        words=words,
        log_power=log_power,
        duration_s=entry["duration_s"],
        phoneme_labels=labels(
            [(phonemes[name], start_s, end_s) for name, start_s, end_s in entry["phonemes"]], entry["duration_s"]
        ),
        word_labels=labels(
            [(token + 1, *span) for token, span in zip(tokens, words, strict=False)],
            entry["duration_s"],
        ),
    )
