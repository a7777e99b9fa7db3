"""``cancel ID…``: end tasks that are not finished."""

from __future__ import annotations

import argparse

from pipeline.cli._act import act
from pipeline.cli._client import add_daemon_options, connect
from pipeline.cli.commands import LoadSettings

_EXAMPLES = """\
examples:
  run_daemon.py cancel 01m80qxddnwd6h66ff32v1ftf1    end a task; what runs for it stops
  run_daemon.py retry 01m80qxddnwd6h66ff32v1ftf1     if it was a mistake"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command and its arguments."""
    parser.epilog = _EXAMPLES
    parser.add_argument("ids", nargs="+", metavar="ID", help="id of a task")
    add_daemon_options(parser)


def run(arguments: argparse.Namespace, load: LoadSettings) -> int:
    """Cancel the tasks; returns the exit code."""
    return act(connect(arguments, load), arguments.ids, "cancel")
