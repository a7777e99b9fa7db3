"""Models of Whisper's own sizes with random weights, made on the spot: what they compute costs what it costs there.

What they say means nothing, but they say it as real ones do: a chunk is a timestamp, words and a timestamp, ``TOKENS``
in all, and none is doubtful. So that it is so, each place of the decoder's output carries a mark of its own that
outweighs the random rest, and each mark is the weight of the token that is due there. Nothing is fetched; the tokenizer
is made up, with Whisper's order of tokens.
"""

from __future__ import annotations

import hashlib
import json
import math
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from ctranslate2.specs import whisper_spec
from faster_whisper.tokenizer import _LANGUAGE_CODES
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

from benchmarks.figures import ROOT

FOLDER = ROOT / ".cache" / "models"
TOKENS = 48
"""Of every chunk, timestamps included. English speech has some 80 in half a minute, Chinese up to 200."""
PROMPT_TOKENS = 3
"""Start, language, task: behind these the text begins."""
BANDS, FRAMES, SOUND_POSITIONS, TEXT_POSITIONS = 80, 3000, 1500, 448
TEXT_TOKENS = 50_256
LANGUAGES = [code for code in _LANGUAGE_CODES if code != "yue"]
TASKS = ("translate", "transcribe", "startoflm", "startofprev", "nospeech", "notimestamps")
TIMESTAMPS = [f"<|{number / 50:.2f}|>" for number in range(1501)]
STEERING = [f"<|{name}|>" for name in ("endoftext", "startoftranscript", *LANGUAGES, *TASKS)]
# CTranslate2 takes a model whose vocabulary has the empty token for a multilingual one.
EMPTY = ""
SPREAD = 0.02
"""Standard deviation of a weight, as in Whisper's own beginning."""

Spec = Any
"""Some layer as CTranslate2 describes it; its classes have no types."""


@dataclass(frozen=True)
class Size:
    """Whisper's published sizes."""

    width: int
    layers: int
    heads: int


SIZES = {"tiny": Size(384, 4, 6), "base": Size(512, 6, 8)}


def random_model(name: str) -> Path:
    """Return the folder of a model of that size; it is made at the first call, in a second or two."""
    recipe = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()[:8]
    folder = FOLDER / f"random-{name}-{recipe}"
    if not folder.exists():
        FOLDER.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=FOLDER) as unfinished:
            _write(SIZES[name], Path(unfinished) / "model")
            (Path(unfinished) / "model").rename(folder)
    return folder


def _write(size: Size, folder: Path) -> None:
    folder.mkdir()
    words = _words()
    vocabulary = [*words, EMPTY, *STEERING, *TIMESTAMPS]
    spec = _network(size, vocabulary)
    spec.config.suppress_ids = []
    spec.config.suppress_ids_begin = [vocabulary.index(STEERING[0])]
    spec.config.lang_ids = [vocabulary.index(f"<|{language}|>") for language in LANGUAGES]
    spec.config.alignment_heads = [[size.layers - 1, head] for head in range(size.heads)]
    spec.register_vocabulary(vocabulary)
    spec.validate()
    spec.optimize(quantization="int8")
    spec.save(str(folder))
    _tokenizer(words).save(str(folder / "tokenizer.json"))
    sound = {"feature_size": BANDS, "sampling_rate": 16_000, "hop_length": 160, "chunk_length": 30, "n_fft": 400}
    (folder / "preprocessor_config.json").write_text(json.dumps(sound), encoding="utf-8")


