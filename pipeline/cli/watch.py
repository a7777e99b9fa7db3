"""``watch ID…``: follow tasks of the running daemon to their end and print their text."""

from __future__ import annotations

import argparse

from pipeline.cli._client import add_daemon_options, connect
from pipeline.cli._follow import follow, tell
from pipeline.cli.commands import LoadSettings

_EXAMPLES = """\
examples:
  run_daemon.py watch 01m80qxddnwd6h66ff32v1ftf1             see how far it is; at its end its text is printed
  run_daemon.py watch 01m80qxddnwd6h66ff32v1ftf1 > talk.txt  keep the text; progress goes to standard error

'submit' prints the ids. The exit code is 0 if all tasks were completed."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command and its arguments."""
    parser.epilog = _EXAMPLES
    parser.add_argument("ids", nargs="+", metavar="ID", help="id of a task")
    add_daemon_options(parser)


def run(arguments: argparse.Namespace, load: LoadSettings) -> int:
    """Follow the tasks; returns the exit code."""
    client = connect(arguments, load)
    return tell(client, follow(client, list(dict.fromkeys(arguments.ids))))
