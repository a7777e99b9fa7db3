"""What makes two submissions the same work, and how ids are made."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from pipeline.core.submission import work_key
from pipeline.core.task import Options, Priority, Source, Task
from pipeline.intake import new_id

TASK = Task(
    id="a",
    owner="me",
    source=Source("https://example.com/a", "https://example.com/a"),
    options=Options(model="small"),
    created_at=0.0,
    updated_at=0.0,
)


@pytest.mark.parametrize(
    "other",
    [
        replace(TASK, id="b", created_at=9.0, updated_at=9.0),
        replace(TASK, priority=Priority.URGENT),
        replace(TASK, client_ref="42"),
        replace(TASK, source=Source("https://example.com/%61", "https://example.com/a")),
        replace(TASK, options=replace(TASK.options, title="T", author="A", description="D")),
    ],
)
def test_same_work(other: Task) -> None:
    """Priority, reference, metadata and another spelling of the address do not make other work."""
    assert work_key(TASK) == work_key(other)


@pytest.mark.parametrize(
    "other",
    [
        replace(TASK, owner="you"),
        replace(TASK, source=Source("https://example.com/a", "https://example.com/b")),
        replace(TASK, options=replace(TASK.options, model="demo")),
        replace(TASK, options=replace(TASK.options, language="zh")),
        replace(TASK, options=replace(TASK.options, hotwords="h")),
        replace(TASK, options=replace(TASK.options, prompt="h")),
        replace(TASK, options=replace(TASK.options, sequential=True)),
        replace(TASK, options=replace(TASK.options, word_times=True)),
        replace(TASK, options=replace(TASK.options, proofread=False)),
        replace(TASK, options=replace(TASK.options, summarize=False)),
        replace(TASK, options=replace(TASK.options, script="keep")),
        replace(TASK, options=replace(TASK.options, notify="all")),
        replace(TASK, options=replace(TASK.options, robots=("r",))),
    ],
)
def test_other_work(other: Task) -> None:
    """Another owner, address, or option that changes text or delivery makes other work."""
    assert work_key(TASK) != work_key(other)


def test_ids_sort_by_time() -> None:
    """Ids made one millisecond apart sort in the order in which they were made."""
    moments = [1.0, 1.001, 1_000_000_000.0, 1_800_000_000.0, 1_800_000_000.001, 4_000_000_000.0]
    ids = [new_id(moment) for moment in moments]
    assert sorted(ids) == ids


def test_ids_are_short_plain_and_never_the_same() -> None:
    """A thousand ids of one moment are all different, each of 26 digits and small letters."""
    ids = {new_id(1_800_000_000.0) for _ in range(1000)}
    assert 1000 == len(ids)
    assert all(re.fullmatch(r"[0-9a-z]{26}", one) for one in ids)
