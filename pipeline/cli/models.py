"""``models list``, ``fetch NAME``, ``update NAME``: what the configuration names, and getting it onto this machine."""

from __future__ import annotations

import argparse
import signal
import sys
from pathlib import Path

from pipeline.cli import FAILED, FINE
from pipeline.cli._bars import Bar, Board
from pipeline.cli.commands import LoadSettings, add_action
from pipeline.config import Settings
from pipeline.engine import model_fetch
from pipeline.engine.devices import find_devices
from pipeline.engine.model_record import ModelRecord
from pipeline.engine.models import local_folder, resolve_auto
from pipeline.failures import ModelCorrupt, ModelMissing, StageFailed
from pipeline.log import set_up_for_command

_EXAMPLES = """\
examples:
  run_daemon.py models list                  which models the configuration names, and whether they are here
  run_daemon.py models fetch large-v3-turbo  fetch one from the hub, so that no task has to wait for it
  run_daemon.py models update small          fetch its newest revision, and stay with that from the next start on"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command and its arguments."""
    parser.epilog = _EXAMPLES
    actions = parser.add_subparsers(dest="action", required=True, metavar="list | fetch NAME | update NAME")
    add_action(actions, "list", "list the models named in the configuration and whether they are here")
    fetch = add_action(actions, "fetch", "fetch a model from the hub into its cache")
    update = add_action(
        actions, "update", "fetch another revision of a model; the daemon uses it from its next start on"
    )
    for action in (fetch, update):
        action.add_argument("name", metavar="NAME", help="its name, such as small or large-v3-turbo")
    update.add_argument("--revision", metavar="COMMIT", help="which one; the newest if none is given")


def run(arguments: argparse.Namespace, load: LoadSettings) -> int:
    """Do what was asked; returns the exit code."""
    set_up_for_command()
    settings = load()
    record = ModelRecord(settings.storage.dir)
    match arguments.action:
        case "list":
            return _list(settings, record)
        case "fetch":
            return _fetch(arguments.name, record)
        case _:
            return _update(arguments.name, arguments.revision, record)


def _list(settings: Settings, record: ModelRecord) -> int:
    devices = find_devices(settings.transcribe.device, settings.scheduler.max_tasks_per_gpu)
    for wanted in dict.fromkeys((settings.transcribe.model, *settings.transcribe.models)):
        name = resolve_auto(wanted, devices)
        shown = name if name == wanted else f"{wanted} = {name}"
        print(f"{shown:<32} {_state(name, record)}")
    return FINE


def _state(name: str, record: ModelRecord) -> str:
    cure = f"run 'python run_daemon.py models fetch {name}'"
    try:
        return str(_look_at(name, record))
    except ModelMissing:
        return f"not here: {cure} / 不在本机，请运行该命令下载"
    except ModelCorrupt as error:
        return f"damaged ({error.detail}): {cure} / 已损坏，请运行该命令重新下载"


def _look_at(name: str, record: ModelRecord) -> Path:
    """Find a model that is here, and compare it with what it is to be; the folder of one of the hub is its revision."""
    folder = local_folder(name)
    if folder is not None:
        record.check(name, folder)
        return folder
    folder = model_fetch.cached(name, record.revision(name))
    record.check(name, folder, folder.name)
    return folder


def _fetch(name: str, record: ModelRecord) -> int:
    try:
        print(_look_at(name, record))
    except ModelMissing:
        return _fetch_anew(name, record.revision(name), record)
    except ModelCorrupt as error:
        if local_folder(name) is not None:
            return _fail(error)
        revision = record.revision(name)
        model_fetch.remove(model_fetch.cached(name, revision))
        return _fetch_anew(name, revision, record)
    return FINE


def _update(name: str, revision: str | None, record: ModelRecord) -> int:
    if local_folder(name) is not None:
        print(f"{name} is a folder: put the new files there / {name} 是一个目录，请直接把新文件放进去", file=sys.stderr)
        return FAILED
    return _fetch_anew(name, revision, record)


def _fetch_anew(name: str, revision: str | None, record: ModelRecord) -> int:
    """Have the hub give a revision; from then on the model is pinned to it."""
    # The hub's client would heed Ctrl-C only with the last byte. What is there by then is continued by the next fetch.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    board = Board(sys.stderr)
    try:
        folder = model_fetch.fetch(name, revision, lambda progress: board.draw([_bar(name, **progress)]))
        record.check(name, folder, folder.name)
    except (ModelMissing, ModelCorrupt) as error:
        return _fail(error)
    print(folder)
    return FINE


def _fail(error: StageFailed) -> int:
    print(f"{error.message}\n{error.localized}", file=sys.stderr)
    return FAILED


def _bar(name: str, *, bytes_done: int, bytes_total: int) -> Bar:
    percent = 100 * bytes_done / max(1, bytes_total)
    return Bar(
        name, percent, "fetching", f"{bytes_done / 2**20:.0f} of {bytes_total / 2**20:.0f} MB" if bytes_total else ""
    )
