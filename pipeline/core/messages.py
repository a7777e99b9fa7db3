"""One video's messages for one robot: how a run is cut, labelled and made harmless."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal


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
