"""Query parameters, one by one."""

from __future__ import annotations

import pytest
from multidict import MultiDict

from pipeline.core.task import Status
from pipeline.http import query
from pipeline.refusals import InvalidValue, UnknownField

EPOCH_2026 = 1_769_817_600.0
"""2026-01-31T00:00:00Z."""


def test_unknown_parameter_is_named() -> None:
    """An unknown parameter is refused by name, with the nearest known one."""
    with pytest.raises(UnknownField) as caught:
        query.check_names(MultiDict({"limi": "1"}), {"limit", "cursor"})
    assert ("limi", "limit") == (caught.value.param, caught.value.more["nearest"])


def test_repeated_parameter_is_refused() -> None:
    """A parameter that is given twice is refused, because it would have to be guessed which one counts."""
    with pytest.raises(InvalidValue, match="more than once"):
        query.check_names(MultiDict([("limit", "1"), ("limit", "2")]), {"limit"})


@pytest.mark.parametrize(("text", "number"), [("0", 0), ("1.5", 1.5), ("60", 60)])
def test_number_is_read(text: str, number: float) -> None:
    """A plain decimal number within the limits is read."""
    assert number == query.number({"wait": text}, "wait", 0, 60)


@pytest.mark.parametrize("text", ["", "-1", "61", "1e1", "nan", "inf", "٣", "1_0", " 1", "0x1", "9" * 30])
def test_other_numbers_are_refused(text: str) -> None:
    """A number that is out of its limits, or written in any other way, is refused."""
    with pytest.raises(InvalidValue) as caught:
        query.number({"wait": text}, "wait", 0, 60)
    assert "wait" == caught.value.param


@pytest.mark.parametrize("text", ["0", "201", "1.0", "-1", "+1", "1e2", "abc", "", "٣", "9" * 30])
def test_other_whole_numbers_are_refused(text: str) -> None:
    """A whole number that is out of its limits, or written in any other way, is refused."""
    with pytest.raises(InvalidValue):
        query.whole({"limit": text}, "limit", 1, 200)


@pytest.mark.parametrize(
    "text",
    [
        "1769817600",
        "1769817600.0",
        "2026-01-31T00:00:00Z",
        "2026-01-31T00:00:00.000Z",
        "2026-01-31T08:00:00+08:00",
        "2026-01-31T08:00:00 08:00",
    ],
)
def test_moment_is_read(text: str) -> None:
    """A time is read in all its forms, with the plus of its offset lost in the address too."""
    assert EPOCH_2026 == query.moment({"since": text}, "since")


@pytest.mark.parametrize(
    "text",
    ["", "9999-99-99", "-99999999999999", "2026-01-31T00:00:00", "2026-01-31", "99999999999999", "yesterday", "nan"],
)
def test_other_moments_are_refused(text: str) -> None:
    """A time that is none, is out of range or does not say its zone is refused."""
    with pytest.raises(InvalidValue):
        query.moment({"since": text}, "since")


def test_word_of_an_enumeration_is_read() -> None:
    """A word of the enumeration is read, any other is refused with all that would have been right."""
    assert Status.FAILED is query.one_of({"status": "failed"}, "status", Status)
    with pytest.raises(InvalidValue, match="pending, processing, retrying"):
        query.one_of({"status": "FAILED"}, "status", Status)


@pytest.mark.parametrize(("text", "found"), [(" 100% ", "100%"), ("", None), ("  ", None), ("👨‍👩‍👧　a", "👨‍👩‍👧　a")])
def test_search_is_read(text: str, found: str | None) -> None:
    """A search is any text, a blank one is none."""
    assert found == query.search({"q": text}, "q")


@pytest.mark.parametrize("text", ["a" * 201, "a\x00b", "\x1b[2J", "\ud800"])
def test_unfit_search_is_refused(text: str) -> None:
    """A search that is too long or holds what no text holds is refused."""
    with pytest.raises(InvalidValue):
        query.search({"q": text}, "q")


def test_absent_parameters_are_none() -> None:
    """A parameter that is not given reads as None."""
    absent = [
        query.number({}, "wait", 0, 60),
        query.whole({}, "limit", 1, 200),
        query.moment({}, "since"),
        query.one_of({}, "status", Status),
        query.search({}, "q"),
    ]
    assert [None] * 5 == absent
