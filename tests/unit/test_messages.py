"""Runs of messages: labels, limits, exact text, and nothing that acts on the readers."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given, strategies as st

from pipeline.core.head import Head, Language
from pipeline.core.messages import Kind, Message, Run, compose_run
from pipeline.core.neutral import plain
from pipeline.core.text import is_boundary

LIMITS = {"text": 2048, "markdown": 4096}
URL = "https://example.com/watch?v=1"
HEAD = Head(
    title="星期五的会议",
    url=URL,
    author="王老师",
    duration_s=3725.2,
    language="zh",
    source="asr",
    model="small",
    text_by="offline",
    summary_by="offline",
    characters=12345,
    segment_count=678,
    no_speech=False,
)
HOSTILE = [
    *("<@all>", "@all ", "@所有人", "<@U1>", "<font color='warning'>", "\u202e", "\u200b", "\r\n", "\ud83d"),
    *("![i](http://evil.example/i.png)", "[l](https://evil.example)", "www.evil.example", "http://evil.example/"),
    *("```\n", "| a | b |\n|---|---|\n", "# h\n", "> q\n", "**b**", "\n\n", " "),
    *("👩‍👩‍👧", "🇨🇳", "e\u0301", "\u0301" * 50, "汉字，", "一句话。", "A sentence. ", "x" * 700),
]
TEXTS = st.one_of(st.text(), st.lists(st.sampled_from(HOSTILE), max_size=60).map("".join))


def bodies(run: Run, kind: Kind) -> list[str]:
    """What the messages of one kind say below their labels."""
    return [message.text.split("\n", 1)[1] for message in run.messages if message.kind is kind]


def first_message(head: Head, language: Language = "zh") -> str:
    """The head of a run with one part, as it is sent."""
    return compose_run(head, "", "text", robot=None, language=language).messages[0].text


def actions(message: Message, url: str = URL) -> list[str]:
    """Whatever in a message notifies somebody, shows an image, changes a color or leads to another site."""
    rest = message.text.replace(f"]({url})", "")
    return re.findall(r"(?i)@|<[a-z/!]|!\[[^\]]*\]\(|\]\(|\w://|www\.\w", rest)


@given(TEXTS, TEXTS, TEXTS, TEXTS)
def test_every_run_keeps_the_rules(title: str, author: str, summary: str, text: str) -> None:
    """Whatever is told: bodies within their limits, labels in order, the exact text, and nobody is mentioned."""
    run = compose_run(replace(HEAD, title=title, author=author), summary, text, robot="team", language="zh")
    of = len(run.messages)
    for number, message in enumerate(run.messages, start=1):
        assert (number, of) == (message.number, message.of)
        assert message.text.startswith(f"({number}/{of})")
        assert len(message.text.encode()) <= LIMITS[message.format]
        assert not actions(message)
    assert plain(text) == "".join(bodies(run, Kind.TEXT))
    assert [Kind.HEAD] == [message.kind for message in run.messages if message.format == "markdown"]


def test_kinds_come_in_order() -> None:
    """A run is the head, the summary, then the text."""
    run = compose_run(HEAD, "• 要点。\n" * 300, "一句话。" * 1000, robot="team", language="zh")
    kinds = [message.kind for message in run.messages]
    parts = kinds.count(Kind.SUMMARY), kinds.count(Kind.TEXT)
    assert [Kind.HEAD, *[Kind.SUMMARY] * parts[0], *[Kind.TEXT] * parts[1]] == kinds
    assert min(parts) > 1
    assert run.robot == "team"


def test_parts_have_their_label_alone_on_the_first_line() -> None:
    """Below the head the first line is the label and nothing else."""
    run = compose_run(HEAD, "• 要点。", "一句话。" * 1000, robot=None, language="zh")
    labels = [message.text.split("\n", 1)[0] for message in run.messages[1:]]
    assert [f"({number}/{len(run.messages)})" for number in range(2, len(run.messages) + 1)] == labels


@pytest.mark.parametrize("language", ["zh", "en"])
def test_summary_is_sent_whole_under_its_heading(language: Language) -> None:
    """The summary has a heading in the product's language; a blank one is not sent."""
    heading = {"zh": "摘要", "en": "Summary"}[language]
    run = compose_run(HEAD, "• a\n• b", "text", robot=None, language=language)
    assert [f"{heading}\n• a\n• b"] == bodies(run, Kind.SUMMARY)
    assert [] == bodies(compose_run(HEAD, " \n", "text", robot=None, language=language), Kind.SUMMARY)


