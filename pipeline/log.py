"""The log: JSON lines in a rotating file, readable lines on the console, and no secret in either.

Callers use ``structlog.get_logger()``; loggers of other libraries take the same way. A line is made safe
(see `pipeline.redaction`) before it is written, never when it is read, and only once, however many write it.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import traceback
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from functools import partial
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any, Protocol, TextIO, cast

import structlog
from structlog.contextvars import bound_contextvars, get_contextvars, merge_contextvars
from structlog.stdlib import BoundLogger, LoggerFactory, filter_by_level
from structlog.tracebacks import ExceptionDictTransformer
from structlog.typing import EventDict, WrappedLogger

from pipeline.redaction import presentable, printable

_COLORS = {"debug": "\x1b[2m", "info": "\x1b[32m", "warning": "\x1b[33m", "error": "\x1b[31m", "critical": "\x1b[31;1m"}
_PLAIN = "\x1b[0m"
_ENCODER = json.JSONEncoder(ensure_ascii=False)
_CHATTY = {
    "aiosqlite": logging.INFO,  # two lines for each commit, one for each hop between threads
    "asyncio": logging.INFO,
    "httpcore2": logging.INFO,
    "httpx2": logging.WARNING,  # a line for each request, which says less than ours
    "openai": logging.INFO,  # everything an LLM is asked
}
"""Libraries that tell of every call inside them, and the least severe of their lines that is written."""


class LogPlan(Protocol):
    """What `set_up` needs of the settings, which stand above this file."""

    @property
    def level(self) -> str:
        """Least severe level that is written: debug, info, warning or error."""

    @property
    def file(self) -> Path:
        """Where the JSON lines go."""

    @property
    def max_mb(self) -> int:
        """Size in MiB at which the file is rotated."""

    @property
    def backups(self) -> int:
        """How many rotated files are kept, at least 1."""


def set_up(settings: LogPlan, *, console: bool) -> None:
    """Send what every logger of this process says to the file and, if wanted, to standard error.

    A second call replaces what the first one set up.

    Args:
        settings: level, file and rotation.
        console: whether readable lines also go to standard error.

    Raises:
        OSError: the file cannot be opened for writing.
    """
    _make_private_folder(settings.file.absolute().parent)
    handlers: list[logging.Handler] = [_JsonLines(settings.file, settings.max_mb, settings.backups)]
    if console:
        handlers.append(_Console(sys.stderr))
    structlog.configure(
        processors=[filter_by_level, merge_contextvars, _as_record],
        logger_factory=LoggerFactory(),
        wrapper_class=BoundLogger,
        cache_logger_on_first_use=True,
    )
    root = logging.getLogger()
    for old in [handler for handler in root.handlers if isinstance(handler, _JsonLines | _Console)]:
        root.removeHandler(old)
        old.close()
    for handler in handlers:
        root.addHandler(handler)
    set_level(settings.level)
    logging.captureWarnings(capture=True)


def set_level(level: str) -> None:
    """Write lines of this level and worse from now on."""
    root = logging.getLogger()
    root.setLevel(level.upper())
    for name, least in _CHATTY.items():
        logging.getLogger(name).setLevel(max(root.level, least))


def set_up_for_command() -> None:
    """Let a command that is no daemon say warnings and worse on standard error, and write no file."""
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )


def bind_task(task_id: str) -> AbstractContextManager[None]:
    """Put ``task`` into every line that is logged in this context until the block ends."""
    return bound_contextvars(task=task_id)


# ---------------------------------------------------------------------------------------------
# Where a line goes
# ---------------------------------------------------------------------------------------------


def _make_private_folder(folder: Path) -> None:
    for missing in reversed([path for path in (folder, *folder.parents) if not path.exists()]):
        missing.mkdir(mode=0o700, exist_ok=True)


class _JsonLines(RotatingFileHandler):
    """One JSON object a line, in a file only its owner can read; ``tail -F`` follows its rotation."""

    def __init__(self, file: Path, max_mb: int, backups: int) -> None:
        super().__init__(file, maxBytes=max_mb * 1024 * 1024, backupCount=backups, encoding="utf-8")
        self.setFormatter(_Formatter(ExceptionDictTransformer(show_locals=False), _as_json))
        self._said: set[type[BaseException] | None] = set()

    def _open(self) -> Any:  # noqa: ANN401 - the library's own type is not public
        return open(self.baseFilename, self.mode, encoding=self.encoding, opener=_open_private)

    def shouldRollover(self, record: logging.LogRecord) -> bool:  # noqa: ARG002, N802 - named by the library
        """Tell by the bytes on disk; the library would format each line twice and count characters."""
        return self.stream is not None and os.fstat(self.stream.fileno()).st_size >= self.maxBytes

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: ARG002, N802 - named by the library
        """Say once for each kind of error that a line was lost; the library would print the line unredacted."""
        kind = sys.exc_info()[0]
        if kind not in self._said and sys.stderr is not None:
            self._said.add(kind)
            name = kind.__name__ if kind else ""
            sys.stderr.write(f"A log line could not be written 有日志无法写入: {self.baseFilename}: {name}\n")


class _Console(logging.StreamHandler[TextIO]):
    """Readable lines, colored on a terminal."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__(stream)
        colored = stream.isatty() and "NO_COLOR" not in os.environ
        self.setFormatter(_Formatter(_traceback_text, partial(readable, colored=colored)))

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - named by the library
        """Keep silent: nobody reads the console any more, and the file has the line."""


