"""``retry ID…``: work on failed or cancelled tasks again."""

from __future__ import annotations

import argparse

from pipeline.cli._act import act
from pipeline.cli._client import add_daemon_options, connect
from pipeline.cli.commands import LoadSettings

_EXAMPLES = """\
examples:
  run_daemon.py retry 01m80qxddnwd6h66ff32v1ftf1
        go on where it failed; what was made before is kept
  run_daemon.py retry 01m80qxddnwd6h66ff32v1ftf1 --from summarize
        make the summary and everything after it again, also of a completed task"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command and its arguments."""
    parser.epilog = _EXAMPLES
    parser.add_argument("ids", nargs="+", metavar="ID", help="id of a task")
    parser.add_argument(
        "--from",
        dest="stage",
        default="auto",
        metavar="STAGE",
        help="stage to begin with: captions, download, decode, transcribe, proofread, summarize or deliver; "
        "auto (default) goes on where it failed",
    )
    add_daemon_options(parser)


def run(arguments: argparse.Namespace, load: LoadSettings) -> int:
    """Retry the tasks; returns the exit code."""
    return act(connect(arguments, load), arguments.ids, "retry", {"from": arguments.stage})