def _words() -> list[str]:
    """All bytes, as any tokenizer must have them, and made-up words of five letters."""
    letters = np.array(list("abcdefghijklmnopqrstuvwxyz"))
    numbers = np.random.default_rng(1).permutation(26**5)[: TEXT_TOKENS - 256]
    spelled = letters[numbers[:, np.newaxis] // 26 ** np.arange(5) % 26]
    return [*sorted(pre_tokenizers.ByteLevel.alphabet()), *("Ġ" + "".join(word) for word in spelled)]


def _tokenizer(words: list[str]) -> Tokenizer:
    tokenizer = Tokenizer(models.BPE({word: number for number, word in enumerate([*words, EMPTY])}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(name, special=True, normalized=False) for name in STEERING])
    # A timestamp is no special token: decoding a text must be able to keep it.
    tokenizer.add_tokens([AddedToken(name, special=False, normalized=False) for name in TIMESTAMPS])
    return tokenizer


def _network(size: Size, vocabulary: list[str]) -> Spec:
    draw = _Draw(size.width)
    spec = whisper_spec.WhisperSpec(size.layers, size.heads, size.layers, size.heads)
    encoder, decoder = spec.encoder, spec.decoder
    encoder.conv1.weight, encoder.conv1.bias = draw.weights(size.width, BANDS, 3), draw.zeros(size.width)
    encoder.conv2.weight, encoder.conv2.bias = draw.weights(size.width, size.width, 3), draw.zeros(size.width)
    encoder.position_encodings.encodings = draw.weights(SOUND_POSITIONS, size.width)
    decoder.embeddings.weight = draw.weights(len(vocabulary), size.width)
    decoder.projection.weight = draw.weights(len(vocabulary), size.width)
    decoder.position_encodings.encodings = draw.marks(TEXT_POSITIONS)
    _say(decoder, vocabulary)
    for stack in (encoder, decoder):
        draw.norm(stack.layer_norm)
        for layer in stack.layer:
            draw.norm(layer.self_attention.layer_norm, layer.ffn.layer_norm)
            draw.linear(layer.self_attention.linear[0], 3 * size.width, size.width)
            draw.linear(layer.self_attention.linear[1], size.width, size.width)
            draw.linear(layer.ffn.linear_0, 4 * size.width, size.width)
            draw.linear(layer.ffn.linear_1, size.width, 4 * size.width)
    for layer in decoder.layer:
        draw.norm(layer.attention.layer_norm)
        for linear, parts in zip(layer.attention.linear, (1, 2, 1), strict=True):
            draw.linear(linear, parts * size.width, size.width)
    return spec


def _say(decoder: Spec, vocabulary: list[str]) -> None:
    """Let the mark of each place be the weight of the token that is due there; behind the text it is always the end.

    A sound whose language is asked for is English: that is told at the first place.
    """
    marks, weights = decoder.position_encodings.encodings, decoder.projection.weight
    words = np.random.default_rng(2).integers(256, TEXT_TOKENS, TOKENS - 2)
    text = [vocabulary.index("<|0.00|>"), *map(int, words), vocabulary.index("<|28.00|>")]
    begin, sure = PROMPT_TOKENS - 1, 1 / math.sqrt(marks.shape[1])
    for place, token in enumerate(text, begin):
        weights[token] = sure * marks[place]
    marks[begin + TOKENS :] = marks[-1]
    weights[vocabulary.index(STEERING[0])] = sure * marks[-1]
    weights[vocabulary.index("<|en|>")] = sure * marks[0]


class _Draw:
    """Draws weights of a network of some width, the same ones every time."""

    def __init__(self, width: int) -> None:
        self._rng = np.random.default_rng(0)
        self._width = width

    def weights(self, *shape: int) -> np.ndarray:
        return SPREAD * self._rng.standard_normal(shape, np.float32)

    def marks(self, count: int) -> np.ndarray:
        """Vectors as large as what comes out of a normalization, each nearly at right angles to every other."""
        return self._rng.standard_normal((count, self._width), np.float32)

    @staticmethod
    def zeros(count: int) -> np.ndarray:
        return np.zeros(count, np.float32)

    def norm(self, *norms: Spec) -> None:
        for norm in norms:
            norm.gamma, norm.beta = np.ones(self._width, np.float32), self.zeros(self._width)

    def linear(self, linear: Spec, rows: int, columns: int) -> None:
        linear.weight, linear.bias = self.weights(rows, columns), self.zeros(rows)
