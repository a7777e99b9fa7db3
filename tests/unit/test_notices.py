"""Notices: which video, what happened, and nothing that acts on the readers."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given

from pipeline.core.head import Language
from pipeline.core.messages import Kind, Message, Run
from pipeline.core.notices import failure_notice, failure_runs, step_notice, step_runs
from pipeline.core.products import MediaInfo
from pipeline.core.task import Failure, Lane, Options, Source, Stage, Status, Task
from pipeline.failures import StageFailed, stage_failures
from tests.unit.test_messages import TEXTS, URL, actions

FAILED = Task(
    "t",
    "o",
    Source(URL, URL),
    Options("demo", robots=("a", "b")),
    0.0,
    0.0,
    status=Status.FAILED,
    failure=Failure("media_no_audio", Stage.DECODE, "No sound.", "没有声音。", "Choose another.", retryable=False),
)


@pytest.mark.parametrize(
    ("language", "expected"),
    [
        ("zh", f"转写失败：标题\n{URL}\n原因：下载超时。\n建议：请稍后再试。"),
        ("en", f"Transcription failed: 标题\n{URL}\nReason: 下载超时。\nWhat to do: 请稍后再试。"),
    ],
)
def test_failure_notice(language: Language, expected: str) -> None:
    """A failed video is one notice without a number: which video, why, and what to do."""
    run = failure_notice("标题", URL, "下载超时。", "请稍后再试。", robot="team", language=language)
    assert Run("team", (Message(None, None, Kind.NOTICE, "text", expected),)) == run


@given(TEXTS, TEXTS, TEXTS)
def test_failure_notice_keeps_the_rules(title: str, message: str, hint: str) -> None:
    """Whatever failed, the notice is within the limit, mentions nobody and leads nowhere but to its source."""
    url = f"https://example.com/@all/{'a' * 1500}"
    (notice,) = failure_notice(title, url, message, hint, robot=None, language="zh").messages
    assert len(notice.text.encode()) <= 2048
    assert not actions(replace(notice, text=notice.text.replace(url.replace("@", "%40"), "")))


@pytest.mark.parametrize("failure", stage_failures().values())
def test_every_hint_is_told_whole(failure: type[StageFailed]) -> None:
    """What to do about a failure has room in its notice, whatever the model is called."""
    hint = failure.hint("large-v3-turbo")
    run = failure_notice("标题", URL, "坏了。", hint, robot=None, language="zh")
    assert run.messages[0].text.endswith(hint)


def test_failure_notice_drops_what_is_missing() -> None:
    """A video that failed before its title was known is untitled; no hint, no line; too long an address, no address."""
    run = failure_notice("", "https://example.com/" + "a" * 2000, "坏了。", "", robot=None, language="zh")
    assert "转写失败：无标题\n原因：坏了。" == run.messages[0].text


@pytest.mark.parametrize(
    ("lane", "expected"),
    [
        (Lane.FETCH, f"开始处理：标题\n{URL}"),
        (Lane.ASR, f"下载完成，开始转写：标题\n{URL}"),
        (Lane.TEXT, f"转写完成，正在整理：标题\n{URL}"),
    ],
)
def test_step_notice(lane: Lane, expected: str) -> None:
    """A step is one notice without a number: which step, which video."""
    run = step_notice("标题", URL, lane, robot="team", language="zh")
    assert Run("team", (Message(None, None, Kind.NOTICE, "text", expected),)) == run


def test_step_notice_always_fits() -> None:
    """A step of a video without a title is untitled; an address that does not fit is left out."""
    assert f"Started: untitled\n{URL}" == step_notice("", URL, Lane.FETCH, robot=None, language="en").messages[0].text
    long = "https://example.com/" + "a" * 2028
    assert "Started: T" == step_notice("T", long, Lane.FETCH, robot=None, language="en").messages[0].text


def test_a_failed_task_is_announced_to_each_of_its_robots() -> None:
    """A failed task is announced once to each of its robots, in their language; without robots to the inbox."""
    assert ["a", "b"] == [run.robot for run in failure_runs(FAILED, "zh")]
    assert "原因：没有声音。" in failure_runs(FAILED, "zh")[0].messages[0].text
    assert "Reason: No sound." in failure_runs(FAILED, "en")[0].messages[0].text
    assert [None] == [run.robot for run in failure_runs(replace(FAILED, options=Options("demo")), "zh")]


def test_what_nobody_wants_to_hear_is_not_announced() -> None:
    """Nothing is announced of a task that will be tried again, or with notices switched off."""
    assert [] == failure_runs(replace(FAILED, status=Status.RETRYING), "zh")
    assert [] == failure_runs(replace(FAILED, options=Options("demo", notify="none")), "zh")
    assert [] == step_runs(FAILED, Lane.ASR, "zh")


def test_steps_are_announced_by_the_name_the_caller_gave() -> None:
    """Steps are announced where all are wanted, by the name the caller gave rather than the site's."""
    known = replace(FAILED.artifacts, media=MediaInfo("Generic", "1", "of the site"))
    task = replace(FAILED, options=Options("demo", notify="all"), artifacts=known)
    assert "of the site" in step_runs(task, Lane.TEXT, "zh")[0].messages[0].text
    named = replace(task, options=Options("demo", notify="all", title="of the caller"))
    assert "of the caller" in step_runs(named, Lane.TEXT, "zh")[0].messages[0].text
