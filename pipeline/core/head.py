"""The first message of a run: what the video is, and where its text comes from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pipeline.core.neutral import inline, link_target
from pipeline.core.text import shorten

Language = Literal["zh", "en"]
"""The language of the product's own words; a text's language is a code of its own."""

UNTITLED: dict[Language, str] = {"zh": "无标题", "en": "Untitled"}

OFFLINE = "offline"
"""What a text layer made without an LLM says it was made by."""

LIMIT_BYTES = 4096
"""WeCom takes no more than this in one markdown message."""

_TITLE_CHARACTERS, _TITLE_BYTES = 120, 600
_NAME_CHARACTERS, _NAME_BYTES = 60, 200
_WARNING_CHARACTERS, _WARNING_BYTES = 200, 600


@dataclass(frozen=True, slots=True)
class Head:
    """What a head message tells. Strings come as they are; they are made harmless when it is written.

    ``text_by`` and ``summary_by`` are ``offline``, the name of an LLM, or empty where neither had a part;
    ``text_in_part`` and ``summary_in_part`` say that the LLM made not all of it.
    """

    title: str
    url: str
    author: str | None
    duration_s: float | None
    language: str
    source: str
    model: str
    text_by: str
    summary_by: str
    characters: int
    segment_count: int
    no_speech: bool
    text_in_part: bool = False
    summary_in_part: bool = False
    warnings: tuple[str, ...] = ()


def write_head(head: Head, label: str, language: Language) -> str:
    """Write a head in markdown, within the limit whatever its parts are.

    The title and the facts always fit. Then the link, the author and the warnings, in this order, come in
    if there is room for them.

    Args:
        head: what to tell.
        label: what the message begins with, such as ``(1/7) ``.
        language: of the wording.
    """
    words = _WORDS[language]
    title = _write_title(head.title) or UNTITLED[language]
    lines = [label + title, *_facts(head, words)]
    target = link_target(head.url)
    if target:
        lines = _first_that_fits([f"{label}[{title}]({target})", *lines[1:]], lines)
    if head.author:
        author = words.author.format(_write_name(head.author))
        lines = _first_that_fits([lines[0], author, *lines[1:]], lines)
    for warning in head.warnings:
        text = shorten(inline(warning), characters=_WARNING_CHARACTERS, limit_bytes=_WARNING_BYTES)
        lines = _first_that_fits([*lines, words.warning.format(text)], lines)
    return "\n".join(lines)


def _write_title(title: str) -> str:
    return shorten(inline(title), characters=_TITLE_CHARACTERS, limit_bytes=_TITLE_BYTES)


def _write_name(name: str) -> str:
    return shorten(inline(name), characters=_NAME_CHARACTERS, limit_bytes=_NAME_BYTES)


def _first_that_fits(longer: list[str], shorter: list[str]) -> list[str]:
    return longer if len("\n".join(longer).encode()) <= LIMIT_BYTES else shorter


# ---------------------------------------------------------------------------------------------
# Wording
# ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Words:
    """The wording of a head in one language; ``column`` is its place in the tables of names."""

    column: int
    author: str
    duration: str
    language: str
    characters: str
    segments: str
    source: str
    model: str
    no_speech: str
    text_by: str
    summary_by: str
    in_part: str
    by_rules: str
    no_llm: str
    rules_for_text: str
    rules_for_summary: str
    warning: str


_WORDS: dict[Language, _Words] = {
    "zh": _Words(
        column=0,
        author="作者：{}",
        duration="时长：{}",
        language="语言：{}",
        characters="字数：{:,}",
        segments="片段：{:,}",
        source="文本来源：{}",
        model="模型：{}",
        no_speech="没有识别到语音：视频可能是静音、纯音乐，或无人说话。",
        text_by="校对：{}",
        summary_by="摘要：{}",
        in_part="{}（部分）",
        by_rules="离线规则",
        no_llm="未使用大语言模型（LLM）",
        rules_for_text="标点与分段由停顿推定",
        rules_for_summary="摘要为原句摘录",
        warning="注意：{}",
    ),
    "en": _Words(
        column=1,
        author="Author: {}",
        duration="Length: {}",
        language="Language: {}",
        characters="Characters: {:,}",
        segments="Segments: {:,}",
        source="Source of the text: {}",
        model="Model: {}",
        no_speech="No speech was found: the video may be silent, music only, or without anyone speaking.",
        text_by="Proofread by: {}",
        summary_by="Summary by: {}",
        in_part="{} (in part)",
        by_rules="offline rules",
        no_llm="No LLM was used",
        rules_for_text="punctuation and paragraphs follow the pauses",
        rules_for_summary="the summary quotes the text",
        warning="Note: {}",
    ),
}

_SOURCES = {"asr": ("语音识别", "speech recognition")}
_LANGUAGES = {
    "zh": ("中文", "Chinese"),
    "yue": ("粤语", "Cantonese"),
    "en": ("英语", "English"),
    "ja": ("日语", "Japanese"),
    "ko": ("韩语", "Korean"),
    "fr": ("法语", "French"),
    "de": ("德语", "German"),
    "es": ("西班牙语", "Spanish"),
    "pt": ("葡萄牙语", "Portuguese"),
    "it": ("意大利语", "Italian"),
    "ru": ("俄语", "Russian"),
    "ar": ("阿拉伯语", "Arabic"),
    "hi": ("印地语", "Hindi"),
    "th": ("泰语", "Thai"),
    "vi": ("越南语", "Vietnamese"),
    "mn": ("蒙古语", "Mongolian"),
}


def _facts(head: Head, words: _Words) -> list[str]:
    """The lines below the title that always stand there."""
    origin = [words.source.format(_named(_SOURCES, head.source, words)), words.model.format(_write_name(head.model))]
    if head.no_speech:
        return [words.no_speech, *_duration(head, words), " · ".join(origin)]
    figures = [
        *_duration(head, words),
        words.language.format(_named(_LANGUAGES, head.language, words)),
        words.characters.format(head.characters),
        words.segments.format(head.segment_count),
    ]
    return [" · ".join(figures), " · ".join(origin), _makers(head, words)]


def _duration(head: Head, words: _Words) -> list[str]:
    if head.duration_s is None:
        return []
    minutes, seconds = divmod(round(head.duration_s), 60)
    hours, minutes = divmod(minutes, 60)
    return [words.duration.format(f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}")]


def _named(names: dict[str, tuple[str, str]], code: str, words: _Words) -> str:
    return names[code][words.column] if code in names else _write_name(code)


def _makers(head: Head, words: _Words) -> str:
    """Who proofread and summarized, or that it was done without an LLM."""
    if {head.text_by, head.summary_by} <= {OFFLINE, ""}:
        how = [words.rules_for_text] if head.text_by else []
        how += [words.rules_for_summary] if head.summary_by else []
        return " · ".join([words.no_llm, *how])
    made = []
    if head.text_by:
        made.append(words.text_by.format(_maker(head.text_by, words, in_part=head.text_in_part)))
    if head.summary_by:
        made.append(words.summary_by.format(_maker(head.summary_by, words, in_part=head.summary_in_part)))
    return " · ".join(made)


def _maker(by: str, words: _Words, *, in_part: bool) -> str:
    maker = words.by_rules if by == OFFLINE else _write_name(by)
    return words.in_part.format(maker) if in_part else maker
