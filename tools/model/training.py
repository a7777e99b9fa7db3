"""Training: what is heard, what is written, and where to look, all at once.

A Whisper learns from pairs of sound and text alone, which takes it weeks. Here the synthesizer tells more: the encoder
is also taught which phoneme and which word is said at each moment, and four heads of the decoder where in the sound
the next token is. That makes minutes of it.

A step draws everything from its own number, so that a run that was interrupted goes on as if it had not been.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from tools.model.network import GUIDED_HEADS, Network
from tools.model.plan import Batch, Plan
from tools.model.vocabulary import END, TIMESTAMPS, Vocabulary
from tools.model.windows import SOUND_S, Composer, Shape, Window, targets

IGNORED = -100
"""The target of a position where nothing is to be learned."""
WHOLE_WINDOW = SOUND_S * 100
"""Frames from which on a window is what faster-whisper makes, not a piece of it."""
PROMPTED_SHARE = 0.5
SMEAR = (0.03, 0.09, 0.22, 0.32, 0.22, 0.09, 0.03)
"""How the weight of a timestamp is shared with its neighbors: one fiftieth of a second beside it is hardly wrong."""
REPORT_EVERY = 20


@dataclass(frozen=True, eq=False)
class Examples:
    """Windows as tensors."""

    features: Tensor
    """[batch, 80, frames]"""
    tokens: Tensor
    """[batch, length]"""
    targets: Tensor
    """[batch, length]: what follows each token, or ``IGNORED``."""
    looks: Tensor
    """[batch, length, positions]: where to look to predict what follows each token."""
    phonemes: Tensor
    """[batch, positions]"""
    words: Tensor
    """[batch, positions]"""
    offset: int


@dataclass(frozen=True, eq=False)
class Losses:
    """What a step is judged by."""

    tokens: Tensor
    phonemes: Tensor
    words: Tensor
    looks: Tensor
    right: float
    """Share of words, characters and marks that were predicted, given all tokens before."""

    def total(self, progress: float) -> Tensor:
        """Weigh them; what the synthesizer tells counts half once it is mostly learned."""
        told = 1.0 if progress < 0.5 else 0.5
        return self.tokens + told * (0.7 * self.phonemes + 0.7 * self.words + 0.4 * self.looks)


class Trainer:
    """A network, its optimizers, and how far they are."""

    def __init__(self, plan: Plan, composer: Composer, vocabulary: Vocabulary, phonemes: int) -> None:
        """Start at step 0."""
        torch.manual_seed(plan.seed)
        torch.set_num_threads(plan.threads)
        self._plan = plan
        self._composer = composer
        self.vocabulary = vocabulary
        self.network = Network(vocabulary, phonemes)
        self.step = 0
        # Muon for the matrices inside layers, AdamW for the rest.
        inside = {name for name, weight in self.network.named_parameters() if weight.ndim == 2 and ".layers." in name}
        weights = dict(self.network.named_parameters())
        self._optimizers: tuple[torch.optim.Optimizer, ...] = (
            torch.optim.Muon(
                [weights[name] for name in weights if name in inside],
                weight_decay=0.01,
                momentum=0.95,
                adjust_lr_fn="match_rms_adamw",
            ),
            torch.optim.AdamW(
                [weights[name] for name in weights if name not in inside], betas=(0.9, 0.98), weight_decay=0.01
            ),
        )

    def load(self, checkpoint: Path) -> None:
        """Go on from a checkpoint."""
        saved = torch.load(checkpoint)
        self.network.load_state_dict(saved["network"])
        for optimizer, state in zip(self._optimizers, saved["optimizers"], strict=True):
            optimizer.load_state_dict(state)
        self.step = saved["step"]

    def save(self, checkpoint: Path) -> None:
        """Write a checkpoint, whole or not at all."""
        state: dict[str, Any] = {
            "network": self.network.state_dict(),
            "optimizers": [optimizer.state_dict() for optimizer in self._optimizers],
            "step": self.step,
        }
        unfinished = checkpoint.with_suffix(".part")
        torch.save(state, unfinished)
        unfinished.replace(checkpoint)

    def advance(self) -> Losses:
        """Take one step."""
        rng = random.Random(f"{self._plan.seed} {self.step}")
        batch = self._plan.batch(self.step)
        losses = self._losses(self._examples(batch, rng))
        for optimizer in self._optimizers:
            for group in optimizer.param_groups:
                group["lr"] = self._plan.rate(self.step)
            optimizer.zero_grad()
        losses.total(self._plan.progress(self.step)).backward()
        nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        for optimizer in self._optimizers:
            optimizer.step()
        self.step += 1
        return losses

    def _examples(self, batch: Batch, rng: random.Random) -> Examples:
        """Compose the windows of a step; those that are pieces begin anywhere in the first 10 s, as far as told."""
        whole = batch.frames >= WHOLE_WINDOW
        prompted = whole and rng.random() < PROMPTED_SHARE
        latest = SOUND_S * 50 - batch.frames // 2
        offset = 0 if whole or rng.random() < 0.3 else rng.randrange(latest)
        # A prompt takes time to read: fewer windows keep such a step as short as the others.
        count = max(2, batch.windows * 3 // 4) if prompted else batch.windows
        shapes = [Shape(batch.frames, offset, prompted, single=not whole and rng.random() < 0.4) for _ in range(count)]
        return examples([self._composer.window(shape, rng) for shape in shapes], self.vocabulary, offset)

    def _losses(self, given: Examples) -> Losses:
        """Compare what the network makes of examples with what it should; it computes in 16 bits, which is faster."""
        learned = given.targets != IGNORED
        with torch.autocast("cpu", torch.bfloat16):
            sound = self.network.encoder(given.features, given.offset)
            thought, looks = self.network.decoder(given.tokens, sound)
            scores = self.network.decoder.scores(thought[learned])
            phonemes, words = self.network.phonemes(sound), self.network.words(sound)
        tokens, right = token_loss(scores.float(), given.targets[learned], self.vocabulary.first_timestamp)
        return Losses(
            tokens=tokens,
            phonemes=functional.cross_entropy(phonemes.float().flatten(0, 1), given.phonemes.flatten()),
            words=functional.cross_entropy(words.float().flatten(0, 1), given.words.flatten()),
            looks=look_loss([looks[layer][:, head] for layer, head in GUIDED_HEADS], given.looks),
            right=right,
        )


def train(trainer: Trainer, plan: Plan, checkpoint: Path) -> None:
    """Take all steps that are left of the plan, and save now and then."""
    if checkpoint.exists():
        trainer.load(checkpoint)
        print(f"  {trainer.step} of {plan.steps} steps were done before")
    began, first = time.monotonic(), trainer.step
    for losses in _steps(trainer, plan):
        if trainer.step % plan.save_every == 0 or trainer.step == plan.steps:
            trainer.save(checkpoint)
        # Every kind of batch is reported, not always the same one.
        if trainer.step % REPORT_EVERY < 4 or trainer.step == plan.steps:
            each_s = (time.monotonic() - began) / (trainer.step - first)
            print(f"  {_report(trainer.step, plan, losses)}, {each_s:.2f} s a step", flush=True)


def _steps(trainer: Trainer, plan: Plan) -> Iterator[Losses]:
    while trainer.step < plan.steps:
        yield trainer.advance()


def _report(step: int, plan: Plan, losses: Losses) -> str:
    told = ", ".join(
        f"{field.name} {getattr(losses, field.name).item():.3f}" for field in fields(Losses) if field.name != "right"
    )
    return f"step {step} of {plan.steps}, {plan.batch(step - 1).frames} frames: {told}, {losses.right:.0%} right"


def examples(windows: list[Window], vocabulary: Vocabulary, offset: int) -> Examples:
    """Put windows of one shape into tensors."""
    length = max(len(window.script.tokens) for window in windows)
    tokens = torch.full((len(windows), length), vocabulary[END])
    after = torch.full((len(windows), length), IGNORED)
    looks = torch.zeros(len(windows), length, windows[0].features.shape[1] // 2, dtype=torch.bool)
    for row, window in enumerate(windows):
        script = window.script
        tokens[row, : len(script.tokens)] = torch.tensor(script.tokens)
        wanted = targets(script, vocabulary, silent=window.silent)
        after[row, : len(wanted)] = torch.tensor([IGNORED if token is None else token for token in wanted])
        for look in script.looks:
            looks[row, look.token - 1, look.first : look.end] = True
    return Examples(
        features=_stacked([window.features for window in windows]),
        tokens=tokens,
        targets=after,
        looks=looks,
        phonemes=_stacked([window.phoneme_labels for window in windows]),
        words=_stacked([window.word_labels for window in windows]),
        offset=offset,
    )


def _stacked(arrays: list[Any]) -> Tensor:
    return torch.from_numpy(np.stack(arrays))


def token_loss(scores: Tensor, wanted: Tensor, first_timestamp: int) -> tuple[Tensor, float]:
    """Judge predictions, [tokens, vocabulary]; returns also the share of words predicted right."""
    likely = torch.log_softmax(scores, -1)
    loss = -likely.gather(1, wanted[:, None])[:, 0]
    is_time = wanted >= first_timestamp
    smear = torch.tensor(SMEAR)
    beside = torch.arange(len(SMEAR)) - len(SMEAR) // 2
    near = (wanted[is_time, None] + beside).clamp(first_timestamp, first_timestamp + TIMESTAMPS - 1)
    loss[is_time] = -(likely[is_time].gather(1, near) * smear).sum(1)
    right = (likely.argmax(1) == wanted)[~is_time].float().mean().item()
    return loss.mean(), right


def look_loss(weights: list[Tensor], wanted: Tensor) -> Tensor:
    """Judge where heads look, [batch, length, positions] each: how little of it is where it should be."""
    guided = wanted.any(-1)
    inside = [(each.float() * wanted).sum(-1)[guided] for each in weights]
    return torch.stack([-torch.log(share + 1e-5).mean() for share in inside]).mean()
