"""``models list`` and ``models fetch NAME``: what the configuration names, and getting it onto this machine."""

from __future__ import annotations

import argparse
import sys

from pipeline.cli import FAILED, FINE
from pipeline.cli._bars import Bar, Board
from pipeline.cli.commands import LoadSettings, add_action
from pipeline.config import Settings
from pipeline.engine import model_fetch
from pipeline.engine.devices import find_devices
from pipeline.engine.models import local_folder, resolve_auto
from pipeline.failures import ModelMissing
from pipeline.log import set_up_for_command

_EXAMPLES = """\
examples:
  run_daemon.py models list                  which models the configuration names, and whether they are here
  run_daemon.py models fetch large-v3-turbo  fetch one from the hub, so that no task has to wait for it"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command and its arguments."""
    parser.epilog = _EXAMPLES
    actions = parser.add_subparsers(dest="action", required=True, metavar="list | fetch NAME")
    add_action(actions, "list", "list the models named in the configuration and whether they are here")
    fetch = add_action(actions, "fetch", "fetch a model from the hub into its cache")
    fetch.add_argument("name", metavar="NAME", help="its name, such as small or large-v3-turbo")


def run(arguments: argparse.Namespace, load: LoadSettings) -> int:
    """Do what was asked; returns the exit code."""
    set_up_for_command()
    return _fetch(arguments.name) if arguments.action == "fetch" else _list(load())


def _list(settings: Settings) -> int:
    devices = find_devices(settings.transcribe.device, settings.scheduler.max_tasks_per_gpu)
    for wanted in dict.fromkeys((settings.transcribe.model, *settings.transcribe.models)):
        name = resolve_auto(wanted, devices)
        shown = name if name == wanted else f"{wanted} = {name}"
        print(f"{shown:<32} {_place(name)}")
    return FINE


def _place(name: str) -> str:
    folder = local_folder(name)
    if folder is not None:
        return str(folder)
    try:
        return str(model_fetch.cached(name))
    except ModelMissing:
        return f"not here: run 'python run_daemon.py models fetch {name}' / 不在本机，请运行该命令下载"


def _fetch(name: str) -> int:
    if local_folder(name) is not None:
        print(f"{name} is here already: {local_folder(name)}")
        return FINE
    board = Board(sys.stderr)
    try:
        found = model_fetch.main({"name": name}, lambda progress: board.draw([_bar(name, **progress)]))
    except ModelMissing as error:
        print(f"{error.message}\n{error.localized}", file=sys.stderr)
        return FAILED
    print(found["folder"])
    return FINE


def _bar(name: str, *, bytes_done: int, bytes_total: int) -> Bar:
    percent = 100 * bytes_done / max(1, bytes_total)
    return Bar(
        name, percent, "fetching", f"{bytes_done / 2**20:.0f} of {bytes_total / 2**20:.0f} MB" if bytes_total else ""
    )
