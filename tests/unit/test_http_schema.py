"""The body of a submission, field by field."""

from __future__ import annotations

import pytest

from pipeline.core.submission import Submission
from pipeline.core.task import Priority
from pipeline.http.schema import MOST_URLS, parse_submission, parse_upload
from pipeline.refusals import InvalidValue, UnknownField

URL = {"url": "https://example.com/a.mp4"}


def test_url_alone_is_enough() -> None:
    """A body with nothing but an address leaves every choice to the configuration."""
    assert Submission(url=URL["url"]) == parse_submission(dict(URL))


def test_every_field_arrives() -> None:
    """Every field of a full body is taken over."""
    body = URL | {
        "language": "yue",
        "model": "small",
        "hotwords": " CTranslate2 ",
        "prompt": "A talk.\nIn two parts.",
        "options": {
            "proofread": False,
            "summarize": False,
            "script": "keep",
            "sequential": True,
            "word_times": True,
        },
        "priority": 4,
        "wechat_webhook": "team",
        "notify": "all",
        "metadata": {"title": "T", "author": "A", "description": "D"},
        "client_ref": "42",
        "force": True,
    }
    expected = Submission(
        url=URL["url"],
        language="yue",
        model="small",
        hotwords="CTranslate2",
        prompt="A talk.\nIn two parts.",
        sequential=True,
        word_times=True,
        proofread=False,
        summarize=False,
        script="keep",
        priority=Priority.URGENT,
        robot="team",
        notify="all",
        title="T",
        author="A",
        description="D",
        client_ref="42",
        force=True,
    )
    assert expected == parse_submission(body)


def test_older_names_mean_the_same() -> None:
    """`processing_options` and `metadata_override` mean what `options` and `metadata` mean."""
    older = {"processing_options": {"calibrate": False}, "metadata_override": {"title": "T"}}
    newer = {"options": {"proofread": False}, "metadata": {"title": "T"}}
    assert parse_submission(URL | newer) == parse_submission(URL | older)


@pytest.mark.parametrize(
    ("both", "param"),
    [
        ({"options": {}, "processing_options": {}}, "processing_options"),
        ({"metadata": {}, "metadata_override": {}}, "metadata_override"),
    ],
)
def test_a_field_and_its_older_name_are_refused_together(both: dict[str, object], param: str) -> None:
    """A body with a field and its older name is refused, because it would have to be guessed which one counts."""
    with pytest.raises(InvalidValue) as caught:
        parse_submission(URL | both)
    assert param == caught.value.param


@pytest.mark.parametrize(
    ("body", "param", "nearest"),
    [
        (URL | {"metadta": {}}, "metadta", "metadata"),
        (URL | {"options": {"summarise": True}}, "options.summarise", "options.summarize"),
        (URL | {"options": {"chapters": True}}, "options.chapters", None),
        (URL | {"processing_options": {"proofread": True}}, "processing_options.proofread", None),
        (URL | {"callback_url": "https://example.com/"}, "callback_url", None),
        ({"url_": "https://example.com/a.mp4"}, "url_", "url"),
        ({"url": None, "\ud800": 1}, "\ud800", None),
        (URL | {"k" * 5000: 1}, "k" * 100, None),
    ],
)
def test_unknown_field_is_named(body: dict[str, object], param: str, nearest: str | None) -> None:
    """An unknown field is refused by its dotted name, before wrong values, with the nearest known name."""
    with pytest.raises(UnknownField) as caught:
        parse_submission(body)
    assert (param, nearest) == (caught.value.param, caught.value.more.get("nearest"))


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"url": None}, "url"),
        ({"url": 1}, "url"),
        ({"url": ["https://example.com/"]}, "url"),
        ({"download_url": 1}, "download_url"),
        ({"language": "english"}, "language"),
        ({"language": ""}, "language"),
        ({"language": 1}, "language"),
        ({"model": ""}, "model"),
        ({"model": "a\nb"}, "model"),
        ({"hotwords": "a" * 1001}, "hotwords"),
        ({"hotwords": "a\x00b"}, "hotwords"),
        ({"prompt": "\ud800"}, "prompt"),
        ({"prompt": "\x1b[2J"}, "prompt"),
        ({"options": []}, "options"),
        ({"options": {"proofread": 1}}, "options.proofread"),
        ({"options": {"proofread": None}}, "options.proofread"),
        ({"options": {"script": "klingon"}}, "options.script"),
        ({"priority": True}, "priority"),
        ({"priority": 0}, "priority"),
        ({"priority": 5}, "priority"),
        ({"priority": 2.0}, "priority"),
        ({"priority": "2"}, "priority"),
        ({"priority": "HIGH"}, "priority"),
        ({"priority": 2**70}, "priority"),
        ({"priority": []}, "priority"),
        ({"wechat_webhook": {"url": "x"}}, "wechat_webhook"),
        ({"notify": "sometimes"}, "notify"),
        ({"metadata": "title"}, "metadata"),
        ({"metadata": {"title": 1}}, "metadata.title"),
        ({"metadata": {"title": "\x07"}}, "metadata.title"),
        ({"metadata": {"description": "\x9b"}}, "metadata.description"),
        ({"client_ref": "a" * 129}, "client_ref"),
        ({"client_ref": "a\r\nb"}, "client_ref"),
        ({"client_ref": "\udc00"}, "client_ref"),
        ({"client_ref": 5}, "client_ref"),
        ({"force": 1}, "force"),
        ({"force": "true"}, "force"),
    ],
)
def test_wrong_value_is_named(fields: dict[str, object], param: str) -> None:
    """A wrong value is refused with the dotted name of its field; nothing is converted."""
    with pytest.raises(InvalidValue) as caught:
        parse_submission(URL | fields)
    assert param == caught.value.param


