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
    from pathlib import Path

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
    if arguments.print_schema:
        return _print_schema()
    if arguments.command in {None, "serve"}:
        return _serve(arguments)

    def load() -> Settings:
        from pipeline.config import load_settings

        # Whoever only talks to the daemon needs none of its secrets, and is often in a terminal without them.
        return load_settings(commands.config_file(arguments.config), all_secrets=arguments.command == "doctor")

    return commands.run(arguments, load)


def _serve(arguments: argparse.Namespace) -> int:
    """Run the daemon, or only see whether its configuration would let it start."""
    from pipeline.config import load_settings
    from pipeline.keyring import has_made_tokens
    from pipeline.log import set_up_for_command

    given = {"api.host": arguments.host, "api.port": arguments.port}
    overrides = {key: value for key, value in given.items() if value is not None}
    file = commands.config_file(arguments.config)
    if file is None:
        print(f"no {commands.CONFIG} here: everything has its default / 没有该文件，使用默认值", file=sys.stderr)

    def load() -> Settings:
        # A file that was there at the start is missed if it is gone when it is to be read again.
        path = file or commands.config_file(None)
        return load_settings(path, overrides=overrides, has_made_tokens=has_made_tokens)

    set_up_for_command()  # until the daemon sets up its own log
    if arguments.check_config:
        return _check(load(), file)
    from daemon import serve

    return serve(load)


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


def _check(settings: Settings, file: Path | None) -> int:
    """Refuse what a start on this machine would refuse although every value is valid by itself."""
    from pipeline.engine.devices import find_devices

    find_devices(settings.transcribe.device, settings.scheduler.max_tasks_per_gpu)
    print(f"{file or 'defaults'}: fine / 配置正确")
    return FINE


def _print_schema() -> int:
    from pipeline.config import schema

    print(json.dumps(schema(), ensure_ascii=False, indent=2))
    return FINE


if __name__ == "__main__":
    sys.exit(main())
