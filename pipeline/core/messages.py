"""One video's messages for one robot: how a run is cut, labelled and made harmless."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from pipeline.core.head import Head, Language, write_head
from pipeline.core.neutral import plain
from pipeline.core.text import cut

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
    """

    number: int | None
    of: int | None
    kind: Kind
    format: Literal["text", "markdown"]
    text: str


@dataclass(frozen=True, slots=True)
class Run:
    """One video's messages for one robot (None: the inbox), sent without anything in between."""

    robot: str | None
    messages: tuple[Message, ...]


def compose_run(head: Head, summary: str, text: str, *, robot: str | None, language: Language) -> Run:
    """Write all messages of one video: the head, the summary, the text.

    Every message begins with its label ``(k/n)``. In the summary and the text the label has the first line
    to itself: without these lines the text parts are exactly ``neutral.plain(text)``.

    Args:
        head: what the first message tells; where it says that there was no speech, it is the only one.
        summary: the summary; none is sent where it is blank.
        text: the text to deliver.
        robot: who carries the run; None is the inbox.
        language: of the product's own words.
    """
    parts = []
    if summary.strip():
        parts.append((Kind.SUMMARY, f"{_SUMMARY_HEADING[language]}\n{plain(summary)}"))
    if not head.no_speech:
        parts.append((Kind.TEXT, plain(text)))
    bodies = _cut_to_labels(parts)
    of = 1 + len(bodies)
    first = Message(1, of, Kind.HEAD, "markdown", write_head(head, f"(1/{of}) ", language))
    rest = [
        Message(number, of, kind, "text", f"({number}/{of})\n{body}")
        for number, (kind, body) in enumerate(bodies, start=2)
    ]
    return Run(robot, (first, *rest))


_SUMMARY_HEADING: dict[Language, str] = {"zh": "摘要", "en": "Summary"}


def _cut_to_labels(parts: Sequence[tuple[Kind, str]]) -> list[tuple[Kind, str]]:
    """Cut texts so that each piece fits below its label, whose length depends on how many pieces there are."""
    digits = 1
    while True:
        room = TEXT_LIMIT_BYTES - len("(/)\n") - 2 * digits
        bodies = [(kind, chunk) for kind, text in parts for chunk in cut(text, room)]
        if len(str(1 + len(bodies))) <= digits:
            return bodies
        digits += 1
