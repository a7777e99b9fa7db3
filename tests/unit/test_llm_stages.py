"""Proofread and summarize with an LLM: what is asked, what is taken, and what happens to the rest."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import pytest

from pipeline.config import Settings
from pipeline.core.products import Artifacts, CleanText, Paragraph, Summary, TranscriptInfo
from pipeline.core.task import LayerState
from pipeline.core.transcript import Segment
from pipeline.llm_failures import LlmAuth, LlmUnavailable
from pipeline.ports import (
    Answer,
    Made,
    Question,
    Reply,
    TooLong,
    Unanswered,
)
from stages._extract import summarize as quote
from stages.proofread import FALLBACK, Proofread
from stages.summarize import FALLBACK as SUMMARY_FALLBACK, Summarize
from tests.fakes.llm import Asked, diligent
from tests.unit.text_lane import KNOWN, Context, asking, texts

SENTENCES = (
    "昨天学生去上海检查了一个新的视频",
    "老师星期五需要关闭所有的水",
    "请大家买一号和九号汽车",
    "这本书很大但是没有什么意思",
    "机器能不能像人一样学习和思考",
    "后来计算机越来越快数据越来越多",
)
SILENCE = Unanswered(LlmUnavailable("m: it is silent"))
EN = replace(KNOWN, transcript=TranscriptInfo("en", "asr", "small", "cpu", 60.0, 3))


def speech(*sentences: str, pause_s: float = 3.0) -> tuple[Segment, ...]:
    """Segments of four seconds each, with pauses between them that end paragraphs."""
    step = 4.0 + pause_s
    return tuple(Segment(place, place * step, place * step + 4.0, text) for place, text in enumerate(sentences))


def asked(question: Question) -> Asked:
    """The question as an endpoint sees it."""
    messages = [{"content": question.system}, {"content": question.user}]
    return Asked({"model": "m", "messages": messages}, None, 0.0)


def helpful(question: Question) -> str:
    """Answer like a diligent model."""
    return diligent(asked(question))


def house(llm: Callable[[Question], Reply | str], *sentences: str, chars: int = 200, **options: object) -> Context:
    """A house with an LLM, in which these sentences were heard."""
    settings = {"base_url": "http://llm.test/v1", "model": "m", "chunk_chars": chars, "min_summary_chars": 1}
    return Context(
        task=asking(**options),
        heard=speech(*sentences),
        settings=Settings.model_validate({"llm": settings}),
        llm=llm,
    )


def layer(made: Made) -> LayerState:
    """How far the stage's layer is."""
    assert made.layer is not None
    return made.layer[1]


def kinds(made: Made) -> list[str]:
    """The types of its warnings."""
    return [warning.type for warning in made.warnings]


# ---------------------------------------------------------------------------------------------
# Proofreading
# ---------------------------------------------------------------------------------------------


def test_proofread_text_is_the_models() -> None:
    """Each paragraph comes back corrected, with the times of its segments, under the model's name."""
    made = Proofread().run(house(helpful, "後臺軟體", "很好用"), KNOWN)
    expected = CleanText((Paragraph(0.0, 4.0, "后台软体。 ✓"), Paragraph(7.0, 11.0, "很好用。 ✓")), by="m")
    assert Made(expected, layer=("proofread", LayerState.DONE)) == made


def test_long_text_goes_in_chunks_side_by_side() -> None:
    """All chunks are asked about at once, each of at most so many characters, and come back in order."""
    context = house(helpful, *SENTENCES * 10)
    made = Proofread().run(context, KNOWN)
    (questions,) = context.rounds
    assert len(questions) == 5
    assert all(len(asked(question).text.replace("\n", "")) <= 200 for question in questions)
    assert [f"{sentence}。 ✓" for sentence in SENTENCES * 10] == texts(made)
    assert sorted(context.reports) == context.reports
    assert 1.0 == context.reports[-1]


def test_answer_in_another_script_is_made_uniform() -> None:
    """A model that answers in traditional characters changes nothing about the wanted script."""
    made = Proofread().run(house(lambda _: "後臺軟體很好用。", "后台软体很好用"), KNOWN)
    assert ["后台软体很好用。"] == texts(made)


