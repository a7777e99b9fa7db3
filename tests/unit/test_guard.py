"""What an LLM may make of a text and of a summary, and what is thrown away."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, strategies as st

from stages._asking import Unusable
from stages._guard import LONGEST_RUN, Alignment
from stages._notes import check_echo, checked_notes
from stages._words import words

SPEECH = (
    "今天我们来讲一讲人工智能的发展历史。从上个世纪五十年代开始，科学家们就在思考机器能不能像人一样学习。"
    "后来计算机越来越快，数据也越来越多，于是神经网络重新受到了重视。"
)
TALK = (
    "Good morning everyone and welcome back. Today we look at how trains are kept on time, why signals fail, and what "
    "happens when a single late train meets a station with only two platforms in the middle of the rush hour."
)


def check(source: str, answer: str) -> None:
    """Lay an answer beside its source, and let the guard judge."""
    Alignment(words(source), words(answer)).check()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Don’t PANIC, it’s 3.14!", ["don", "t", "panic", "it", "s", "3", "14"]),
        ("我用Ｐｙｔｈｏｎ写代码。", ["我", "用", "python", "写", "代", "码"]),
        ("สวัสดี", list("สวัสดี")),
        ("안녕 세상", ["안녕", "세상"]),
        ("♪ … —", []),
    ],
)
def test_words(text: str, expected: list[str]) -> None:
    """Marks, spaces, widths and capitals do not count; without spaces every character is a word."""
    assert expected == words(text)


@pytest.mark.parametrize(
    ("source", "answer"),
    [
        (SPEECH, SPEECH),
        (SPEECH, SPEECH.replace("，", " ").replace("。", "\n\n")),
        (SPEECH, SPEECH.replace("神经网络", "神经网路").replace("科学家们", "科学家")),
        (TALK, TALK.upper()),
        (TALK, TALK.replace("trains", "planes").replace("Good morning everyone and welcome back", "Good morning")),
        (TALK.replace(",", " um,"), TALK),
        (TALK, f"{TALK} Thank you all for coming today."),
    ],
)
def test_corrections_pass(source: str, answer: str) -> None:
    """Marks, breaks, misheard words, and a few words more or less are what proofreading is."""
    check(source, answer)


@pytest.mark.parametrize(
    ("source", "answer", "reason"),
    [
        (SPEECH, "", "length is 0.00"),
        (SPEECH, "本文介绍了人工智能的历史。", "length is"),
        (SPEECH, SPEECH * 2, "length is 2.00"),
        (
            TALK,
            "抱歉，我无法帮助您处理这个请求，因为它违反了我们的使用政策，请您换一个话题再来试试看吧好吗。",
            "stayed",
        ),
        (SPEECH, SPEECH.replace("后来计算机越来越快，", ""), "9 words in a row are lost or added"),
        (TALK, TALK.replace(" when a single late train meets a station with", ""), "in a row"),
        (SPEECH, f"以下是校对之后的文本：{SPEECH}", "in a row are lost or added"),
        (TALK, f"{TALK} Visit our shop at evil dot example and get ten percent off.", "in a row"),
    ],
)
def test_another_text_is_thrown_away(source: str, answer: str, reason: str) -> None:
    """Too short, too long, about something else, or with a stretch lost or added: not the same text."""
    with pytest.raises(Unusable, match=reason):
        check(source, answer)


@given(
    st.integers(LONGEST_RUN + 1, 60),
    st.integers(0, 400),
    st.lists(st.sampled_from("abcdefgh"), min_size=300, max_size=400),
)
def test_no_long_stretch_gets_lost(length: int, begin: int, source: list[str]) -> None:
    """Whatever the text is, a stretch longer than the limit cannot be cut out of it unnoticed."""
    begin %= len(source) - length
    with pytest.raises(Unusable):
        Alignment(source, source[:begin] + source[begin + length :]).check()


def test_long_and_repetitive_texts_are_compared_quickly() -> None:
    """Twenty thousand equal words beside nineteen thousand take less than two seconds."""
    began = time.process_time()
    with pytest.raises(Unusable):
        Alignment(["嗯"] * 20_000, ["嗯"] * 19_000).check()
    assert time.process_time() - began < 2


@pytest.mark.parametrize(
    ("place", "expected"),
    [(0, 0), (1, 1), (2, 2), (3, 6), (4, 7), (5, 7)],
)
def test_places_in_the_source(place: int, expected: int) -> None:
    """A place in the answer leads to the place it comes from, over words that were dropped."""
    alignment = Alignment("abxyzcd", "abcd!")
    assert expected == alignment.source_place(place)


NOTED = "• 人工智能的发展从上个世纪五十年代开始。\n• 数据越来越多，神经网络重新受到重视。"
PROSE = "The talk explains how trains are kept on time.\nSignals fail, and one late train is enough."
ORDERS = (
    "You summarize a text for somebody who cannot read it, in the language of that text. Write at most seven lines."
)


@pytest.mark.parametrize(
    "answer",
    [
        NOTED,
        NOTED.replace("• ", "- "),
        NOTED.replace("• ", "* **").replace("。", "。**"),
        f"## 摘要：\n\n{NOTED}",
        "1. 人工智能的发展从上个世纪五十年代开始。\n2、数据越来越多，神经网络重新受到重视。",
    ],
)
def test_notes_get_one_form(answer: str) -> None:
    """Whatever bullets the LLM likes, and a heading before them, the notes come out the same."""
    assert NOTED == checked_notes(SPEECH * 3, answer)


def test_prose_stays_prose() -> None:
    """A summary without bullets is one too; only markup and empty lines go."""
    assert PROSE == checked_notes(TALK, f"# {PROSE}".replace("\n", "\n\n").replace("talk", "**talk**"))


@pytest.mark.parametrize(
    ("source", "answer", "reason"),
    [
        (SPEECH, "", "nothing"),
        (SPEECH, "** — and **", "nothing"),
        (SPEECH, "我无法总结这段内容。", "excuse"),
        (SPEECH, "• 很抱歉，作为一个人工智能……", "excuse"),
        (TALK, "I'm sorry, but I can't help with that.", "excuse"),
        (TALK, "As an AI language model, I do not watch videos.", "excuse"),
        (SPEECH, SPEECH * 3, "too many"),
        (SPEECH, "• The history of machines that learn.\n• Nobody knows how it ends.", "language"),
        (TALK, "这段演讲介绍了火车如何准点运行。", "language"),
    ],
)
def test_what_is_no_summary_is_thrown_away(source: str, answer: str, reason: str) -> None:
    """Nothing, excuses, the text itself and other languages are no notes on a text."""
    with pytest.raises(Unusable, match=reason):
        checked_notes(source, answer)


def test_orders_are_no_answer() -> None:
    """A model that repeats what it was told has not answered, even if an answer follows; one that quotes a bit has."""
    for reply in (ORDERS, f"{ORDERS}\n\n{PROSE}"):
        with pytest.raises(Unusable, match="orders"):
            check_echo(reply, ORDERS)
    check_echo(f"In the language of that text: {PROSE}", ORDERS)
    check_echo("", ORDERS)