@pytest.mark.parametrize("body", [{}, {"url": None}, {"url": None, "urls": None}, {"download_url": "https://a.b/"}])
def test_missing_url_is_named(body: dict[str, object]) -> None:
    """A body without an address is refused by the name of the field."""
    with pytest.raises(InvalidValue, match="url: is needed"):
        parse_submission(body)


def test_each_of_several_addresses_is_a_submission() -> None:
    """Several addresses are as many submissions, each named by its place, with all else the same."""
    body = {"urls": ["https://a.example/", "https://b.example/"], "priority": "high"}
    expected = (
        Submission(url="https://a.example/", param="urls.0", priority=Priority.HIGH),
        Submission(url="https://b.example/", param="urls.1", priority=Priority.HIGH),
    )
    assert expected == parse_submission(body)


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"urls": []}, "urls"),
        ({"urls": "https://a.example/"}, "urls"),
        ({"urls": ["https://a.example/", 1]}, "urls.1"),
        ({"urls": [URL["url"]] * (MOST_URLS + 1)}, "urls"),
        (URL | {"urls": ["https://a.example/"]}, "url"),
        ({"urls": ["https://a.example/"], "download_url": "https://a.example/"}, "download_url"),
    ],
)
def test_wrong_list_of_addresses_is_named(body: dict[str, object], param: str) -> None:
    """A list of addresses is refused if it is empty, too long, not of texts, or not the only address."""
    with pytest.raises(InvalidValue) as caught:
        parse_submission(body)
    assert param == caught.value.param


@pytest.mark.parametrize("other", ["url", "download_url"])
def test_file_has_no_address(other: str) -> None:
    """A file is submitted by its name, and not together with an address."""
    assert Submission(url="a.mp4", language="zh") == parse_upload({"language": "zh"}, "a.mp4")
    with pytest.raises(InvalidValue) as caught:
        parse_upload({other: "https://a.example/"}, "a.mp4")
    assert other == caught.value.param


@pytest.mark.parametrize(
    ("given", "priority"),
    [
        (1, Priority.LOW),
        ("low", Priority.LOW),
        ("normal", Priority.NORMAL),
        (3, Priority.HIGH),
        ("urgent", Priority.URGENT),
        (None, Priority.NORMAL),
    ],
)
def test_priority_is_a_number_or_a_word(given: object, priority: Priority) -> None:
    """A priority may be given as a number, as a word, or as null for the default."""
    assert priority == parse_submission(URL | {"priority": given}).priority


@pytest.mark.parametrize(
    ("name", "length"),
    [("title", 500), ("author", 200), ("description", 5000)],
)
def test_long_metadata_is_cut(name: str, length: int) -> None:
    """Metadata longer than its limit is cut to it, in characters, not refused."""
    parsed = parse_submission(URL | {"metadata": {name: "字" * (length + 1)}})
    assert "字" * length == getattr(parsed, name)


def test_title_is_put_on_one_line() -> None:
    """Line breaks in a title become spaces, those of a description stay."""
    parsed = parse_submission(URL | {"metadata": {"title": "a\n\tb", "description": "a\nb"}})
    assert ("a b", "a\nb") == (parsed.title, parsed.description)


@pytest.mark.parametrize("name", ["hotwords", "prompt"])
def test_blank_prompt_is_none(name: str) -> None:
    """A prompt of nothing but spaces is as good as none."""
    assert getattr(parse_submission(URL | {name: " \n"}), name) is None


def test_auto_is_no_language() -> None:
    """The language auto leaves it to the recognizer, like null."""
    assert parse_submission(URL | {"language": "auto"}).language is None
