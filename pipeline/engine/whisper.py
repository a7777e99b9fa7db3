"""What faster-whisper does for us: find speech in sound, and run a model on it, from features to what was heard.

It decodes as faster-whisper's ``BatchedInferencePipeline`` does with timestamps, but for two things: a text after the
last timestamp is kept, and a doubtful chunk is decoded again at a higher temperature, as its ``WhisperModel`` does.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any, TypeAlias

import ctranslate2
import numpy as np
from faster_whisper import WhisperModel
from faster_whisper.audio import pad_or_trim
from faster_whisper.tokenizer import Tokenizer
from faster_whisper.transcribe import merge_punctuations
from faster_whisper.vad import VadOptions, get_speech_timestamps

from pipeline.core.transcript import Word
from pipeline.engine.gauge import Gauge
from pipeline.engine.heard import Aligned, Heard, Sentence, split, up_to_last_end
from pipeline.host import cores

BEAMS = 5
MOST_TOKENS = 224
"""So long a text is written at once, and as much may stand before it: half of the decoder's places each."""
OPENING, CLOSING = "\"'“¿([{-", "\"'.。,，!！?？:：”)]}、"
"""Signs that belong to the word behind them, and to the one before them."""

Sound: TypeAlias = Any
"""What the encoder made of several chunks; CTranslate2's."""


def speech_in(sound: np.ndarray, pause_ms: int) -> list[tuple[int, int]]:
    """Tell where in a sound someone speaks: first and last sample, without the silence around it.

    Args:
        sound: float32 samples, 16 kHz.
        pause_ms: a silence shorter than this ends nothing.
    """
    options = VadOptions(min_silence_duration_ms=pause_ms, speech_pad_ms=0)
    return [(int(span["start"]), int(span["end"])) for span in get_speech_timestamps(sound, options)]


def supported(compute_types: Sequence[str], device: str) -> str:
    """The first of these compute types that a device supports; ``default``, whatever the weights are, if none is."""
    kind, _, index = device.partition(":")
    known = ctranslate2.get_supported_compute_types(kind, int(index or 0))
    return next((wanted for wanted in compute_types if wanted in known), "default")


