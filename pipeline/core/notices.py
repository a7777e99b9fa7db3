"""Messages outside a run: that a video failed, and, where all steps are wanted, how far it has come."""

from __future__ import annotations

from pipeline.core.head import Language
from pipeline.core.messages import TEXT_LIMIT_BYTES, Kind, Message, Run
from pipeline.core.neutral import link_target, plain
from pipeline.core.task import Lane, Status, Task
from pipeline.core.text import shorten

_FAILED: dict[Language, tuple[str, str, str]] = {
    "zh": ("转写失败：{}", "原因：{}", "建议：{}"),
    "en": ("Transcription failed: {}", "Reason: {}", "What to do: {}"),
}
_UNTITLED: dict[Language, str] = {"zh": "无标题", "en": "untitled"}
_LINE_CHARACTERS, _LINE_BYTES = 200, 500


def failure_runs(task: Task, language: Language) -> list[Run]:
    """Announce that a task failed for good to each of its robots; nothing where nobody wants to hear it."""
    if task.failure is None or task.status not in {Status.FAILED, Status.TIMEOUT} or task.options.notify == "none":
        return []
    message = task.failure.message_zh if language == "zh" else task.failure.message
    return [
        failure_notice(_title(task), task.source.url, message, task.failure.hint, robot=robot, language=language)
        for robot in task.options.robots or (None,)
    ]


def step_runs(task: Task, lane: Lane, language: Language) -> list[Run]:
    """Announce the lane a task has come to, to each of its robots, where all steps are wanted."""
    if task.options.notify != "all":
        return []
    return [
        step_notice(_title(task), task.source.url, lane, robot=robot, language=language)
        for robot in task.options.robots or (None,)
    ]


def _title(task: Task) -> str:
    media = task.artifacts.media
    return task.options.title or (media.title if media else "")


def failure_notice(title: str, url: str, message: str, hint: str, *, robot: str | None, language: Language) -> Run:
    """Write the one message of a video that failed: which one, why, and what can be done about it.

    The address is left out where it would not fit.
    """
    failed, reason, cure = _FAILED[language]
    lines = [failed.format(_one_line(title) or _UNTITLED[language])]
    lines += [line.format(_one_line(text)) for line, text in ((reason, message), (cure, hint)) if text.strip()]
    return _notice(lines, url, robot)


_CANCELLED: dict[Language, str] = {"zh": "任务已取消，后续内容不再发送。", "en": "Cancelled: the rest is not sent."}


def cancelled_notice(language: Language) -> Message:
    """Write the message that closes a run of which something has gone out already."""
    return Message(None, None, Kind.NOTICE, "text", _CANCELLED[language])


_CONTINUED: dict[Language, str] = {
    "zh": "（续）{}\n机器人曾长时间无法接收消息，以下从 ({}/{}) 继续。",
    "en": "(continued) {}\nThe robot took no messages for a long time; this goes on from ({}/{}).",
}


def continuation_notice(task: Task, number: int, of: int, language: Language) -> Message:
    """Write the message before the rest of a run that was closed: which video it is, and where it goes on."""
    title = _one_line(_title(task)) or _UNTITLED[language]
    return Message(None, None, Kind.CONTINUATION, "text", _CONTINUED[language].format(title, number, of))


_TEST: dict[Language, str] = {
    "zh": "这是一条测试消息：transcribed 可以向这里发送消息。",
    "en": "This is a test: transcribed can send messages here.",
}


def trial_notice(language: Language) -> Message:
    """Write the message that shows that a robot works."""
    return Message(None, None, Kind.NOTICE, "text", _TEST[language])


_STEPS: dict[Language, dict[Lane, str]] = {
    "zh": {Lane.FETCH: "开始处理：{}", Lane.ASR: "下载完成，开始转写：{}", Lane.TEXT: "转写完成，正在整理：{}"},
    "en": {
        Lane.FETCH: "Started: {}",
        Lane.ASR: "Downloaded, transcribing: {}",
        Lane.TEXT: "Transcribed, preparing the text: {}",
    },
}


def step_notice(title: str, url: str, lane: Lane, *, robot: str | None, language: Language) -> Run:
    """Write the one message that says which lane a video has come to."""
    lines = [_STEPS[language][lane].format(_one_line(title) or _UNTITLED[language])]
    return _notice(lines, url, robot)


def _notice(lines: list[str], url: str, robot: str | None) -> Run:
    """Put the address under the first line, unless it would not fit."""
    address = link_target(url)
    with_address = "\n".join([lines[0], address or "", *lines[1:]])
    text = with_address if address and len(with_address.encode()) <= TEXT_LIMIT_BYTES else "\n".join(lines)
    return Run(robot, (Message(None, None, Kind.NOTICE, "text", text),))


def _one_line(text: str) -> str:
    return shorten(" ".join(plain(text).split()), characters=_LINE_CHARACTERS, limit_bytes=_LINE_BYTES)
