"""One video's messages for one robot: how a run is cut, labelled and made harmless."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from pipeline.core.head import UNTITLED, Head, Language, write_head
from pipeline.core.moment import Moment
from pipeline.core.neutral import file_name, plain
from pipeline.core.text import cut, shorten

TEXT_LIMIT_BYTES = 2048
"""WeCom takes no more than this in one plain message."""


class Kind(StrEnum):
    """What a message is for."""

    HEAD = "head"
    SUMMARY = "summary"
    TEXT = "text"
    CHAPTERS = "chapters"
    TRANSLATION = "translation"
    FILE = "file"
    NOTICE = "notice"
    CONTINUATION = "continuation"


class MessageState(StrEnum):
    """Where a message stands on its way to the robot."""

    PLANNED = "planned"
    SENDING = "sending"
    SENT = "sent"
    REFUSED = "refused"
    IN_DOUBT = "in_doubt"


@dataclass(frozen=True, slots=True)
class Message:
    """One message, its text frozen before the first send.

    ``number`` and ``of`` are its place in the run, counted from 1; a notice has neither.
    ``format`` is WeCom's message type: ``text`` goes out as plain lines, ``markdown`` may hold a link.
    A file has its name as its text, and ``content``, which is frozen too.
    """

    number: int | None
    of: int | None
    kind: Kind
    format: Literal["text", "markdown"]
    text: str
    content: str | None = None

    @property
    def bytes(self) -> int:
        """How much goes out, in UTF-8: of a file what is in it, otherwise the text."""
        return len((self.text if self.content is None else self.content).encode())


@dataclass(frozen=True, slots=True)
class Run:
    """One video's messages for one robot (None: the inbox), sent without anything in between."""

    robot: str | None
    messages: tuple[Message, ...]


@dataclass(frozen=True, slots=True)
class Outgoing:
    """The message at the head of a robot's lane."""

    id: int
    task_id: str
    message: Message
    state: MessageState
    attempts: int
    begins_run: bool
    """Whether nothing of its run has gone out yet."""
    holds_up: bool = False
    """Whether other runs wait behind its own."""
    refused_s: float = 0.0
    """How long it was refused so far, while a daemon was running."""


@dataclass(frozen=True, slots=True)
class MessageRow:
    """A message and what became of it."""

    message: Message
    robot: str | None
    state: MessageState
    sent_at: float | None


@dataclass(frozen=True, slots=True)
class Write:
    """A request that was written to a robot, whatever became of it."""

    id: int
    moment: Moment


def compose_run(
    head: Head, summary: str, text: str, *, robot: str | None, language: Language, file_over: int | None = None
) -> Run:
    """Write all messages of one video: the head, the summary, the text.

    Every message begins with its label ``(k/n)``. In the summary and the text the label has the first line
    to itself: without these lines the text parts are exactly ``neutral.plain(text)``. A file has its label in its
    name; what is in it is exactly that text.

    Args:
        head: what the first message tells; where it says that there was no speech, it is the only one.
        summary: the summary; none is sent where it is blank.
        text: the text to deliver.
        robot: who carries the run; None is the inbox.
        language: of the product's own words.
        file_over: the most parts that the text is sent in; beyond, it is one file. None: parts, however many.
    """
    parts = []
    if summary.strip():
        parts.append((Kind.SUMMARY, f"{_SUMMARY_HEADING[language]}\n{plain(summary)}"))
    if not head.no_speech:
        parts.append((Kind.TEXT, plain(text)))
    bodies = _cut_to_labels(parts)
    if file_over is not None and sum(kind is Kind.TEXT for kind, _ in bodies) > file_over:
        bodies = [*_cut_to_labels(parts[:-1], others=2), (Kind.FILE, plain(text))]
    of = 1 + len(bodies)
    first = Message(1, of, Kind.HEAD, "markdown", write_head(head, f"(1/{of}) ", language))
    rest = [
        _file(number, of, head, body, language) if kind is Kind.FILE else _part(number, of, kind, body)
        for number, (kind, body) in enumerate(bodies, start=2)
    ]
    return Run(robot, (first, *rest))


def _part(number: int, of: int, kind: Kind, body: str) -> Message:
    return Message(number, of, kind, "text", f"({number}/{of})\n{body}")


def _file(number: int, of: int, head: Head, body: str, language: Language) -> Message:
    title = shorten(file_name(head.title), characters=_FILE_NAME_CHARACTERS, limit_bytes=_FILE_NAME_BYTES)
    name = f"({number}/{of}) {title or UNTITLED[language]}.txt"
    return Message(number, of, Kind.FILE, "text", name, content=body)


_FILE_NAME_CHARACTERS, _FILE_NAME_BYTES = 60, 180
"""File systems take names of 255 bytes; label and ending need some of them."""

_SUMMARY_HEADING: dict[Language, str] = {"zh": "摘要", "en": "Summary"}


def _cut_to_labels(parts: Sequence[tuple[Kind, str]], others: int = 1) -> list[tuple[Kind, str]]:
    """Cut texts so that each piece fits below its label, whose length depends on how many messages there are.

    Args:
        parts: the texts.
        others: how many messages there are beside them.
    """
    digits = 1
    while True:
        room = TEXT_LIMIT_BYTES - len("(/)\n") - 2 * digits
        bodies = [(kind, chunk) for kind, text in parts for chunk in cut(text, room)]
        if len(str(others + len(bodies))) <= digits:
            return bodies
        digits += 1
