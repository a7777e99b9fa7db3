"""Subtitles: whose times a cue has, where texts are cut, and what the files look like to a strict reader."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given, strategies as st

from pipeline.core.products import Paragraph
from pipeline.core.subtitles import Cue, cues_of_paragraphs, cues_of_segments, write_srt, write_vtt
from pipeline.core.transcript import Segment
from stages._offline import clean


def said(*texts: str) -> list[Segment]:
    """Segments of two seconds, one after the other."""
    return [Segment(number, 2.0 * number, 2.0 * number + 2, text) for number, text in enumerate(texts)]


def shown(text: str, *heard: str) -> list[str]:
    """The cues that one paragraph over these segments is cut into."""
    segments = said(*heard)
    return [cue.text for cue in cues_of_paragraphs([Paragraph(0.0, segments[-1].end, text)], segments)]


# ---------------------------------------------------------------------------------------------
# Where a text is cut
# ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("heard", "text", "cues"),
    [
        (["hello there", "my friend"], "Hello there, my friend.", ["Hello there,", "my friend."]),
        (["大家好", "我是小明"], "大家好，我是小明。", ["大家好，", "我是小明。"]),
        (["他说", "你好", "然后走了"], "他说：“你好。”然后走了。", ["他说：", "“你好。”", "然后走了。"]),
        (["she said", "go now"], 'She said: "Go now."', ["She said:", '"Go now."']),
        (["we well", "known people"], "We well-known people.", ["We", "well-known people."]),
        (["i do not", "know"], "I don't know.", ["I don't", "know."]),
        (["我用Py", "thon写代码"], "我用Python写代码。", ["我用", "Python写代码。"]),
        (["three point", "one four"], "3.14", ["3.14"]),
        (["繁體中文", "很好"], "繁体中文，很好。", ["繁体中文，", "很好。"]),
        (["um so the", "uh red ship"], "So the red ship.", ["So the", "red ship."]),
        (["the red", "ship sails"], "The big red ship sails away.", ["The big red", "ship sails away."]),
        (["one", "two", "three"], "Something else entirely", ["Something else", "entirely"]),
        (["one", "two"], "", []),
        (["♪", "la la"], "♪ la la.", ["♪ la la."]),
        (["नमस्ते", "दुनिया"], "नमस्ते, दुनिया।", ["नमस्ते,", "दुनिया।"]),
        (["สวัสดี", "ครับ"], "สวัสดีครับ", ["สวัสดี", "ครับ"]),
    ],
)
def test_paragraph_is_cut_where_its_segments_end(heard: list[str], text: str, cues: list[str]) -> None:
    """A paragraph is cut where its segments end, between words, with marks beside what they belong to."""
    assert cues == shown(text, *heard)


def test_cues_have_the_times_of_their_segments() -> None:
    """Each cue of a text whose words an LLM has changed has the times of the segment that it was made from."""
    segments = [
        Segment(0, 0.5, 3.25, "welcome to the the show"),
        Segment(1, 3.5, 6.0, "today we talks about ships"),
        Segment(2, 9.0, 12.125, "red ones most of all"),
    ]
    text = (
        Paragraph(0.5, 6.0, "Welcome to the show! Today, we talk about ships."),
        Paragraph(9.0, 12.125, "Mostly red ones."),
    )
    expected = [
        Cue(500, 3250, "Welcome to the show!"),
        Cue(3500, 6000, "Today, we talk about ships."),
        Cue(9000, 12_125, "Mostly red ones."),
    ]
    assert expected == cues_of_paragraphs(text, segments)


def test_paragraph_may_end_inside_a_segment() -> None:
    """A segment in which an LLM ended a paragraph is one cue all the same, with what it says in both paragraphs."""
    segments = said("we begin", "here and go on", "until the end")
    text = [
        Paragraph(0.0, 2.5, "We begin here."),
        Paragraph(2.6, 4.0, "And go on."),
        Paragraph(4.0, 6.0, "Until the end."),
    ]
    expected = [Cue(0, 2000, "We begin"), Cue(2000, 4000, "here. And go on."), Cue(4000, 6000, "Until the end.")]
    assert expected == cues_of_paragraphs(text, segments)


def test_paragraph_without_segments_has_its_own_times() -> None:
    """A paragraph with no segment of its own is one cue with the times it has itself."""
    assert [Cue(1000, 2000, "Alone.")] == cues_of_paragraphs([Paragraph(1.0, 2.0, "Alone.")], [])


def test_times_that_cannot_be_shown_are_mended() -> None:
    """A segment without length is shown for a moment, and one that begins too early begins with the one above it."""
    segments = [Segment(0, 5.0, 5.0, "a"), Segment(1, 4.0, 4.5, "b"), Segment(2, 6.0, 7.0, " \n")]
    assert [Cue(5000, 5001, "a"), Cue(5000, 5001, "b")] == cues_of_segments(segments)


def test_long_paragraph_is_quick() -> None:
    """A paragraph of six thousand changed characters over three hundred segments takes less than two seconds."""
    segments = said(*(f"第{number}句话说的是红色的船和蓝色的水杯" for number in range(300)))
    text = "，".join(segment.text.replace("红", "绿") for segment in segments)
    began = time.process_time()
    cues = cues_of_paragraphs([Paragraph(0.0, 600.0, text)], segments)
    assert time.process_time() - began < 2.0
    assert 300 == len(cues)


# ---------------------------------------------------------------------------------------------
# Whatever is said
# ---------------------------------------------------------------------------------------------

TEXTS = st.text(st.sampled_from("aAbcde  ,.'\"“”？。，红色的船水สวिñ3-\n<>&|\u2028é\u0301"), max_size=30)


@st.composite
def speeches(draw: st.DrawFn) -> list[Segment]:
    """Segments in order, some without length or words."""
    now, segments = 0.0, []
    for number in range(draw(st.integers(0, 8))):
        start = now + draw(st.sampled_from([0.0, 0.0004, 0.3, 5000.0]))
        now = start + draw(st.sampled_from([0.0, 0.0004, 1.5, 29.98]))
        segments.append(Segment(number, start, now, draw(TEXTS)))
    return segments


@st.composite
def proofread(draw: st.DrawFn) -> tuple[list[Paragraph], list[Segment]]:
    """Paragraphs over segments, each over some of them, with any text at all."""
    segments = draw(speeches())
    paragraphs, rest = [], segments
    while rest:
        share = draw(st.integers(1, len(rest)))
        paragraphs.append(Paragraph(rest[0].start, rest[share - 1].end, draw(TEXTS)))
        rest = rest[share:]
    return paragraphs, segments


@given(proofread())
def test_no_letter_is_lost_or_doubled(given: tuple[list[Paragraph], list[Segment]]) -> None:
    """Whatever became of the words, every letter of the text is in exactly one cue, in order, as readers see it."""
    paragraphs, segments = given
    for written, read in ((write_srt, read_srt), (write_vtt, read_vtt)):
        cues = read(written(cues_of_paragraphs(paragraphs, segments)))
        assert visible(paragraph.text for paragraph in paragraphs) == visible(text for _, _, text in cues)
        check_times(cues)


@given(proofread())
def test_times_are_those_of_the_source(given: tuple[list[Paragraph], list[Segment]]) -> None:
    """Every cue begins and ends with segments of the source; only a moment too short to be shown is made longer."""
    paragraphs, segments = given
    edges = {round(segment.start * 1000) for segment in segments}
    ends = {round(segment.end * 1000) for segment in segments}
    for cue in cues_of_paragraphs(paragraphs, segments):
        assert cue.start_ms in edges
        assert cue.end_ms in ends or cue.end_ms == cue.start_ms + 1


@given(
    st.lists(st.tuples(st.text("abc繁體的水", min_size=1, max_size=12), st.sampled_from([0.0, 0.9, 2.0])), max_size=8)
)
def test_offline_text_is_cut_exactly(parts: list[tuple[str, float]]) -> None:
    """What the offline stage writes is cut exactly where the segments end."""
    segments, now = [], 0.0
    for number, (text, pause_s) in enumerate(parts):
        segments.append(Segment(number, now, now + 1, text))
        now += 1 + pause_s
    for language in ("en", "zh"):
        spaced = [
            Segment(s.id, s.start, s.end, s.text if language == "en" else re.sub("[abc]+", "船", s.text))
            for s in segments
        ]
        cues = cues_of_paragraphs(clean(spaced, language), spaced)
        assert [letters_of(segment.text) for segment in spaced] == [letters_of(cue.text) for cue in cues]


def letters_of(text: str) -> str:
    return "".join(filter(str.isalnum, text)).casefold()


def visible(texts: Sequence[str]) -> str:
    """Everything but space; what is replaced by its look-alike counts as the same."""
    return re.sub(r"\s", "", "".join(texts)).replace("＜", "<").replace("＞", ">")


def check_times(cues: Sequence[tuple[int, int, str]]) -> None:
    assert all(start < end for start, end, _ in cues)
    assert all(one[0] <= following[0] for one, following in pairwise(cues))


# ---------------------------------------------------------------------------------------------
# Files, read strictly
# ---------------------------------------------------------------------------------------------

SRT_TIME = re.compile(r"(\d\d):([0-5]\d):([0-5]\d),(\d{3})")
VTT_TIME = re.compile(r"(\d\d):([0-5]\d):([0-5]\d)\.(\d{3})")
ENTITIES = {"&amp;": "&", "&lt;": "<", "&gt;": ">"}


def read_srt(text: str) -> list[tuple[int, int, str]]:
    """Read SubRip that is exactly as it should be: numbered from 1, one blank line between cues."""
    cues = []
    for number, block in enumerate(re.split(r"\n\n", text.removesuffix("\n")) if text else (), start=1):
        first, times, line = block.split("\n")
        assert str(number) == first
        assert "-->" not in line
        assert not re.search(r"<[A-Za-z/!?]", line)
        cues.append((*read_times(SRT_TIME, times), line))
    return cues


def read_vtt(text: str) -> list[tuple[int, int, str]]:
    """Read WebVTT that is exactly as it should be: signature, one blank line between cues, everything escaped."""
    signature, *blocks = re.split(r"\n\n", text.removesuffix("\n"))
    assert "WEBVTT" == signature
    cues = []
    for block in blocks:
        times, line = block.split("\n")
        assert not re.search(r"[<>]|&(?!amp;|lt;|gt;)", line)
        plain = re.sub("|".join(ENTITIES), lambda found: ENTITIES[found[0]], line)
        cues.append((*read_times(VTT_TIME, times), plain))
    return cues


def read_times(form: re.Pattern[str], line: str) -> tuple[int, int]:
    found = re.fullmatch(f"{form.pattern} --> {form.pattern}", line)
    assert found, line
    numbers = list(map(int, found.groups()))
    start, end = (((h * 60 + m) * 60 + s) * 1000 + ms for h, m, s, ms in (numbers[:4], numbers[4:]))
    return start, end


def test_files_look_like_this() -> None:
    """Both formats carry hours and milliseconds; what a player could take for a tag or a time is made harmless."""
    cues = [Cue(0, 1500, "Fish & <b>chips</b> --> now"), Cue(3_723_004, 359_999_999, "a < b")]
    srt = """\
1
00:00:00,000 --> 00:00:01,500
Fish & ＜b>chips＜/b> --＞ now

2
01:02:03,004 --> 99:59:59,999
a < b
"""
    vtt = """\
WEBVTT

00:00:00.000 --> 00:00:01.500
Fish &amp; &lt;b&gt;chips&lt;/b&gt; --&gt; now

01:02:03.004 --> 99:59:59.999
a &lt; b
"""
    assert (srt, vtt) == (write_srt(cues), write_vtt(cues))


def test_nothing_said_is_a_valid_file() -> None:
    """Without cues SubRip is empty and WebVTT has its signature."""
    assert ("", "WEBVTT\n") == (write_srt([]), write_vtt([]))


@given(st.lists(TEXTS, max_size=6))
def test_one_cue_a_segment(texts: list[str]) -> None:
    """Every segment that says something is one cue with exactly its words."""
    cues = cues_of_segments(said(*texts))
    assert [" ".join(text.split()) for text in texts if text.split()] == [cue.text for cue in cues]
    assert Counter(len(cue.text.splitlines()) for cue in cues).keys() <= {1}
