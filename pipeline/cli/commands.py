"""The commands on one screen, and the parser of the command line.

The file of a command is imported when the command is named, so that none pays for the others.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, cast

from pipeline import __version__

if TYPE_CHECKING:  # at run time the settings are loaded by those who need them; pydantic takes its time
    from pipeline.config import Settings

COMMANDS = {
    "serve": "run the daemon; the same as no command",
    "submit": "submit addresses or files to the running daemon; --wait shows progress and prints the text",
    "watch": "follow tasks to their end and print their text",
    "cancel": "end tasks that are not finished",
    "retry": "work on failed or cancelled tasks again",
    "logs": "show what the daemon wrote down, all of it or of one task; -f follows",
    "token": "make, list and revoke tokens for the API",
    "models": "list the speech models of the configuration, or fetch one",
    "backup": "make a consistent copy of the store, also while the daemon runs",
    "doctor": "check this machine: what works, what does not, and the cure",
}

LoadSettings = Callable[[], "Settings"]

CONFIG = Path("config.json")
"""The configuration where nobody names another; it need not be there, for everything has a default."""

_DESCRIPTION = """\
Download videos, transcribe them, deliver the text. Without a command: run the daemon.
下载视频、转写语音、发送文字。不带命令时启动服务。"""

_EXAMPLES = """\
examples:
  run_daemon.py                                             run the daemon with config.json
  run_daemon.py submit https://example.com/talk.mp4 --wait  submit a video and wait for its text
  run_daemon.py logs -f                                     see what the daemon does
  run_daemon.py doctor                                      find out why something does not work
  run_daemon.py COMMAND --help                              the options of a command, with examples"""

_SERVE_EXAMPLES = """\
examples:
  run_daemon.py serve                      run the daemon with config.json, until Ctrl-C
  run_daemon.py serve --config other.json  with another configuration
  run_daemon.py serve --port 8001          on another port than it says
  run_daemon.py serve --check-config       only say what is wrong with it"""


class Command(Protocol):
    """What the file of a command offers."""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Describe the command and its arguments."""

    def run(self, arguments: argparse.Namespace, load: LoadSettings) -> int:
        """Do what was asked; returns the exit code."""


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """Read the command line; help and mistakes end the process as argparse does."""
    parser = argparse.ArgumentParser(
        prog="run_daemon.py",
        description=_DESCRIPTION,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        parents=[_config_option(), _daemon_options()],
    )
    parser.set_defaults(config=None, host=None, port=None, check_config=False, print_schema=False)
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", title="commands", prog=parser.prog)
    for name, summary in COMMANDS.items():
        command = commands.add_parser(
            name,
            help=summary,
            description=f"{summary[0].upper()}{summary[1:]}.",
            formatter_class=argparse.RawDescriptionHelpFormatter,
            parents=[_config_option(), _daemon_options()] if name == "serve" else [_config_option()],
        )
        if name == "serve":
            command.epilog = _SERVE_EXAMPLES
        elif name in argv:  # whatever is named may be the command; what is not, is not
            _file_of(name).add_arguments(command)
    return parser.parse_args(argv)


def add_action(
    actions: argparse._SubParsersAction[argparse.ArgumentParser], name: str, summary: str
) -> argparse.ArgumentParser:
    """Add an action to a command that has several, such as ``new`` to ``token``."""
    return actions.add_parser(
        name, help=summary, description=f"{summary[0].upper()}{summary[1:]}.", parents=[_config_option()]
    )


def _config_option() -> argparse.ArgumentParser:
    """Make the option that may stand before a command, after it, and after its action; for ``parents``."""
    option = argparse.ArgumentParser(add_help=False, argument_default=argparse.SUPPRESS)
    option.add_argument("--config", type=Path, metavar="FILE", help=f"configuration file (default: {CONFIG})")
    return option


def _daemon_options() -> argparse.ArgumentParser:
    """Make the options of the daemon itself, which may stand before and after ``serve``; for ``parents``."""
    options = argparse.ArgumentParser(add_help=False, argument_default=argparse.SUPPRESS)
    options.add_argument("--host", help="address to listen on, instead of api.host")
    options.add_argument("--port", type=int, help="port to listen on, instead of api.port; 0 picks a free one")
    options.add_argument("--check-config", action="store_true", help="read the configuration, say what is wrong, end")
    options.add_argument("--print-schema", action="store_true", help="print the JSON Schema of the configuration, end")
    options.add_argument("--version", action="version", version=f"transcribed {__version__}")
    return options


def config_file(named: Path | None) -> Path | None:
    """Find the configuration: the file that was named, else the one in this folder; None: there is none."""
    return named or (CONFIG if CONFIG.exists() else None)


def run(arguments: argparse.Namespace, load: LoadSettings) -> int:
    """Run the command that was named; returns its exit code."""
    return _file_of(arguments.command).run(arguments, load)


def _file_of(name: str) -> Command:
    return cast("Command", import_module(f"pipeline.cli.{name}"))