@pytest.mark.parametrize("parts", [7, 8, 9, 10, 97, 98, 99, 100])
def test_labels_are_counted_in_the_limit(parts: int) -> None:
    """Where the number of messages gains a digit, every part is still as full as its label allows."""
    digits = len(str(parts + 1))
    room = 2048 - len("(/)\n") - 2 * digits
    run = compose_run(HEAD, "", "x" * room * parts, robot=None, language="zh")
    assert parts + 1 == len(run.messages)
    assert 2048 == max(len(message.text) for message in run.messages)


def test_one_character_more_makes_the_number_longer() -> None:
    """What fills eight parts under labels of one digit and one more character makes nine; ten messages need two."""
    room = 2048 - len("(1/9)\n")
    nine = compose_run(HEAD, "", "x" * room * 8, robot=None, language="zh")
    ten = compose_run(HEAD, "", "x" * (room * 8 + 1), robot=None, language="zh")
    assert (9, 10) == (len(nine.messages), len(ten.messages))


def test_characters_stay_whole_in_parts() -> None:
    """Two thousand families in a row are divided between families only."""
    text = "👩‍👩‍👧‍👦" * 2000
    run = compose_run(HEAD, "", text, robot=None, language="zh")
    assert all(is_boundary(text, len("".join(bodies(run, Kind.TEXT)[:count]))) for count in range(len(run.messages)))


def test_head_tells_what_the_video_is() -> None:
    """The head holds the title as a link, author, length, language, source, model and counts."""
    text = first_message(HEAD)
    assert text.startswith(f"(1/2) [星期五的会议]({URL})\n")
    for fact in ("王老师", "1:02:05", "中文", "语音识别", "small", "12,345", "678"):
        assert fact in text


def test_head_in_english() -> None:
    """With English wording the same facts are told in English."""
    text = first_message(HEAD, "en")
    for fact in ("Author: 王老师", "Length: 1:02:05", "Language: Chinese", "speech recognition", "No LLM was used"):
        assert fact in text


@pytest.mark.parametrize(
    ("text_by", "summary_by", "line"),
    [
        ("offline", "offline", "未使用大语言模型（LLM） · 标点与分段由停顿推定 · 摘要为原句摘录"),
        ("offline", "", "未使用大语言模型（LLM） · 标点与分段由停顿推定"),
        ("", "", "未使用大语言模型（LLM）"),
        ("gpt-5", "gpt-5-mini", "校对：gpt-5 · 摘要：gpt-5-mini"),
        ("offline", "gpt-5", "校对：离线规则 · 摘要：gpt-5"),
        ("gpt-5", "", "校对：gpt-5"),
    ],
)
def test_head_says_who_made_the_text(text_by: str, summary_by: str, line: str) -> None:
    """Without an LLM the head says so; with one it names it."""
    head = replace(HEAD, text_by=text_by, summary_by=summary_by)
    assert line == first_message(head).splitlines()[-1]


@pytest.mark.parametrize(
    ("parts", "line"),
    [
        ({"text_in_part": True}, "校对：m（部分） · 摘要：m"),
        ({"summary_in_part": True}, "校对：m · 摘要：m（部分）"),
    ],
)
def test_head_says_what_is_only_partly_the_models(parts: dict[str, bool], line: str) -> None:
    """A model that made only a part of the text or of the summary gets no credit for the rest."""
    head = replace(HEAD, text_by="m", summary_by="m", **parts)
    assert line == first_message(head).splitlines()[-1]
    assert "Summary by: m (in part)" in first_message(replace(head, summary_in_part=True), "en")


def test_no_speech_is_one_message() -> None:
    """A video without speech is one head that says so, whatever else was made of it."""
    head = replace(HEAD, no_speech=True, characters=0, segment_count=0)
    chinese = compose_run(head, "", "", robot=None, language="zh").messages
    english = compose_run(head, "", "", robot=None, language="en").messages
    assert ("(1/1)", 1, 1) == (chinese[0].text[:5], len(chinese), len(english))
    assert "没有识别到语音" in chinese[0].text
    assert "No speech was found" in english[0].text


