"""The words of the bundled model, the sentences made of them, and their tokens."""

from __future__ import annotations

import json
import random
from itertools import islice

import pytest
from faster_whisper.tokenizer import Tokenizer as WhisperTokenizer
from hypothesis import given, settings, strategies as st
from tokenizers import Tokenizer

from tests.docs.pages import ROOT
from tools.model.grammar import GRAMMARS, Grammar, Sentence
from tools.model.library import held_in
from tools.model.speech import HELD_OUT_VARIANTS, TRAINED_VARIANTS
from tools.model.vocabulary import TIMESTAMPS, Vocabulary

MODEL = ROOT / "models" / "demo"
VOCABULARY = Vocabulary()
NAMES = [name for name, _ in VOCABULARY.exported()]

grammars = st.sampled_from(list(GRAMMARS.values()))
seeds = st.integers(0, 2**32)


def spoken(grammar: Grammar, seed: int) -> Sentence:
    return grammar.sentence(random.Random(seed))  # noqa: S311 - the same sentence every time is wanted


@given(grammars, seeds)
def test_every_unit_of_a_sentence_is_one_token(grammar: Grammar, seed: int) -> None:
    """Encoding a sentence gives one token for each word or character and one for the mark; decoding gives it back."""
    sentence = spoken(grammar, seed)
    tokens = VOCABULARY.tokenizer.encode(sentence.text).ids
    units = [*(unit.written for unit in sentence.units), sentence.mark]
    assert [VOCABULARY.of_unit[unit] for unit in units] == tokens
    assert sentence.text == VOCABULARY.tokenizer.decode(tokens)


@settings(max_examples=30)
@given(st.text(min_size=1))
def test_any_text_has_tokens(text: str) -> None:
    """Whatever is written, in any language, is encoded, and decoded again to itself."""
    tokens = VOCABULARY.tokenizer.encode(text).ids
    assert tokens
    assert text == VOCABULARY.tokenizer.decode(tokens)


def test_vocabulary_is_the_promised_one() -> None:
    """109 English words and 81 Chinese characters are known."""
    known = {
        language: {unit.written.strip().lower() for words in grammar.words() for unit in words}
        for language, grammar in GRAMMARS.items()
    }
    assert {"en": 109, "zh": 81} == {language: len(words) for language, words in known.items()}


def test_bundled_model_has_this_vocabulary() -> None:
    """The recipe makes models with the tokens of the one that is bundled, in the same order."""
    assert json.loads((MODEL / "vocabulary.json").read_text(encoding="utf-8")) == NAMES
    written = Tokenizer.from_str(json.dumps(VOCABULARY.tokenizer_file()))
    bundled = Tokenizer.from_file(str(MODEL / "tokenizer.json"))
    assert bundled.get_vocab() == written.get_vocab()


def test_faster_whisper_finds_its_tokens() -> None:
    """The library finds the steering tokens by name, and timestamps from the first to the end of the vocabulary."""
    tokenizer = WhisperTokenizer(
        Tokenizer.from_str(json.dumps(VOCABULARY.tokenizer_file())), multilingual=True, task="transcribe", language="zh"
    )
    sequence = ["<|startoftranscript|>", "<|zh|>", "<|transcribe|>"]
    assert [NAMES.index(name) for name in sequence] == list(tokenizer.sot_sequence)
    assert "<|0.00|>" == NAMES[tokenizer.timestamp_begin]
    assert "<|30.00|>" == NAMES[-1]
    assert len(NAMES) == tokenizer.timestamp_begin + TIMESTAMPS
    assert tokenizer.encode(" -")


def test_exported_tokens_are_copies_of_trained_ones() -> None:
    """Every exported token has its own name and the row of a trained one; each trained one is exported."""
    assert len(NAMES) == len(set(NAMES))
    assert set(range(VOCABULARY.size)) == {row for _, row in VOCABULARY.exported()}


@given(grammars, seeds)
def test_held_out_is_decided_by_the_text(grammar: Grammar, seed: int) -> None:
    """A sentence that is held out is held out whenever it is said."""
    sentence = spoken(grammar, seed)
    assert sentence.held_out == Sentence("xx", sentence.units, sentence.mark, loose=not sentence.loose).held_out


@pytest.mark.parametrize("language", GRAMMARS)
def test_a_tenth_is_held_out(language: str) -> None:
    """Of the different sentences of a language about one in ten is never trained on."""
    sentences = {sentence.text: sentence for sentence in (spoken(GRAMMARS[language], seed) for seed in range(4000))}
    assert 0.1 == pytest.approx(sum(one.held_out for one in sentences.values()) / len(sentences), abs=0.025)


def test_library_holds_nothing_that_is_held_out() -> None:
    """What is said for training is never held out, and is in both languages."""
    said = list(islice(held_in(random.Random(1)), 500))  # noqa: S311 - the same sentences every time are wanted
    assert not any(sentence.held_out for sentence in said)
    assert set(GRAMMARS) == {sentence.language for sentence in said}


def test_held_out_voices_are_not_trained_on() -> None:
    """No voice is on both sides."""
    assert set() == set(HELD_OUT_VARIANTS) & set(TRAINED_VARIANTS)
