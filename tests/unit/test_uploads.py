"""What an uploaded file is called, and when two of them are the same work."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from pipeline.core.task import Source
from pipeline.core.uploads import LONGEST_NAME, display_name, source_of_upload


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        ("talk.mp4", "talk.mp4"),
        ("会议 录音.m4a", "会议 录音.m4a"),
        ("../../../etc/cron.d/x", "x"),
        ("..\\..\\x.wav", "x.wav"),
        ("C:\\talks\\a.wav", "a.wav"),
        ("a%20b%2Fc.wav", "c.wav"),
        ("a\r\nX: y.wav", "aX: y.wav"),
        ("\u202egnp.wav", "gnp.wav"),
        ("a\x00\x1b[2J.wav", "a[2J.wav"),
        ("half\ud800.wav", "half.wav"),
        ("folder/", "folder"),
        ("..", ".."),
        ("", "file"),
        (" \u200b ", "file"),
    ],
)
def test_name_is_what_can_be_seen_of_its_last_part(sent: str, shown: str) -> None:
    """A file is called by the last part of its path, on one line, without what cannot be seen."""
    assert shown == display_name(sent)


@given(st.text())
def test_any_name_can_be_shown_and_read_back(sent: str) -> None:
    """Whatever a sender calls a file, its name is short, visible, no path, and comes out of the source again."""
    shown = display_name(sent)
    assert 1 <= len(shown) <= LONGEST_NAME
    assert shown.isprintable()
    assert not {"/", "\\"} & set(shown)
    source = source_of_upload(sent, "00")
    assert shown == source.uploaded_name
    assert (source.url + source.canonical).isascii()


def test_other_bytes_or_another_name_are_other_work() -> None:
    """The same bytes under the same name are the same work, and nothing else is."""
    first = source_of_upload("a.wav", "00")
    assert first == source_of_upload("a.wav", "00")
    others = [source_of_upload("a.wav", "01"), source_of_upload("b.wav", "00"), source_of_upload("x/a.wav", "00")]
    assert 4 == len({source.canonical for source in (first, *others)})


def test_an_address_is_no_upload() -> None:
    """A source with an address was not uploaded, whatever its path says."""
    assert Source("https://example.com/upload:a.wav", "x").uploaded_name is None
