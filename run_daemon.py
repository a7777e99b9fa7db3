"""``python run_daemon.py``: run the daemon, or one of the commands in ``pipeline.cli``.

The daemon itself, the whole machine on one page, is ``daemon.py``. What takes long to import is imported where it is
needed: who only looks at the help or at a task waits for nothing else.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from pipeline.cli import DATA_FOLDER, FAILED, FINE, USAGE, commands
from pipeline.cli._output import show_any_character
from pipeline.cli._packages import lacking
from pipeline.errors import CommandFailed, ConfigInvalid, DataFolderUnusable, TranscribedError

if TYPE_CHECKING:
    from pipeline.config import Settings


def main(argv: list[str] | None = None) -> int:
    """Run one command; returns its exit code."""
    show_any_character()
    try:
        return _run(commands.parse(sys.argv[1:] if argv is None else argv))
    except (ModuleNotFoundError, ConfigInvalid, DataFolderUnusable, CommandFailed) as failure:
        code, lines = _told(failure)
        print(*lines, sep="\n", file=sys.stderr)
        return code
    except KeyboardInterrupt:
        return FAILED
    except BrokenPipeError:  # whoever read what we print has seen enough, as in `logs | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED


def _run(arguments: argparse.Namespace) -> int:
    # Whoever only talks to the daemon needs none of its secrets, and is often in a terminal that does not know them.
    is_about_daemon = arguments.command in {None, "serve", "doctor"}

    def load() -> Settings:
        from pipeline.config import load_settings

        given = {"api.host": arguments.host, "api.port": arguments.port}
        overrides = {key: value for key, value in given.items() if value is not None}
        return load_settings(arguments.config, overrides=overrides, all_secrets=is_about_daemon)

    if arguments.print_schema:
        return _print_schema()
    if arguments.check_config:
        _check(load())
        print(f"{arguments.config}: fine / 配置正确")
        return FINE
    if arguments.command in {None, "serve"}:
        from daemon import serve

        return serve(load)
    return commands.run(arguments, load)


def _told(failure: ModuleNotFoundError | TranscribedError) -> tuple[int, Sequence[str]]:
    """Give the exit code of what went wrong, and what to say of it."""
    match failure:
        case ModuleNotFoundError():
            return USAGE, lacking(failure, "run_daemon.py")
        case ConfigInvalid():
            return USAGE, failure.problems
        case _:
            code = DATA_FOLDER if isinstance(failure, DataFolderUnusable) else FAILED
            return code, (failure.message, failure.localized)


def _check(settings: Settings) -> None:
    """Refuse what a start would refuse although every value is valid by itself."""
    from pipeline.config import check_exposure
    from pipeline.keyring import MadeTokens

    made = MadeTokens(settings.storage.dir / "tokens.json")
    check_exposure(settings, has_made_tokens=bool(made.owners()))


def _print_schema() -> int:
    from pipeline.config import schema

    print(json.dumps(schema(), ensure_ascii=False, indent=2))
    return FINE


if __name__ == "__main__":
    sys.exit(main())
