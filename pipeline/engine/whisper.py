"""What faster-whisper does for us: find speech in sound, and run a model on it, from features to what was heard.

It decodes as faster-whisper's ``BatchedInferencePipeline`` does with timestamps, but for two things: a text after the
last timestamp is kept, and a doubtful chunk is decoded again at a higher temperature, as its ``WhisperModel`` does.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import ctranslate2
import numpy as np
from faster_whisper import WhisperModel
from faster_whisper.audio import pad_or_trim
from faster_whisper.tokenizer import Tokenizer
from faster_whisper.vad import VadOptions, get_speech_timestamps

BEAMS = 5
TEMPERATURES = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
"""A chunk whose text is doubtful at one is decoded at the next; the limits below are those of
Whisper (its paper, section 4.5)."""
MOST_COMPRESSIBLE = 2.4
"""A text that compresses better than this repeats itself."""
LEAST_LOGPROB = -1.0
"""A text whose tokens are less likely than this on average is doubtful."""
NO_SPEECH = 0.6
"""With at least this probability of no speech, a doubtful text is none."""
TOKEN_S = 0.02
"""Seconds between two timestamp tokens."""


def speech_in(sound: np.ndarray, pause_ms: int) -> list[tuple[int, int]]:
    """Tell where in a sound someone speaks: first and last sample, without the silence around it.

    Args:
        sound: float32 samples, 16 kHz.
        pause_ms: a silence shorter than this ends nothing.
    """
    options = VadOptions(min_silence_duration_ms=pause_ms, speech_pad_ms=0)
    return [(int(span["start"]), int(span["end"])) for span in get_speech_timestamps(sound, options)]


@dataclass(frozen=True, slots=True)
class Heard:
    """What one decoding of a chunk gave."""

    tokens: tuple[int, ...]
    text: str
    logprob: float
    """Average over its tokens."""
    no_speech: float

    @property
    def repeats(self) -> bool:
        """Whether it says the same again and again."""
        said = self.text.encode()
        return len(said) > MOST_COMPRESSIBLE * len(zlib.compress(said))

    @property
    def is_silence(self) -> bool:
        """Whether nothing was said."""
        return self.no_speech > NO_SPEECH and self.logprob < LEAST_LOGPROB

    @property
    def is_doubtful(self) -> bool:
        """Whether another temperature may give a better text."""
        return not self.is_silence and (self.repeats or self.logprob < LEAST_LOGPROB)


def best_of(tries: Sequence[Heard]) -> Heard:
    """Choose among decodings of the same chunk: the one that nobody doubts, else the likeliest that does not repeat."""
    if not tries[-1].is_doubtful:
        return tries[-1]
    return max([heard for heard in tries if not heard.repeats] or tries, key=lambda heard: heard.logprob)


def supported(compute_types: Sequence[str], device: str) -> str:
    """The first of these compute types that a device supports; ``default``, whatever the weights are, if none is."""
    kind, _, index = device.partition(":")
    known = ctranslate2.get_supported_compute_types(kind, int(index or 0))
    return next((wanted for wanted in compute_types if wanted in known), "default")


class Whisper:
    """A model on a device. Every method may be called from several threads at once."""

    def __init__(self, path: str, device: str, compute_type: str) -> None:
        """Load the model.

        Args:
            path: its folder.
            device: ``cpu`` or ``cuda:N``.
            compute_type: one of CTranslate2's.
        """
        kind, _, index = device.partition(":")
        on_cpu = kind == "cpu"
        self._model = WhisperModel(
            path,
            device=kind,
            device_index=int(index or 0),
            compute_type=compute_type,
            # One-thread workers: two threads inside one worker are slower than two workers for small matrices.
            cpu_threads=1 if on_cpu else 0,
            num_workers=(os.cpu_count() or 1) if on_cpu else 1,
            local_files_only=True,
        )
        self.compute_type = compute_type
        self.most_together = 0
        """The most chunks that were decoded at once."""
        self._features = self._model.feature_extractor
        self._tokenizers: dict[str, Tokenizer] = {}
        self._suppressed = _suppressed(self._tokenizer("en"))

    @property
    def most_s(self) -> float:
        """Seconds of sound that the model hears at once."""
        return float(self._features.chunk_length)

    @property
    def language(self) -> str | None:
        """The one language it knows; None if there are several."""
        return None if self._model.model.is_multilingual else "en"

    @property
    def detection_frames(self) -> int:
        """Frames of features from which a language is told."""
        return int(self._features.nb_max_frames)

    def features(self, samples: np.ndarray) -> np.ndarray:
        """Compute the log-mel features of a chunk: float32, (mels, frames), 100 frames a second."""
        found: np.ndarray = self._features(samples)[..., :-1]
        return found

    def prompt(self, language: str, *, said_before: str | None, hotwords: str | None) -> tuple[int, ...]:
        """The tokens that stand before a text."""
        tokenizer = self._tokenizer(language)
        before = tokenizer.encode(said_before) if said_before else []
        return tuple(self._model.get_prompt(tokenizer, before, without_timestamps=False, hotwords=hotwords))

    def detect(self, batch: Sequence[np.ndarray]) -> list[str]:
        """Tell the language of each of several features, of ``detection_frames`` frames at most."""
        encoded = self._model.encode(np.stack([pad_or_trim(features) for features in batch]))
        found: list[list[tuple[str, float]]] = self._model.model.detect_language(encoded)
        return [languages[0][0].strip("<|>") for languages in found]

    def decode(self, batch: Sequence[np.ndarray], prompts: Sequence[Sequence[int]], temperature: float) -> list[Heard]:
        """Decode the features of several chunks together; their prompts have the same length."""
        self.most_together = max(self.most_together, len(batch))
        stacked = np.ascontiguousarray(np.stack([pad_or_trim(features) for features in batch]))
        way: dict[str, Any] = {"beam_size": BEAMS}
        if temperature > 0:
            way = {"beam_size": 1, "num_hypotheses": BEAMS, "sampling_topk": 0, "sampling_temperature": temperature}
        results = self._model.model.generate(
            ctranslate2.StorageView.from_array(stacked),
            [list(prompt) for prompt in prompts],
            max_length=self._model.max_length,
            suppress_tokens=self._suppressed,
            return_scores=True,
            return_no_speech_prob=True,
            **way,
        )
        return [self._heard(result) for result in results]

    def _heard(self, result: Any) -> Heard:  # noqa: ANN401 - CTranslate2's
        tokens = tuple(result.sequences_ids[0])
        # CTranslate2's score is already the average over the tokens; Whisper counts the end of the text with them.
        logprob = result.scores[0] * len(tokens) / (len(tokens) + 1)
        text = self._tokenizer("en").decode(list(tokens)).strip()
        return Heard(tokens, text, logprob, result.no_speech_prob)

    def sentences(self, heard: Heard, seconds: float) -> Iterator[tuple[float, float, str]]:
        """Split what was heard at its timestamps: start, end in seconds from the chunk's beginning, text."""
        tokenizer = self._tokenizer("en")
        for start, end, tokens in split(heard.tokens, tokenizer.timestamp_begin, seconds):
            text = tokenizer.decode(list(tokens))
            if text.strip():
                yield start, end, text

    def _tokenizer(self, language: str) -> Tokenizer:
        known = self._tokenizers.get(language)
        if known is None:
            several = self._model.model.is_multilingual
            known = Tokenizer(self._model.hf_tokenizer, several, task="transcribe", language=language)
            self._tokenizers[language] = known
        return known