def _open_private(path: str, flags: int) -> int:
    descriptor = os.open(path, flags, 0o600)
    os.fchmod(descriptor, 0o600)
    return descriptor


# ---------------------------------------------------------------------------------------------
# How a line is made
# ---------------------------------------------------------------------------------------------


def _as_record(_logger: WrappedLogger, _method: str, event: EventDict) -> tuple[tuple[object], dict[str, Any]]:
    """Hand a line of ours to the logger: its text, its exception, and all its fields as one attribute of the record."""
    exc_info = event.pop("exc_info", None)
    return (event.pop("event", ""),), {"exc_info": exc_info, "extra": {"own_fields": event}}


def _said(record: logging.LogRecord) -> Mapping[str, Any]:
    """Make what a record says safe to show, but for its exception: ``ts``, ``level``, ``event``, fields, logger.

    It is kept with the record for the next handler, as the library keeps the text of an exception. Another library's
    record has no fields of its own, only the bound context.
    """
    if (known := getattr(record, "already_said", None)) is not None:
        return cast("Mapping[str, Any]", known)
    time = datetime.fromtimestamp(record.created, UTC)
    said = {
        "ts": time.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "level": record.levelname.lower(),
        "event": presentable(record.getMessage()),
    }
    for name, value in (getattr(record, "own_fields", None) or get_contextvars()).items():
        said.setdefault(name, presentable(value, name))
    said["logger"] = record.name
    record.already_said = said
    return said


class _Formatter(logging.Formatter):
    """Writes what a record says, and its exception."""

    def __init__(self, exceptions: Callable[[Any], object], write: Callable[[Mapping[str, Any]], str]) -> None:
        super().__init__()
        self._exceptions = exceptions
        self._write = write

    def format(self, record: logging.LogRecord) -> str:
        said = _said(record)
        if record.exc_info and record.exc_info[0] is not None:
            said = {**said, "exception": presentable(self._exceptions(record.exc_info))}
        return self._write(said)


def _traceback_text(exc_info: Any) -> str:  # noqa: ANN401 - the library's own alias is not public
    return "".join(traceback.format_exception(*exc_info))


def _as_json(said: Mapping[str, Any]) -> str:
    # JSON escapes only some of the characters that must not reach a terminal raw; the escape has its form.
    return printable(_ENCODER.encode(said))


def readable(event: Mapping[str, Any], *, colored: bool) -> str:
    """Write a line for people: time, level, what happened, then ``name=value``; a traceback indented below.

    Args:
        event: as it stands in the file; on the console the traceback is a text.
        colored: whether the level gets its color.
    """
    rest = dict(event)
    time, level, what = (str(rest.pop(name, "")) for name in ("ts", "level", "event"))
    trace = rest.pop("exception", "")
    shown = f"{printable(level):<8}"
    if colored:
        shown = f"{_COLORS.get(level, '')}{shown}{_PLAIN}"
    values = [f"{name}={_shown_value(value)}" for name, value in rest.items() if name != "logger"]
    lines = [f"{printable(time)} {shown} {printable(' '.join([what, *values]))}"]
    # Indented, so that no line of an exception's text can pass for a line of the log.
    lines += [f"    {printable(line)}" for line in _trace_lines(trace)]
    return "\n".join(lines)


def _trace_lines(trace: object) -> list[str]:
    """The lines of a traceback, be it a text or what the file has of it."""
    if not isinstance(trace, list):
        return str(trace).rstrip("\n").split("\n") if trace else []
    lines = []
    for link in reversed(trace):  # the first cause comes first, as Python shows it
        lines += [f"{frame['filename']}:{frame['lineno']} in {frame['name']}" for frame in link["frames"]]
        lines.append(f"{link['exc_type']}: {link['exc_value']}")
    return lines


def _shown_value(value: object) -> str:
    if isinstance(value, str) and value and not any(mark in value for mark in " \"='"):
        return value
    return _ENCODER.encode(value)
