"""``logs``: what the daemon wrote down, readable, the whole of it or one task's story."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable
from itertools import chain, islice
from pathlib import Path
from typing import Any

from pipeline.cli import FINE
from pipeline.cli._tail import Tail
from pipeline.cli.commands import LoadSettings
from pipeline.errors import CommandFailed
from pipeline.log import readable
from pipeline.redaction import printable

LEVELS = ("debug", "info", "warning", "error", "critical")

_EXAMPLES = """\
examples:
  run_daemon.py logs                                     the last 200 lines
  run_daemon.py logs -f                                  and every further line, until Ctrl-C
  run_daemon.py logs -f --task 01m80qxddnwd6h66ff32v1ftf1
        one video's story, from its submission to its last message
  run_daemon.py logs -n 20 --level warning               the last 20 warnings and errors

The log is the file of JSON lines that log.file names; 'tail -F' follows that as well."""

Line = tuple[bytes, dict[str, Any]]
"""A line as it stands in the file, and what it says."""
Filter = Callable[[bytes], Line | None]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command and its arguments."""
    parser.epilog = _EXAMPLES
    parser.add_argument("-f", "--follow", action="store_true", help="go on with every further line, until Ctrl-C")
    parser.add_argument("-n", "--lines", type=_count, default=200, metavar="N", help="begin with the last N (200)")
    parser.add_argument("--task", metavar="ID", help="only lines about this task")
    parser.add_argument("--level", choices=LEVELS, default="debug", help="only lines of this level and worse")


def _count(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of lines / 不是行数")
    return int(text)


def run(arguments: argparse.Namespace, load: LoadSettings) -> int:
    """Show the lines; returns the exit code."""
    file, wanted = load().log.file, _filter(arguments.task, arguments.level)
    try:
        _check(file, may_come=arguments.follow)
        with Tail(file) as tail:
            latest = list(islice(filter(None, map(wanted, tail.backwards())), arguments.lines))
            coming = filter(None, map(wanted, tail.onwards())) if arguments.follow else ()
            if not latest and arguments.lines:
                print("no such line yet / 尚无符合条件的记录", file=sys.stderr)
            for line in chain(reversed(latest), coming):
                _show(line)
    except PermissionError as error:
        raise CommandFailed(
            f"{error.filename}: the log belongs to another user; become that user (sudo -u USER …).",
            f"{error.filename}：日志属于其他用户，请切换到该用户（sudo -u USER …）。",
        ) from None
    except KeyboardInterrupt:
        print()
    return FINE


def _check(file: Path, *, may_come: bool) -> None:
    if file.exists():
        return
    if not may_come:
        raise CommandFailed(
            f"{file}: there is no log yet; the daemon has not run with this configuration (log.file).",
            f"{file}：还没有日志；服务尚未以此配置运行（log.file）。",
        )
    print(f"{file}: not there yet; waiting … / 尚无日志，等待中……", file=sys.stderr)


def _filter(task: str | None, level: str) -> Filter:
    levels, task_bytes = frozenset(LEVELS[LEVELS.index(level) :]), (task or "").encode()

    def wanted(raw: bytes) -> Line | None:
        if task_bytes not in raw:  # most lines are not of this task, and need not be read further
            return None
        try:
            said = json.loads(raw)
            found = said["level"] in levels and (task is None or said.get("task") == task)
        except (ValueError, KeyError, TypeError):
            return (raw, {}) if task is None else None
        return (raw, said) if found else None

    return wanted


def _show(line: Line) -> None:
    """Print a line as the console shows it; one that is no JSON as it stands."""
    raw, said = line
    colored = sys.stdout.isatty() and "NO_COLOR" not in os.environ
    print(readable(said, colored=colored) if said else printable(raw.decode(errors="replace")), flush=True)
