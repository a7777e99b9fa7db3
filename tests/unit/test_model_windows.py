"""What the bundled model is shown: the arithmetic of times, labels, tokens and features."""

from __future__ import annotations

import random
from functools import cache
from itertools import pairwise

import numpy as np
import pytest
from faster_whisper.feature_extractor import FeatureExtractor
from hypothesis import given, settings, strategies as st

from tests.fakes import media
from tools.model.evaluation import NOISE_BELOW_DB, noisy
from tools.model.grammar import GRAMMARS
from tools.model.library import Library, Utterance, labels, mel_power
from tools.model.noise import noises
from tools.model.plan import CHECK, FULL, Plan
from tools.model.speech import RATE, resampled, word_spans
from tools.model.vocabulary import TIMESTAMPS, Vocabulary
from tools.model.windows import MOST_PROMPT, Composer, Look, Placed, Shape, features, script, targets

VOCABULARY = Vocabulary()
MOST_TOKENS = 448
"""Positions of Whisper's decoder."""
TEN_S = Shape(frames=1000)


def utterance(text: str, language: str = "en", duration_s: float = 2.0) -> Utterance:
    """Say something in which every word takes the same time, without a sound."""
    tokens = tuple(VOCABULARY.tokenizer.encode(text).ids)
    borders = np.linspace(0, duration_s, len(tokens)).tolist()
    words = tuple(pairwise(borders))
    return Utterance(
        language=language,
        tokens=tokens,
        words=words,
        log_power=np.zeros((80, round(duration_s * 100)), np.float16),
        duration_s=duration_s,
        phoneme_labels=labels([(1, *span) for span in words], duration_s),
        word_labels=labels([(number, *span) for number, span in enumerate(words, start=1)], duration_s),
    )


@cache
def composer() -> Composer:
    spoken = {
        language: [
            utterance(grammar.sentence(rng).text, language, rng.uniform(0.8, 4.0))
            for rng in map(random.Random, range(30))
        ]
        for language, grammar in GRAMMARS.items()
    }
    return Composer(Library(spoken, phonemes=1), noises(), VOCABULARY)


def names(tokens: tuple[int, ...]) -> list[str]:
    """Write tokens as the exported vocabulary calls them."""
    called = {row: name for name, row in reversed(VOCABULARY.exported())}
    return [called[token] for token in tokens]


# ---------------------------------------------------------------------------------------------
# Times and labels
# ---------------------------------------------------------------------------------------------


def test_words_touch_each_other() -> None:
    """A word lasts until the next one begins, the last one until the end; times count from the beginning."""
    assert ((0.0, 0.5), (0.5, 1.0)) == word_spans([1.0, 1.5], 1.0, 2.0)


def test_words_said_as_one_share_their_time() -> None:
    """A word without a beginning of its own takes an equal part of the time of the word before it."""
    assert ((0.0, 0.25), (0.25, 0.5), (0.5, 0.75)) == word_spans([0.0, None, 0.5], 0.0, 0.75)


def test_the_first_word_begins_with_the_sentence() -> None:
    """A first word without a time, or one that is said to begin in the silence before, begins at zero."""
    assert ((0.0, 0.5), (0.5, 1.0)) == word_spans([None, 1.5], 1.0, 2.0) == word_spans([0.2, 1.5], 1.0, 2.0)


def test_labels_count_fiftieths_of_a_second() -> None:
    """What is said has its number from its start to before its end, at least at one position."""
    assert [0, 7, 7, 8, 0, 0, 0] == labels([(7, 0.02, 0.06), (8, 0.06, 0.065)], 0.1).tolist()


# ---------------------------------------------------------------------------------------------
# Scripts
# ---------------------------------------------------------------------------------------------


