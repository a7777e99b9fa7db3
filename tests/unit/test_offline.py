"""The text stage without an LLM: punctuation, paragraphs and the extractive summary."""

from __future__ import annotations

import time
from collections.abc import Sequence

import pytest
from hypothesis import given, strategies as st

from pipeline.core.text import sentences
from pipeline.core.transcript import Segment
from stages._extract import summarize
from stages._offline import clean


def speech(*parts: tuple[str, float]) -> list[Segment]:
    """Segments of one second each, with the silence behind each of them in seconds."""
    segments, now = [], 0.0
    for number, (text, pause_s) in enumerate(parts):
        segments.append(Segment(number, now, now + 1, text))
        now += 1 + pause_s
    return segments


def written(segments: Sequence[Segment], language: str) -> list[str]:
    """The paragraphs that are made of segments."""
    return [paragraph.text for paragraph in clean(segments, language)]


@pytest.mark.parametrize(
    ("language", "parts", "expected"),
    [
        ("zh", [("大家好", 0.1), ("我是小明", 0.9), ("今天讲三点", 0.0)], ["大家好，我是小明。今天讲三点。"]),
        ("zh", [("第一段", 2.0), ("第二段", 0.0)], ["第一段。", "第二段。"]),
        ("zh", [("你是谁？", 0.1), ("我是他", 0.0)], ["你是谁？我是他。"]),
        ("zh", [("第一，", 2.0), ("第二", 0.0)], ["第一，第二。"]),
        ("zh", [("你好,世界!再见", 0.0)], ["你好，世界！再见。"]),
        ("zh", [("我用Python 3.11", 0.1), ("写代码", 0.0)], ["我用Python 3.11，写代码。"]),
        ("zh", [("I like", 0.1), ("cats", 0.0)], ["I like，cats。"]),
        ("ja", [("こんにちは", 0.1), ("田中です", 0.0)], ["こんにちは、田中です。"]),
        ("yue", [("你好", 0.9), ("我係阿明", 0.0)], ["你好。我係阿明。"]),
        (
            "en",
            [("hello there", 0.1), ("my friend", 0.4), ("how are you", 0.9)],
            ["Hello there my friend, how are you."],
        ),
        ("en", [("we stopped", 0.9), ("then we went", 0.0)], ["We stopped. Then we went."]),
        ("en", [("One thought.", 2.0), ("another one", 0.0)], ["One thought.", "Another one."]),
        ("en", [("iPhone sales rose", 0.9), ("eBay too", 0.0)], ["iPhone sales rose. eBay too."]),
        ("en", [(" He said “go.” ", 0.9), ("  we   went\n", 0.0)], ["He said “go.” We went."]),
        ("en", [("♪", 0.9), ("", 0.5), ("la la", 0.0)], ["♪ la la."]),
        ("de", [("straße", 0.9), ("ßa", 0.0)], ["Straße. ßa."]),
        ("zh", [], []),
        ("zh", [(" ", 1.0)], []),
    ],
)
def test_pauses_become_punctuation(language: str, parts: list[tuple[str, float]], expected: list[str]) -> None:
    """Marks, spaces and capitals follow the pauses and the language; marks that are there stay."""
    assert expected == written(speech(*parts), language)


@pytest.mark.parametrize("language", ["zh", "en"])
def test_paragraphs_are_readable(language: str) -> None:
    """Speech without long pauses is divided at ends of sentences into paragraphs of 200 to 600 characters."""
    sentence = {
        "zh": "这是一句不长不短的话用来看看段落有多长",
        "en": "this is a sentence that is neither long nor short",
    }
    paragraphs = written(speech(*[(sentence[language], 0.75)] * 300), language)
    assert all(200 <= len(paragraph) <= 600 for paragraph in paragraphs[:-1])
    assert all(paragraph[-1] in "。." for paragraph in paragraphs)


def test_hasty_speech_still_has_sentences_and_paragraphs() -> None:
    """Someone who never pauses gets a stop after about eighty characters, and paragraphs that end."""
    paragraphs = written(speech(*[("停不下来的人说个没完", 0.0)] * 300), "zh")
    assert max(map(len, sentences("\n".join(paragraphs)))) <= 100
    assert max(map(len, paragraphs)) <= 600


def test_endless_sentence_is_divided() -> None:
    """Where every segment ends with a comma of its own, a paragraph ends all the same."""
    assert max(map(len, written(speech(*[("还没说完，", 0.0)] * 1000), "zh"))) <= 810


def test_paragraphs_keep_their_times() -> None:
    """A paragraph begins with its first segment and ends with its last."""
    paragraphs = clean(speech(("one", 0.1), ("two", 3.0), ("three", 0.0)), "en")
    assert [(0.0, 2.1), (5.1, 6.1)] == [(paragraph.start, round(paragraph.end, 3)) for paragraph in paragraphs]


