"""Conversion: from a checkpoint to the folder that ``faster_whisper.WhisperModel`` loads."""

from __future__ import annotations

import copy
import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import ctranslate2
import numpy as np
import torch
from ctranslate2.specs import whisper_spec
from torch import nn

from tools.model.library import BANDS
from tools.model.network import (
    DECODER_LAYERS,
    ENCODER_LAYERS,
    GUIDED_HEADS,
    HEADS,
    SOURCE_POSITIONS,
    Attention,
    Layer,
    Network,
)
from tools.model.speech import RATE
from tools.model.vocabulary import END, START, Vocabulary, language_token
from tools.model.windows import SOUND_S

Spec = Any
"""Some layer as CTranslate2 describes it; its classes have no types."""


def convert(network: Network, vocabulary: Vocabulary, folder: Path) -> None:
    """Write the model with weights of 8 bits, in place of what was in the folder."""
    names = [name for name, _ in vocabulary.exported()]
    # Of a copy, since CTranslate2 rounds weights where they lie.
    spec = _network(copy.deepcopy(network), [number for _, number in vocabulary.exported()])
    spec.config.suppress_ids = []
    spec.config.suppress_ids_begin = [names.index(END)]
    spec.config.lang_ids = [names.index(language_token(language)) for language in vocabulary.languages]
    spec.config.alignment_heads = [list(head) for head in GUIDED_HEADS]
    spec.register_vocabulary(names)
    spec.validate()
    spec.optimize(quantization="int8")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    spec.save(str(folder))
    _write(folder / "tokenizer.json", vocabulary.tokenizer_file())
    _write(
        folder / "preprocessor_config.json",
        {
            "feature_size": BANDS,
            "sampling_rate": RATE,
            "hop_length": 160,
            "chunk_length": SOUND_S,
            "n_fft": 400,
            "feature_extractor_type": "WhisperFeatureExtractor",
        },
    )
    # CTranslate2 wrote a list with a line for each token; without white space it is a third smaller.
    written = folder / "vocabulary.json"
    _write(written, json.loads(written.read_text(encoding="utf-8")))
    sums = [f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.name}\n" for file in sorted(folder.iterdir())]
    (folder / "SHA256SUMS").write_text("".join(sums), encoding="utf-8")


@torch.no_grad()
def difference(network: Network, vocabulary: Vocabulary, folder: Path) -> float:
    """Compare what a converted model and the network make of the same noise.

    Returns:
        The largest difference of two numbers: of the encoded sound, relative to the largest one there, or of the
        probability of a language.
    """
    model = ctranslate2.models.Whisper(str(folder), compute_type="float32")
    features = np.random.default_rng(0).standard_normal((1, BANDS, 2 * SOURCE_POSITIONS), np.float32)
    encoded = model.encode(ctranslate2.StorageView.from_array(features))
    sound = network.encoder(torch.from_numpy(features))
    thought, _ = network.decoder(torch.tensor([[vocabulary[START]]]), sound)
    scores = network.decoder.scores(thought)[0, 0]
    likely = torch.softmax(scores[[vocabulary[language_token(language)] for language in vocabulary.languages]], 0)
    heard = dict(model.detect_language(encoded)[0])
    languages = [heard[language_token(language)] for language in vocabulary.languages]
    return max(
        (np.abs(np.asarray(encoded) - sound.numpy()).max() / sound.abs().max()).item(),
        (likely - torch.tensor(languages)).abs().max().item(),
    )


def _write(file: Path, content: Any) -> None:  # noqa: ANN401 - any JSON
    file.write_text(json.dumps(content, ensure_ascii=False, separators=(",", ":")), encoding="utf-8")


@torch.no_grad()
def _network(network: Network, rows: list[int]) -> Spec:
    """Describe the network; each exported token takes the row of the one here that it is a copy of."""
    spec = whisper_spec.WhisperSpec(ENCODER_LAYERS, HEADS, DECODER_LAYERS, HEADS)
    encoder, decoder = network.encoder, network.decoder
    _linear(spec.encoder.conv1, encoder.conv1)
    _linear(spec.encoder.conv2, encoder.conv2)
    spec.encoder.position_encodings.encodings = encoder.positions
    _norm(spec.encoder.layer_norm, encoder.norm)
    for described, layer in zip(spec.encoder.layer, encoder.layers, strict=True):
        _layer(described, layer)
    spec.decoder.embeddings.weight = spec.decoder.projection.weight = decoder.tokens.weight[rows].clone()
    spec.decoder.position_encodings.encodings = decoder.positions.weight
    _norm(spec.decoder.layer_norm, decoder.norm)
    for described, layer in zip(spec.decoder.layer, decoder.layers, strict=True):
        _layer(described, layer)
        look = layer.look_attention
        _norm(described.attention.layer_norm, layer.look_norm)
        _fused(described.attention.linear[0], look.query)
        _fused(described.attention.linear[1], look.key, look.value)
        _linear(described.attention.linear[2], look.out)
    return spec


def _layer(described: Spec, layer: Layer) -> None:
    """Describe what layers of the encoder and of the decoder have in common."""
    attention: Attention = layer.attention
    _norm(described.self_attention.layer_norm, layer.attention_norm)
    _fused(described.self_attention.linear[0], attention.query, attention.key, attention.value)
    _linear(described.self_attention.linear[1], attention.out)
    _norm(described.ffn.layer_norm, layer.norm)
    _linear(described.ffn.linear_0, layer.widen)
    _linear(described.ffn.linear_1, layer.narrow)


def _norm(described: Spec, norm: nn.LayerNorm) -> None:
    described.gamma, described.beta = norm.weight, norm.bias


def _linear(described: Spec, linear: nn.Linear | nn.Conv1d) -> None:
    described.weight, described.bias = linear.weight, linear.bias


def _fused(described: Spec, *parts: nn.Linear) -> None:
    """Describe several as one; what has no bias (the keys) gets one of zeros."""
    described.weight = torch.cat([part.weight for part in parts])
    described.bias = torch.cat([torch.zeros(part.out_features) if part.bias is None else part.bias for part in parts])