def test_a_script_tells_when_each_sentence_is_said() -> None:
    """Start, language and task come first, then each sentence between its times, then the end."""
    placed = [Placed(utterance(" Then."), 0.5), Placed(utterance(" The ship."), 3.0)]
    written = script(VOCABULARY, "en", placed, TEN_S, [], timestamps=True)
    assert [
        *("<|startoftranscript|>", "<|en|>", "<|transcribe|>"),
        *("<|0.50|>", "ĠThen", ".", "<|2.50|>"),
        *("<|3.00|>", "ĠThe", "Ġship", ".", "<|5.00|>"),
        "<|endoftext|>",
    ] == names(written.tokens)


def test_a_script_without_timestamps_says_so() -> None:
    """Then the text alone follows."""
    written = script(VOCABULARY, "zh", [Placed(utterance("我。", "zh"), 0.5)], TEN_S, [], timestamps=False)
    start = ["<|startoftranscript|>", "<|zh|>", "<|transcribe|>", "<|notimestamps|>"]
    assert start == names(written.tokens)[:4]
    assert "我。<|endoftext|>" == VOCABULARY.tokenizer.decode(list(written.tokens[4:-1])) + names(written.tokens)[-1]


def test_a_sentence_that_is_cut_has_only_a_start() -> None:
    """Of what the window does not hold whole nothing is written but when it begins."""
    placed = [Placed(utterance(" Then."), 0.5), Placed(utterance(" The ship."), 9.0, cut=True)]
    assert ["<|2.50|>", "<|9.00|>", "<|endoftext|>"] == names(
        script(VOCABULARY, "en", placed, TEN_S, [], timestamps=True).tokens
    )[-3:]


def test_the_first_timestamp_is_one_second_at_most() -> None:
    """Decoding allows no later one, unless the window is a piece of a longer one."""
    placed = [Placed(utterance(" Then."), 4.0)]
    whole, piece = (
        names(script(VOCABULARY, "en", placed, shape, [], timestamps=True).tokens)
        for shape in (TEN_S, Shape(frames=1000, offset=100))
    )
    assert ("<|1.00|>", "<|6.00|>") == (whole[3], whole[-2])
    assert ("<|6.00|>", "<|8.00|>") == (piece[3], piece[-2])


def test_the_decoder_looks_where_the_word_is() -> None:
    """Each word is looked for where it is said, each timestamp around its moment."""
    placed = [Placed(utterance(" The ship.", duration_s=2.0), 1.0)]
    written = script(VOCABULARY, "en", placed, TEN_S, [], timestamps=True)
    assert (
        Look(token=3, first=47, end=53),
        Look(token=4, first=50, end=100),
        Look(token=5, first=100, end=150),
        Look(token=6, first=142, end=154),
        Look(token=7, first=147, end=153),
    ) == written.looks


def test_earlier_text_is_read_but_not_learned() -> None:
    """Nothing is to follow the tokens of a prompt; after it each token is to be followed by the next."""
    prompt = [VOCABULARY["<|startofprev|>"], VOCABULARY.of_unit[" red"]]
    written = script(VOCABULARY, "en", [], TEN_S, prompt, timestamps=True)
    start, language, task, zero, end = written.tokens[2:]
    assert tuple(prompt) == written.tokens[:2]
    assert [None, None, language, task, zero, end, None] == targets(written, VOCABULARY, silent=False)
    no_speech = VOCABULARY["<|nospeech|>"]
    assert [None, None, no_speech, task, zero, end, None] == targets(written, VOCABULARY, silent=True)
    assert VOCABULARY["<|startoftranscript|>"] == start


# ---------------------------------------------------------------------------------------------
# Windows
# ---------------------------------------------------------------------------------------------

shapes = st.one_of(
    st.builds(Shape, frames=st.just(500), offset=st.integers(0, 249), single=st.booleans()),
    st.builds(Shape, frames=st.sampled_from([1200, 3000]), prompted=st.booleans()),
)