def test_new_paragraphs_have_the_times_of_their_words() -> None:
    """Where the model joins or splits paragraphs, each begins and ends with its own words, without gaps or overlaps."""
    said = "One two three four. Five six seven eight.", "Nine ten eleven twelve."
    made = Proofread().run(
        house(lambda _: "One two.\n\nThree four. Five six seven eight, nine ten\n\neleven twelve.", *said), EN
    )
    assert isinstance(made.product, CleanText)
    assert [(0.0, 1.0), (1.0, 9.0), (9.0, 11.0)] == [(one.start, one.end) for one in made.product.paragraphs]


def test_unusable_answer_is_asked_for_once_more() -> None:
    """An answer that lost the text is thrown away; the second one, asked for more strictly, counts."""
    context = house(
        lambda question: helpful(question) if "Keep every single word" in question.system else "不行。", *SENTENCES
    )
    made = Proofread().run(context, KNOWN)
    assert [1, 1] == list(map(len, context.rounds))
    assert (LayerState.DONE, ()) == (layer(made), made.warnings)


@pytest.mark.parametrize("answer", ["抱歉，我不能帮助你。", "", "echo", "half"])
def test_bad_chunk_keeps_its_text(answer: str) -> None:
    """A chunk without a usable answer stays as the offline stage made it, and the layer says which share that is."""

    def reply(question: Question) -> str:
        text = asked(question).text
        bad = {"echo": question.system, "half": text[: len(text) // 2]}.get(answer, answer)
        return bad if SENTENCES[0] in text else helpful(question)

    made = Proofread().run(house(reply, *SENTENCES * 2, *SENTENCES[1:] * 4, chars=210), KNOWN)
    assert LayerState.PARTIAL is layer(made)
    assert [f"{sentence}。" for sentence in SENTENCES * 2] == texts(made)[:12]
    assert {" ✓"} == {text[-2:] for text in texts(made)[14:]}
    assert ["proofread_fallback"] == kinds(made)
    assert made.warnings[0].message.startswith(FALLBACK.message)
    assert "%" in made.warnings[0].message_zh


def test_silent_llm_leaves_the_offline_text() -> None:
    """Where nobody answers, the text is the offline stage's, the layer has failed, and the reason is told once."""
    context = house(lambda _: Unanswered(LlmAuth("m: HTTP 401")), *SENTENCES * 5)
    made = Proofread().run(context, KNOWN)
    offline = Proofread().run(replace(context, settings=Settings()), KNOWN)
    assert offline.product == made.product
    assert LayerState.FAILED is layer(made)
    assert ["llm_auth", "proofread_fallback"] == kinds(made)
    assert "llm.api_key" in made.warnings[0].message
    assert "HTTP" not in made.warnings[0].message


@pytest.mark.parametrize(("heard", "longest", "rounds"), [(12, 1000, 1), (12, 60, 3), (6, 20, 4)])
def test_chunk_that_is_too_long_goes_in_halves(heard: int, longest: int, rounds: int) -> None:
    """A chunk whose answer is cut off is asked about in halves, three times over at most."""

    def reply(question: Question) -> Reply | str:
        return TooLong("m") if len(asked(question).text) > longest else helpful(question)

    sentences = (SENTENCES * 2)[:heard]
    context = house(reply, *sentences)
    made = Proofread().run(context, KNOWN)
    assert rounds == len(context.rounds)
    assert [f"{sentence}。 ✓" for sentence in sentences] == texts(made)
    assert LayerState.DONE is layer(made)


def test_chunk_that_stays_too_long_keeps_its_text() -> None:
    """When the third halving does not help, the text stays as it was; when there is one segment, at once."""
    made = Proofread().run(house(lambda _: TooLong("m"), *SENTENCES * 4), KNOWN)
    assert [f"{sentence}。" for sentence in SENTENCES * 4] == texts(made)
    assert (LayerState.FAILED, ["proofread_fallback"]) == (layer(made), kinds(made))
    alone = house(lambda _: TooLong("m"), SENTENCES[0])
    Proofread().run(alone, KNOWN)
    assert 1 == len(alone.rounds)


def test_models_that_answered_are_named() -> None:
    """Where a second model helped out, both stand in the text's ``by``."""

    def reply(question: Question) -> Reply:
        return Answer(helpful(question), "first" if SENTENCES[0] in asked(question).text else "second")

    made = Proofread().run(house(reply, *SENTENCES * 2, *SENTENCES[1:] * 4), KNOWN)
    assert isinstance(made.product, CleanText)
    assert "first, second" == made.product.by


@pytest.mark.parametrize(
    ("heard", "options", "state"),
    [((), {}, LayerState.SKIPPED_SHORT), (("♪ ♪",), {}, LayerState.DONE), (SENTENCES, {"proofread": False}, None)],
)
def test_nothing_is_asked_for_nothing(
    heard: tuple[str, ...], options: dict[str, object], state: LayerState | None
) -> None:
    """No LLM is asked about silence, music, or where nobody wants it."""
    context = house(helpful, *heard, **options)
    made = Proofread().run(context, KNOWN)
    assert [] == context.rounds
    assert state is (made.layer and made.layer[1])


# ---------------------------------------------------------------------------------------------
# Summarizing
# ---------------------------------------------------------------------------------------------


def known(*paragraphs: str) -> Artifacts:
    """A video with this text."""
    return replace(KNOWN, proofread=CleanText(tuple(Paragraph(0.0, 1.0, text) for text in paragraphs), by="m"))


LONG = known(*[f"{sentence}。{number}" for number in range(60) for sentence in SENTENCES])


def test_short_text_is_summarized_at_once() -> None:
    """A text of one chunk is one question, about the whole."""
    context = house(helpful)
    made = Summarize().run(context, known(*[f"{sentence}。" for sentence in SENTENCES]))
    expected = "\n".join(f"• {sentence}。" for sentence in SENTENCES[::2])
    assert Made(Summary(expected, by="m"), layer=("summary", LayerState.DONE)) == made
    assert [1] == list(map(len, context.rounds))
    assert "You summarize a text" in context.rounds[0][0].system


def test_long_text_is_read_to_its_end() -> None:
    """Notes are taken on every part, in as many rounds as it takes; the summary is made of the last notes."""
    context = house(helpful)
    made = Summarize().run(context, LONG)
    assert LayerState.DONE is layer(made)
    first, *_, last = context.rounds
    assert len(first) > 10
    assert "".join(LONG.proofread.text.split()) == "".join("".join(asked(one).text for one in first).split())
    assert 1 == len(last)
    assert "You summarize a text" in last[0].system
    assert all("You take notes" in one.system for questions in context.rounds[:-1] for one in questions)
    assert all(one < other for one, other in pairwise(sorted(set(context.reports))))
    assert max(context.reports) <= 1.0


def test_part_without_notes_is_quoted() -> None:
    """A part on which no notes could be taken is represented by sentences of its own; the layer is partial."""
    unlucky = f"{SENTENCES[0]}。0"

    def reply(question: Question) -> Reply | str:
        return SILENCE if unlucky in asked(question).text and "notes" in question.system else helpful(question)

    context = house(reply)
    made = Summarize().run(context, LONG)
    quoted = quote(asked(context.rounds[0][0]).text)
    assert quoted in asked(context.rounds[1][0]).text
    assert LayerState.PARTIAL is layer(made)
    assert ["llm_unavailable", "summary_fallback"] == kinds(made)
    assert isinstance(made.product, Summary)
    assert "m" == made.product.by


@pytest.mark.parametrize("purpose", ["You take notes", "You summarize a text"])
@pytest.mark.parametrize("bad", [SILENCE, "无法总结。", TooLong("m")])
def test_failed_summary_is_the_offline_one(purpose: str, bad: Reply | str) -> None:
    """Where there are no notes at all, or no summary of them, the text is quoted and the layer has failed."""
    context = house(lambda question: bad if purpose in question.system else helpful(question))
    made = Summarize().run(context, LONG)
    assert Summary(quote(LONG.proofread.text), by="offline") == made.product
    assert LayerState.FAILED is layer(made)
    assert SUMMARY_FALLBACK == made.warnings[-1]


@pytest.mark.parametrize(("options", "characters"), [({"summarize": False}, 900), ({}, 0)])
def test_no_summary_is_asked_for(options: dict[str, object], characters: int) -> None:
    """Nobody is asked where no summary is wanted or there is no text."""
    context = house(helpful, **options)
    Summarize().run(context, known("字" * characters))
    assert [] == context.rounds


def test_glossary_reaches_every_question() -> None:
    """The terms of the configuration are in the orders of both stages."""
    context = house(helpful, *SENTENCES)
    llm = context.settings.llm.model_copy(update={"glossary": ("WeCom",)})
    context.settings = context.settings.model_copy(update={"llm": llm})
    Proofread().run(context, KNOWN)
    Summarize().run(context, known("字" * 900))
    assert all("WeCom" in question.system for questions in context.rounds for question in questions)
    assert {"proofread", "summary"} == {question.purpose for questions in context.rounds for question in questions}
