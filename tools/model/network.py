"""Whisper's network, small: its architecture to the letter, so that CTranslate2 runs the weights unchanged."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

from tools.model.library import BANDS
from tools.model.vocabulary import TIMESTAMPS

if TYPE_CHECKING:
    from tools.model.vocabulary import Vocabulary

WIDTH = 96
HEADS = 3
ENCODER_LAYERS = 4
DECODER_LAYERS = 3
SOURCE_POSITIONS = 1500
TARGET_POSITIONS = 448
GUIDED_HEADS = ((1, 0), (1, 1), (2, 0), (2, 1))
"""Layer and head of the decoder's looks at the sound that are taught where to look; word times are read off them."""


class Attention(nn.Module):
    """Attention of several heads."""

    def __init__(self) -> None:
        """Start with the weights that ``Network`` draws."""
        super().__init__()
        self.query = nn.Linear(WIDTH, WIDTH)
        self.key = nn.Linear(WIDTH, WIDTH, bias=False)
        self.value = nn.Linear(WIDTH, WIDTH)
        self.out = nn.Linear(WIDTH, WIDTH)

    def forward(self, x: Tensor, memory: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Attend from one sequence to another, [batch, length, width] each.

        In steps, since on a CPU that takes half the time of torch's own function for small heads in 16 bits.

        Args:
            x: what attends.
            memory: what it attends to.
            mask: what is added to the scores, [length of ``x``, length of ``memory``].

        Returns:
            What it found, and the weights, [batch, heads, length of ``x``, length of ``memory``].
        """
        scores = _split(self.query(x) * (WIDTH // HEADS) ** -0.5) @ _split(self.key(memory)).transpose(-1, -2)
        weights = _softmax(scores if mask is None else scores + mask)
        return self.out(_joined(weights @ _split(self.value(memory)))), weights


class Layer(nn.Module):
    """One layer of the encoder."""

    def __init__(self) -> None:
        """Start with the weights that ``Network`` draws."""
        super().__init__()
        self.attention_norm = nn.LayerNorm(WIDTH)
        self.attention = Attention()
        self.norm = nn.LayerNorm(WIDTH)
        self.widen = nn.Linear(WIDTH, 4 * WIDTH)
        self.narrow = nn.Linear(4 * WIDTH, WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        """Attend, then think."""
        normal = self.attention_norm(x)
        return self.think(x + self.attention(normal, normal)[0])

    def think(self, x: Tensor) -> Tensor:
        """Pass each position through the feed-forward part."""
        return x + self.narrow(functional.gelu(self.widen(self.norm(x))))


class DecoderLayer(Layer):
    """One layer of the decoder: it also looks at the sound."""

    def __init__(self) -> None:
        """Start with the weights that ``Network`` draws."""
        super().__init__()
        self.look_norm = nn.LayerNorm(WIDTH)
        self.look_attention = Attention()

    def decode(self, x: Tensor, sound: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Attend, look, then think; returns also where it looked."""
        normal = self.attention_norm(x)
        x = x + self.attention(normal, normal, mask)[0]
        seen, weights = self.look_attention(self.look_norm(x), sound)
        return self.think(x + seen), weights


class Encoder(nn.Module):
    """From features to encoded sound."""

    def __init__(self) -> None:
        """Start with the weights that ``Network`` draws."""
        super().__init__()
        self.conv1 = nn.Conv1d(BANDS, WIDTH, 3, padding=1)
        self.conv2 = nn.Conv1d(WIDTH, WIDTH, 3, stride=2, padding=1)
        self.register_buffer("positions", sinusoids(SOURCE_POSITIONS))
        self.layers = nn.ModuleList(Layer() for _ in range(ENCODER_LAYERS))
        self.norm = nn.LayerNorm(WIDTH)

    def forward(self, features: Tensor, offset: int = 0) -> Tensor:
        """Encode [batch, 80, frames] as [batch, frames / 2, width], from this position on."""
        x = functional.gelu(self.conv1(features))
        x = functional.gelu(self.conv2(x)).transpose(1, 2)
        x = x + self.positions[offset : offset + x.shape[1]]
        for layer in self.layers:
            x = layer(x)
        return self.norm(x)


class Decoder(nn.Module):
    """From tokens and encoded sound to the next token."""

    def __init__(self, vocabulary_size: int) -> None:
        """Start with the weights that ``Network`` draws."""
        super().__init__()
        self.tokens = nn.Embedding(vocabulary_size, WIDTH)
        self.positions = nn.Embedding(TARGET_POSITIONS, WIDTH)
        self.layers = nn.ModuleList(DecoderLayer() for _ in range(DECODER_LAYERS))
        self.norm = nn.LayerNorm(WIDTH)

    def forward(self, tokens: Tensor, sound: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Think about what follows each token, [batch, length, width]; returns also where each layer looked."""
        length = tokens.shape[1]
        x = self.tokens(tokens) + self.positions.weight[:length]
        mask = torch.full((length, length), -math.inf, dtype=x.dtype).triu(1)
        looks = []
        for layer in self.layers:
            x, weights = layer.decode(x, sound, mask)
            looks.append(weights)
        return self.norm(x), looks

    def scores(self, thought: Tensor) -> Tensor:
        """Score every token as the next one, [..., vocabulary]."""
        return thought @ self.tokens.weight.T


class Network(nn.Module):
    """Encoder, decoder, and two readers of the encoder that only training uses."""

    def __init__(self, vocabulary: Vocabulary, phonemes: int) -> None:
        """Draw the weights at which training starts."""
        super().__init__()
        self.encoder = Encoder()
        self.decoder = Decoder(vocabulary.size)
        self.phonemes = nn.Linear(WIDTH, phonemes + 1)
        """Which phoneme is said at each position; 0 is none."""
        self.words = nn.Linear(WIDTH, vocabulary.first_timestamp + 1)
        """Which word is said at each position, its token plus 1; 0 is none."""
        for module in self.modules():
            if isinstance(module, nn.Linear | nn.Conv1d | nn.Embedding):
                nn.init.normal_(module.weight, std=0.05 if module is self.decoder.tokens else 0.02)
            if isinstance(module, nn.Linear | nn.Conv1d) and module.bias is not None:
                nn.init.zeros_(module.bias)
        with torch.no_grad():
            # A timestamp starts out as the position that it names: 1,500 tokens that need not be learned one by one.
            times = sinusoids(SOURCE_POSITIONS)[torch.arange(TIMESTAMPS).clamp(max=SOURCE_POSITIONS - 1)]
            self.decoder.tokens.weight[vocabulary.first_timestamp :] = 0.06 * times


def sinusoids(length: int) -> Tensor:
    """Return Whisper's codes of positions, [length, width]."""
    half = WIDTH // 2
    rates = torch.exp(-math.log(10_000) / (half - 1) * torch.arange(half))
    angles = torch.arange(length)[:, None] * rates
    return torch.cat([angles.sin(), angles.cos()], dim=1)


def _softmax(scores: Tensor) -> Tensor:
    """Turn scores into weights in the precision that they have; autocast would take 32 bits, and twice the time."""
    with torch.autocast("cpu", enabled=False):
        return torch.softmax(scores, -1)


def _split(x: Tensor) -> Tensor:
    """Give each head its part: [batch, heads, length, width of a head]."""
    batch, length, _ = x.shape
    return x.view(batch, length, HEADS, WIDTH // HEADS).transpose(1, 2)


def _joined(x: Tensor) -> Tensor:
    return x.transpose(1, 2).flatten(2)