@settings(max_examples=50, deadline=None)
@given(shapes, st.integers(0, 2**32))
def test_any_window_fits_the_network(shape: Shape, seed: int) -> None:
    """Features and labels have the shape that was asked for, times never go back, and looks stay within the sound."""
    window = composer().window(shape, random.Random(seed))  # noqa: S311 - the same window every time is wanted
    assert (80, shape.frames) == window.features.shape
    assert np.isfinite(window.features).all()
    assert not window.features[:, 1000:].any()
    assert (shape.positions,) == window.word_labels.shape == window.phoneme_labels.shape
    tokens = window.script.tokens
    assert len(tokens) <= MOST_TOKENS
    assert window.script.prompt <= MOST_PROMPT + 1
    written = [token for token in tokens[window.script.prompt :] if token >= VOCABULARY.first_timestamp]
    assert sorted(written) == written
    assert all(token < VOCABULARY.first_timestamp + TIMESTAMPS for token in written)
    room = min(shape.positions, 500)
    assert all(0 <= look.first < look.end <= room for look in window.script.looks)


def test_a_seed_decides_all_of_a_window() -> None:
    """The same seed gives the same window, another one another."""
    one, same, other = (composer().window(TEN_S, random.Random(seed)) for seed in (1, 1, 2))  # noqa: S311 - as above
    assert one.script == same.script
    assert np.array_equal(one.features, same.features)
    assert not np.array_equal(one.features, other.features)


def test_features_are_those_of_faster_whisper() -> None:
    """The network learns from exactly what the library will give it."""
    heard = media.sentences("en")[0].pcm.astype(np.float32) / 32768
    power = mel_power(heard)
    expected = FeatureExtractor()(heard, padding=0)
    assert np.array_equal(expected, features(power, power.shape[1] / 100, power.shape[1]))


# ---------------------------------------------------------------------------------------------
# Sounds
# ---------------------------------------------------------------------------------------------


def test_noises_are_equally_loud() -> None:
    """Seven kinds of noise have the same mean power."""
    assert [pytest.approx(1.0)] * 7 == [noise.mean() for noise in noises()]


def test_resampling_keeps_length_and_pitch() -> None:
    """A tone recorded at espeak-ng's rate is as long and as high at ours."""
    times = np.arange(22_050) / 22_050
    tone = resampled((10_000 * np.sin(2 * np.pi * 440 * times)).astype(np.int16), 22_050)
    assert RATE == pytest.approx(len(tone), abs=50)
    assert 440 == pytest.approx(np.argmax(np.abs(np.fft.rfft(tone))) * RATE / len(tone), abs=2)


def test_noise_of_the_evaluation_is_as_loud_as_it_says() -> None:
    """It lies so many decibels below the speech."""
    tone = media.tone(2.0).astype(np.float32) / 32768
    noise = noisy(tone) - tone
    assert NOISE_BELOW_DB == pytest.approx(10 * np.log10((tone**2).mean() / (noise**2).mean()), abs=0.5)


# ---------------------------------------------------------------------------------------------
# The plan
# ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("plan", [FULL, CHECK])
def test_every_step_has_windows(plan: Plan) -> None:
    """Phases follow each other without a gap, and after the last one there is nothing."""
    frames = [plan.batch(step).frames for step in range(plan.steps)]
    assert {batch.frames for phase in plan.phases for batch in phase.batches} == set(frames)
    assert {500} == set(frames[: plan.phases[0].steps])
    with pytest.raises(IndexError):
        plan.batch(plan.steps)


def test_learning_rate_rises_and_falls() -> None:
    """It rises in the first 50 steps to its peak and falls to almost nothing."""
    rates = [FULL.rate(step) for step in range(FULL.steps)]
    assert sorted(rates[:50]) == rates[:50]
    assert sorted(rates[50:], reverse=True) == rates[50:]
    assert FULL.peak_rate == pytest.approx(max(rates), rel=0.01)
    assert FULL.last_rate == pytest.approx(rates[-1], rel=0.01)