def words_of(text: str) -> str:
    """What is said: letters, digits and symbols in order, without case, space and punctuation."""
    return "".join(character for character in text if not character.isspace() and character not in MARKS).casefold()


MARKS = set(",.?!:;，。？！：；、")


@given(
    st.lists(st.tuples(st.text(max_size=12), st.floats(-0.5, 4))),
    st.sampled_from(["zh", "ja", "en", "de", "tr", "xx"]),
)
def test_no_word_is_lost_or_altered(parts: list[tuple[str, float]], language: str) -> None:
    """Whatever was heard stands in the output, in order, apart from case."""
    segments = speech(*parts)
    heard = "".join(segment.text for segment in segments)
    assert words_of(heard) == words_of("".join(written(segments, language)))


VOCABULARY = {
    "zh": (
        ["农民", "老师", "工程师", "学生", "医生", "记者", "司机"],
        [
            "上午检查了",
            "仔细讨论了",
            "昨天卖掉了",
            "重新设计了",
            "终于找到了",
            "慢慢修好了",
            "公开介绍了",
            "悄悄带走了",
        ],
        [
            "新的预算",
            "旧的机器",
            "山里的茶叶",
            "长长的名单",
            "蓝色的房子",
            "坏掉的灯",
            "三箱苹果",
            "去年的报告",
            "那辆火车",
        ],
    ),
    "en": (
        ["Farmers", "Teachers", "Engineers", "Students", "Doctors", "Reporters", "Drivers"],
        ["checked", "discussed", "sold", "redesigned", "found", "repaired", "presented", "hid"],
        ["budgets", "machines", "tea", "lists", "houses", "lamps", "apples", "reports", "trains"],
    ),
}
FILLER = {"zh": "嗯。", "en": "Well."}


def long_text(language: str, count: int) -> str:
    """So many sentences, all different for the first five hundred, every fourth a filler that says nothing."""
    who, does, what = VOCABULARY[language]
    space, stop = {"zh": ("", "。"), "en": (" now ", ".")}[language]
    said = [space.join((who[n % 7], does[n % 8], what[n % 9])) + stop for n in range(count)]
    return "\n".join(FILLER[language] if number % 4 == 3 else sentence for number, sentence in enumerate(said))


@pytest.mark.parametrize("language", ["zh", "en"])
def test_summary_quotes_the_text_in_its_order(language: str) -> None:
    """A summary is sentences of the text, each once, in their order, one a line; fillers are not among them."""
    text = long_text(language, 100)
    lines = summarize(text).splitlines()
    quotes = [line.removeprefix("• ") for line in lines]
    places = [sentences(text).index(quote) for quote in quotes]
    assert all(line.startswith("• ") for line in lines)
    assert sorted(set(places)) == places
    assert FILLER[language] not in quotes


def test_summary_is_spread_over_the_text() -> None:
    """Every quarter of a long recording has its part in the summary, and it stays short."""
    text = long_text("zh", 400)
    lines = summarize(text).splitlines()
    places = [sentences(text).index(line.removeprefix("• ")) for line in lines]
    assert {0, 1, 2, 3} == {place // 100 for place in places}
    assert len(lines) <= 20


def test_summary_says_nothing_twice() -> None:
    """A sentence said again and again is quoted once."""
    assert "• 白色的电脑在上海的学校里。" == summarize("白色的电脑在上海的学校里。\n" * 50)


def test_summary_prefers_what_the_text_is_about() -> None:
    """The sentence that shares its words with the others wins over the one that stands alone."""
    text = "火车从北京出发。北京的火车很快。下雨了没有伞。火车今天到北京。"
    assert "• 火车今天到北京。" == summarize(text).splitlines()[-1]


def test_summary_of_a_text_without_stops_is_cut_off() -> None:
    """One endless sentence is quoted by its beginning."""
    summary = summarize("没有标点的话" * 500)
    assert summary.startswith("• 没有标点的话")
    assert summary.endswith("…")
    assert len(summary) <= 202


@given(st.text())
def test_summary_of_anything_is_the_same_twice(text: str) -> None:
    """Any text has a summary, always the same, empty only where there is nothing to quote."""
    summary = summarize(text)
    assert summary == summarize(text)
    assert bool(sentences(text)) == bool(summary)


def test_ten_hours_are_summarized_in_time() -> None:
    """Fifteen thousand sentences take less than two seconds."""
    text = long_text("zh", 15_000)
    began = time.process_time()
    assert summarize(text)
    assert time.process_time() - began < 2.0