class Whisper:
    """A model on a device. Every method may be called from several threads at once."""

    def __init__(
        self,
        path: str,
        device: str,
        compute_type: str,
        most_tokens: int = MOST_TOKENS,
        taken_mb: Callable[[], int | None] = lambda: None,
    ) -> None:
        """Load the model.

        Args:
            path: its folder.
            device: ``cpu`` or ``cuda:N``.
            compute_type: one of CTranslate2's.
            most_tokens: how long a text it writes at once.
            taken_mb: tells the most that this process has taken of the device; asked behind each batch.
        """
        kind, _, index = device.partition(":")
        self._on_cpu = on_cpu = kind == "cpu"
        self._model = WhisperModel(
            path,
            device=kind,
            device_index=int(index or 0),
            compute_type=compute_type,
            # One-thread workers: two threads inside one worker are slower than two workers for small matrices.
            cpu_threads=1 if on_cpu else 0,
            num_workers=cores() if on_cpu else 1,
            local_files_only=True,
        )
        self._most_tokens = most_tokens
        self.gauge = Gauge(taken_mb)
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

    def features(self, samples: np.ndarray) -> np.ndarray:
        """Compute the log-mel features of a chunk: float32, (mels, frames), 100 frames a second."""
        found: np.ndarray = self._features(samples)[..., :-1]
        return found

    def before(self, *, said_before: str | None, hotwords: str | None) -> tuple[int, ...]:
        """The tokens that stand before a text in whatever language: hotwords, and the last of what was said before it.

        There are as many at most as leave room for the text. Hotwords have half of them, or what the rest leaves.
        """
        tokenizer, room = self._tokenizer("en"), MOST_TOKENS - 1
        said = tokenizer.encode(said_before) if said_before else []
        names = _names(tokenizer, hotwords)[: max(room // 2, room - len(said))]
        return (tokenizer.sot_prev, *names, *said[len(names) - room :]) if names or said else ()

    def prompt(self, language: str, before: Sequence[int] = ()) -> tuple[int, ...]:
        """All tokens that stand before a text."""
        return (*before, *self._tokenizer(language).sot_sequence)

    def encode(self, batch: Sequence[np.ndarray]) -> Sound:
        """Let the encoder hear the features of several chunks, once for all that is wanted to be known of them.

        A CPU takes them one after the other: it is as quick, and most of the memory is what the encoder works in.
        """
        if not self._on_cpu:
            return self._encode(batch)
        heard = [np.asarray(self._encode([features])) for features in batch]
        return ctranslate2.StorageView.from_array(np.concatenate(heard))

    def _encode(self, batch: Sequence[np.ndarray]) -> Sound:
        stacked = np.ascontiguousarray(np.stack([pad_or_trim(features) for features in batch]))
        return self._model.model.encode(ctranslate2.StorageView.from_array(stacked))

    def detect(self, encoded: Sound) -> list[str]:
        """Tell the language of each of several chunks."""
        found: list[list[tuple[str, float]]] = self._model.model.detect_language(encoded)
        return [languages[0][0].strip("<|>") for languages in found]

    def decode(self, encoded: Sound, prompts: Sequence[Sequence[int]], temperature: float) -> list[Heard]:
        """Decode several chunks together; their prompts have the same length."""
        way: dict[str, Any] = {"beam_size": BEAMS}
        if temperature > 0:
            way = {"beam_size": 1, "num_hypotheses": BEAMS, "sampling_topk": 0, "sampling_temperature": temperature}
        places = 2 * self._most_tokens
        results = self._model.model.generate(
            encoded,
            [list(prompt) for prompt in prompts],
            max_length=places,
            suppress_tokens=self._suppressed,
            return_scores=True,
            return_no_speech_prob=True,
            **way,
        )
        most = min(self._most_tokens, places + 1 - len(prompts[0]))  # CTranslate2 does not write more
        return [self._heard(result, most) for result in results]

    def _heard(self, result: Any, most: int) -> Heard:  # noqa: ANN401 - CTranslate2's
        tokens = tuple(result.sequences_ids[0])
        # CTranslate2's score is already the average over the tokens; Whisper counts the end of the text with them.
        logprob = result.scores[0] * len(tokens) / (len(tokens) + 1)
        text = self._tokenizer("en").decode(list(tokens)).strip()
        return Heard(tokens, text, logprob, result.no_speech_prob, is_whole=len(tokens) < most)

    def align(self, batch: Sequence[np.ndarray], heard: Sequence[Heard], language: str) -> list[list[Aligned]]:
        """Find the times of the words that were heard in several chunks of one language."""
        tokenizer = self._tokenizer(language)
        texts = [[token for token in one.tokens if token < tokenizer.eot] for one in heard]
        encoded = self.encode(batch)
        frames = [features.shape[1] for features in batch]
        found = self._model.find_alignment(tokenizer, texts, encoded, frames)
        for words in found:
            merge_punctuations(words, OPENING, CLOSING)
        return [[_aligned(word) for word in words] for words in found]

    def whole_sentences(self, heard: Heard) -> tuple[Heard, float]:
        """Keep the sentences of a text that have an end, and tell where the last one ends, in seconds."""
        tokenizer = self._tokenizer("en")
        tokens, end_s = up_to_last_end(heard.tokens, tokenizer.timestamp_begin)
        return replace(heard, tokens=tokens, text=tokenizer.decode(list(tokens)).strip(), is_whole=True), end_s

    def sentences(self, heard: Heard, seconds: float, words: Sequence[Aligned] = ()) -> Iterator[Sentence]:
        """Split what was heard at its timestamps; times are seconds from the chunk's beginning."""
        tokenizer, left = self._tokenizer("en"), deque(words)
        for start, end, tokens in split(heard.tokens, tokenizer.timestamp_begin, seconds):
            text, said = tokenizer.decode(list(tokens)), list[Word]()
            count = sum(token < tokenizer.eot for token in tokens)
            while left and count > 0:
                word = left.popleft()
                count -= word.tokens
                said.append(word.word)
            if text.strip():
                yield Sentence.of(start, end, text, (word for word in said if word.word))

    def transcribe(
        self,
        samples: np.ndarray,
        language: str | None,
        *,
        said_before: str | None,
        hotwords: str | None,
        word_times: bool,
    ) -> tuple[str, Iterator[Sentence]]:
        """Hear a stretch as faster-whisper's ``WhisperModel.transcribe`` does: window by window, the text so far given.

        Returns:
            The language, and the sentences as they come; times are seconds from the beginning of the stretch.
        """
        tokenizer = self._tokenizer("en")
        names = _names(tokenizer, hotwords)[: MOST_TOKENS // 2]  # or they and what was said would leave no room
        segments, info = self._model.transcribe(
            samples,
            language=language,
            initial_prompt=said_before,
            hotwords=tokenizer.decode(names).rstrip("\ufffd"),  # half a character, where it was cut
            word_timestamps=word_times,
            vad_filter=True,  # or silence would be given words
        )
        return info.language, _in_order(segments)

    def unload(self) -> None:
        """Give the memory of a model back that has nothing to do."""
        self._model.model.unload_model()

    def _tokenizer(self, language: str) -> Tokenizer:
        known = self._tokenizers.get(language)
        if known is None:
            several = self._model.model.is_multilingual
            known = Tokenizer(self._model.hf_tokenizer, several, task="transcribe", language=language)
            self._tokenizers[language] = known
        return known


def _names(tokenizer: Tokenizer, hotwords: str | None) -> list[int]:
    tokens: list[int] = tokenizer.encode(" " + hotwords.strip()) if hotwords else []
    return tokens


def _aligned(word: dict[str, Any]) -> Aligned:
    times = float(word["start"]), float(word["end"])
    return Aligned(Word(*times, word["word"], float(word["probability"])), len(word["tokens"]))


def _in_order(segments: Iterable[Any]) -> Iterator[Sentence]:
    """The library's segments, none of which begins before the one before it has ended."""
    at = 0.0
    for segment in segments:
        words = (
            Word(float(word.start), float(word.end), word.word, float(word.probability)) for word in segment.words or ()
        )
        start = max(at, float(segment.start))
        at = max(start, float(segment.end))
        if segment.text.strip():
            yield Sentence.of(start, at, segment.text, words)


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