def _suppressed(tokenizer: Tokenizer) -> list[int]:
    """Tokens that are no speech: signs that only annotate, and those with which Whisper is told what to do."""
    commands = (
        tokenizer.transcribe,
        tokenizer.translate,
        tokenizer.sot,
        tokenizer.sot_prev,
        tokenizer.sot_lm,
        tokenizer.no_speech,
    )
    return sorted({*tokenizer.non_speech_tokens, *commands})


def split(
    tokens: Sequence[int], first_timestamp: int, seconds: float
) -> Iterator[tuple[float, float, tuple[int, ...]]]:
    """Split tokens where one sentence's end meets the next one's start.

    Args:
        tokens: text between timestamps, as Whisper writes it: ``<start> text <end> <start> text <end>``.
        first_timestamp: the token of 0.00 s; every later one stands for 0.02 s more.
        seconds: where a text ends that has no timestamp behind it.

    Yields:
        Start and end in seconds, within the chunk and never running backwards, and the tokens of the text.
    """
    start, text = 0.0, list[int]()
    for token in tokens:
        if token < first_timestamp:
            text.append(token)
            continue
        at = min(seconds, max(start, (token - first_timestamp) * TOKEN_S))
        if text:
            yield start, at, tuple(text)
            text = []
        start = at
    if text:
        yield start, max(start, seconds), tuple(text)