def test_head_without_details() -> None:
    """What is not known is left out, and an unknown language is shown by its code."""
    head = replace(HEAD, title="\u202e", author=None, duration_s=None, language="tlh", model="a\nb")
    lines = first_message(head).splitlines()
    assert f"(1/2) [无标题]({URL})" == lines[0]
    assert "语言：tlh · 字数：12,345 · 片段：678" == lines[1]
    assert "文本来源：语音识别 · 模型：a b" == lines[2]


@pytest.mark.parametrize("filler", ["x", "汉", "👩‍👩‍👧‍👦", "\u0301", "<@all> ", "[](", "\n", "|"])
def test_head_fits_whatever_comes(filler: str) -> None:
    """Endless titles, authors, models and warnings leave a head within the limit, with title and link."""
    long = "t" + filler * 1000
    head = replace(HEAD, title=long, author=long, model=long, language=long, source=long, warnings=(long,) * 20)
    message = compose_run(head, "", "text", robot=None, language="zh").messages[0]
    assert len(message.text.encode()) <= 4096
    assert f"]({URL})" in message.text
    assert not actions(message)


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        ("https://example.com/" + "a" * 2028, True),
        ("https://example.com/" + "(" * 2028, False),
        ("https://example.com/" + "汉" * 2028, False),
    ],
)
def test_link_is_dropped_before_the_facts(url: str, kept: bool) -> None:  # noqa: FBT001 - a column of the table
    """The longest address is linked; one that encoding makes too long leaves title, author and facts without it."""
    text = first_message(replace(HEAD, url=url))
    assert kept == (f"]({url})" in text)
    assert text.startswith("(1/2) [星期五的会议](https" if kept else "(1/2) 星期五的会议\n")
    assert "王老师" in text


def test_warnings_fill_what_room_is_left() -> None:
    """Warnings stand at the end of the head, as many as fit."""
    few = first_message(replace(HEAD, warnings=("少一段",)))
    many = first_message(replace(HEAD, warnings=("长" * 190,) * 20))
    assert few.endswith("\n注意：少一段")
    assert 1 < many.count("注意：") < 20


@pytest.mark.parametrize(("parts", "is_file"), [(3, False), (4, True)])
def test_text_of_too_many_parts_is_one_file(parts: int, is_file: bool) -> None:  # noqa: FBT001 - a column of the table
    """A text of more parts than allowed is one file that holds exactly the text; the summary stays a message."""
    text = "<@all> " + "x" * 2000 * parts
    run = compose_run(HEAD, "• 要点。", text, robot="team", language="zh", file_over=3)
    kinds = [Kind.HEAD, Kind.SUMMARY, *([Kind.FILE] if is_file else [Kind.TEXT] * parts)]
    assert kinds == [message.kind for message in run.messages][: len(kinds)]
    assert is_file == (run.messages[-1].kind is Kind.FILE)
    if is_file:
        file = run.messages[-1]
        assert ("(3/3) 星期五的会议.txt", plain(text), len(plain(text).encode())) == (
            file.text,
            file.content,
            file.bytes,
        )


@given(TEXTS, TEXTS, st.integers(0, 3))
def test_every_run_with_a_file_keeps_the_rules(title: str, summary: str, over: int) -> None:
    """Labels are in order and bodies within their limits; the name of the file can be one on any system."""
    text = "一句话。" * 2000
    run = compose_run(replace(HEAD, title=title), summary * 20, text, robot="team", language="zh", file_over=over)
    of = len(run.messages)
    assert [f"({number}/{of})" for number in range(1, of + 1)] == [
        message.text[: len(f"({message.number}/{of})")] for message in run.messages
    ]
    assert all(len(message.text.encode()) <= LIMITS[message.format] for message in run.messages)
    *_, file = run.messages
    assert (Kind.FILE, text) == (file.kind, file.content)
    name = file.text.removeprefix(f"({of}/{of}) ")
    assert len(file.text.encode()) < 255
    assert not re.search(r'[/\\:*?"<>|\x00-\x1f@]', name)
    assert name.endswith(".txt")
    assert name != ".txt"


def test_label_of_the_file_counts_where_a_digit_is_gained() -> None:
    """With nine messages before it the file is the tenth, and every label has room for two digits."""
    room = 2048 - len("(10/10)\n摘要\n".encode())
    run = compose_run(HEAD, "x" * (room + 2041 * 7), "y" * 30_000, robot="team", language="zh", file_over=3)
    assert all(len(message.text.encode()) <= 2048 for message in run.messages[1:])
    assert 10 <= len(run.messages)
