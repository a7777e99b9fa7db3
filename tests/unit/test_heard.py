"""What is made of a model's tokens."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given, strategies as st

from pipeline.core.transcript import Word
from pipeline.engine.heard import TOKEN_S, Heard, Sentence, best_of, split, up_to_last_end

FIRST = 1000
SECONDS = 10.0


def at(seconds: float) -> int:
    """The token of a moment."""
    return FIRST + round(seconds / TOKEN_S)


def sentences(*tokens: int) -> list[tuple[float, float, tuple[int, ...]]]:
    return list(split(tokens, FIRST, SECONDS))


def test_sentences_lie_between_their_timestamps() -> None:
    """Two sentences with a pause between them."""
    assert [(0.0, 2.0, (1, 2)), (2.5, 4.0, (3,))] == sentences(at(0), 1, 2, at(2), at(2.5), 3, at(4))


def test_text_behind_the_last_timestamp_is_kept() -> None:
    """A sentence that the model did not end goes on to the end of the chunk."""
    assert [(0.0, 2.0, (1,)), (2.0, SECONDS, (2,))] == sentences(at(0), 1, at(2), at(2), 2)


def test_text_without_timestamps_is_one_sentence() -> None:
    """A text alone stands for the whole chunk."""
    assert [(0.0, SECONDS, (1, 2))] == sentences(1, 2)


def test_a_text_without_its_end_is_kept_up_to_the_last_end_of_a_sentence() -> None:
    """What is behind it is no whole sentence; without an end of any, nothing is kept."""
    whole = (at(0), 1, at(2), at(2.5), 3, at(4))
    assert (whole, 4.0) == up_to_last_end((*whole, at(4.5), 5), FIRST)
    assert (whole, 4.0) == up_to_last_end((*whole, at(4.5)), FIRST)
    assert (whole, 4.0) == up_to_last_end(whole, FIRST)
    assert ((), 0.0) == up_to_last_end((at(0), 1, 2, 3), FIRST)


@given(st.lists(st.integers(0, FIRST + 1500)))
def test_every_word_is_kept_and_times_never_run_backwards(tokens: Sequence[int]) -> None:
    """Whatever a model writes, each text token comes back once and in order, with times within the chunk."""
    found = sentences(*tokens)
    assert [token for token in tokens if token < FIRST] == [token for _, _, text in found for token in text]
    edges = [edge for start, end, _ in found for edge in (start, end)]
    assert sorted(edges) == edges
    assert all(0 <= edge <= SECONDS for edge in edges)


def heard(text: str, logprob: float = -0.2, no_speech: float = 0.0) -> Heard:
    return Heard((), text, logprob, no_speech)


GOOD, UNLIKELY, REPEATING = heard("a sentence"), heard("a sentence", -1.5), heard("again and " * 40)


def test_a_text_is_doubtful_if_it_is_unlikely_or_repeats_itself() -> None:
    """What is decoded again, and what is not."""
    assert [False, True, True] == [one.is_doubtful for one in (GOOD, UNLIKELY, REPEATING)]


def test_an_unlikely_text_where_hardly_anyone_speaks_is_silence() -> None:
    """It is not decoded again."""
    silence = heard("thank you", -1.5, 0.9)
    assert (True, False) == (silence.is_silence, silence.is_doubtful)


def test_the_best_try_is_the_one_nobody_doubts_or_else_the_likeliest_that_does_not_repeat() -> None:
    """The last try counts if it is good; otherwise repetitions come last."""
    assert best_of([REPEATING, UNLIKELY, GOOD]) is GOOD
    assert best_of([heard("a", -3.0), UNLIKELY, heard("again and " * 40, -0.1)]) is UNLIKELY
    assert best_of([REPEATING, REPEATING]) is REPEATING


times = st.floats(-5, 15)


@given(times, st.floats(0, 5), st.lists(st.tuples(times, times)))
def test_words_follow_each_other_within_their_sentence(
    start: float, length: float, spoken: Sequence[tuple[float, float]]
) -> None:
    """Whatever times are found for words, none lies outside of its sentence or before the word before it."""
    words = [Word(first, last, "word", 1.0) for first, last in spoken]
    sentence = Sentence.of(start, start + length, "", words)
    edges = [sentence.start, *(edge for word in sentence.words for edge in (word.start, word.end)), sentence.end]
    assert sorted(edges) == edges
    assert len(words) == len(sentence.words)


def test_a_sentence_is_moved_with_its_words() -> None:
    """Beginnings and ends may go different ways, but an end never comes before its beginning."""
    sentence = Sentence(1.0, 2.0, "so", (Word(1.0, 2.0, "so", 0.5),))
    assert Sentence(11.0, 12.0, "so", (Word(11.0, 12.0, "so", 0.5),)) == sentence.moved(lambda time_s: time_s + 10)
    assert [20.0, 20.0, "so", [[20.0, 20.0, "so", 0.5]]] == sentence.moved(lambda _: 20.0, lambda _: 12.0).line()
