"""``backup PATH``: a consistent copy of the store, made by the running daemon, or here if none runs."""

from __future__ import annotations

import argparse
import json
import socket
import sys
from pathlib import Path

from pipeline.cli import FINE
from pipeline.cli.commands import LoadSettings
from pipeline.data_folder import DataFolder, backup_socket
from pipeline.errors import CommandFailed
from pipeline.store.backup import back_up_closed

_EXAMPLES = """\
examples:
  run_daemon.py backup /backup/transcribed-$(date +%F).db    a copy of all tasks, texts and messages, in one file

The daemon goes on meanwhile. The file has its name only when it is whole and was checked; one that is there already
is never overwritten. To restore: stop the daemon, put the file in place of transcribed.db, remove transcribed.db-wal,
start."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command and its arguments."""
    parser.epilog = _EXAMPLES
    parser.add_argument("path", type=Path, metavar="PATH", help="the file to make")


def run(arguments: argparse.Namespace, load: LoadSettings) -> int:
    """Make the copy; returns the exit code."""
    folder, path = load().storage.dir.absolute(), arguments.path.absolute()
    size_bytes = _ask_daemon(folder, path)
    if size_bytes is None:
        size_bytes = _make_here(folder, path)
    print(path)
    print(f"{size_bytes / 1e6:.1f} MB, checked / 已校验", file=sys.stderr)
    return FINE


def _ask_daemon(folder: Path, path: Path) -> int | None:
    """Have the running daemon make it; None if none runs."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        try:
            with backup_socket(folder) as address:
                connection.connect(str(address))
        except (FileNotFoundError, ConnectionRefusedError):
            return None
        except OSError as error:
            raise CommandFailed(
                f"{folder}: {error.strerror}. Become the user that the daemon runs as: sudo -u USER …",
                f"{folder}：无法访问。请切换到运行服务的用户：sudo -u USER …",
            ) from None
        with connection.makefile("rwb") as line:
            line.write(json.dumps({"path": str(path)}).encode() + b"\n")
            line.flush()
            answer = line.readline()
    if not answer:
        raise CommandFailed("The daemon ended before the backup was made.", "备份完成之前服务已退出。")
    said = json.loads(answer)
    if "error" in said:
        raise CommandFailed(*said["error"])
    return int(said["bytes"])


def _make_here(folder: Path, path: Path) -> int:
    """Make it while no daemon can be started."""
    if not (folder / "transcribed.db").is_file():
        raise CommandFailed(f"{folder} holds no database yet.", f"{folder} 中还没有数据库。")
    with DataFolder(folder) as held:
        return back_up_closed(held.database, path)
