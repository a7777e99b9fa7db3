"""What a check of the doctor finds."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """How bad it is."""

    FINE = "fine"
    WARNING = "warning"
    """Works, but not as well or not for everything."""
    ERROR = "error"
    """The daemon, or what was configured, does not work."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at, and what to do about it if it is not fine."""

    name: str
    """Stable, for programs."""
    severity: Severity
    message: str
    message_zh: str = ""
    """Where the message is more than a name or a number."""
    cure: str = ""
    cure_zh: str = ""


def fine(name: str, message: str, message_zh: str = "") -> Finding:
    """Report what is as it should be."""
    return Finding(name, Severity.FINE, message, message_zh)


def warning(name: str, message: tuple[str, str], cure: tuple[str, str]) -> Finding:
    """Report what could be better, with its cure; both in English and Chinese."""
    return Finding(name, Severity.WARNING, *message, *cure)


def error(name: str, message: tuple[str, str], cure: tuple[str, str]) -> Finding:
    """Report what does not work, with its cure; both in English and Chinese."""
    return Finding(name, Severity.ERROR, *message, *cure)
