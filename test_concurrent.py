"""See with your own eyes that videos are worked on side by side, and that messages keep their order.

``python test_concurrent.py --demo`` starts a daemon of its own, with a local video site and no network;
``python test_concurrent.py --videos URL URL …`` submits to a daemon that is running. The exit code is 0 only if
downloads overlapped, transcriptions overlapped, and every video's messages came in one piece.

This is no test for pytest, whatever its name: importing it does nothing.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path

from pipeline.cli import USAGE
from pipeline.cli._output import show_any_character
from pipeline.cli._packages import lacking

try:
    from examples.timeline import Look, Phase, broken_runs, drawn, mixed, most_at_once, order, phase, sent
    from examples.world import world
    from pipeline.cli._bars import Board
    from pipeline.cli._client import Client, Json, add_daemon_options, connect
    from pipeline.cli._follow import FINAL, bar, title
    from pipeline.cli.commands import CONFIG, config_file
    from pipeline.config import load_settings
    from pipeline.errors import CommandFailed, ConfigInvalid
except ModuleNotFoundError as missing:
    if __name__ != "__main__":
        raise
    print(*lacking(missing, "test_concurrent.py"), sep="\n", file=sys.stderr)
    sys.exit(USAGE)

LOOK_EVERY_S = 0.1
DOWNLOAD_S = 0.5
"""The site of ``--demo`` is so slow that downloads can be seen."""
AT_ONCE = 2
MOST_VIDEOS = 100


def main(argv: Sequence[str] | None = None) -> int:
    """Submit, watch, draw, judge; 0 if everything held."""
    show_any_character()
    parser = _parser()
    arguments = parser.parse_args(argv)
    if not arguments.demo and not AT_ONCE <= len(arguments.videos) <= MOST_VIDEOS:
        parser.error(f"--videos: name 2 to {MOST_VIDEOS} videos / 请给出 2 到 {MOST_VIDEOS} 个视频地址")
    try:
        with ExitStack() as stack:
            client, urls = _demo(stack) if arguments.demo else (_running(arguments), arguments.videos)
            problems = _check(client, urls)
    except ConfigInvalid as invalid:
        print(*invalid.problems, sep="\n", file=sys.stderr)
        return USAGE
    except CommandFailed as failure:
        print(failure.message, failure.localized, sep="\n", file=sys.stderr)
        return 1
    print("\nNot everything held:" if problems else "\nEverything held.", *problems, sep="\n  - ")
    return 1 if problems else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--demo", action="store_true", help="start a daemon and a video site for this check alone")
    which.add_argument(
        "--videos", nargs="+", action="extend", metavar="URL", help="submit these to a running daemon, at least two"
    )
    parser.add_argument("--config", type=Path, metavar="FILE", help=f"of the running daemon (default: {CONFIG})")
    add_daemon_options(parser)
    return parser


def _running(arguments: argparse.Namespace) -> Client:
    return connect(arguments, lambda: load_settings(config_file(arguments.config), all_secrets=False))


def _demo(stack: ExitStack) -> tuple[Client, list[str]]:
    print("Starting a daemon and a local video site …")
    here = stack.enter_context(world(download_s=DOWNLOAD_S))
    daemon = stack.enter_context(here.daemon)
    return Client(daemon.url, daemon.token), [recording.url for recording in here.recordings]


def _check(client: Client, urls: Sequence[str]) -> list[str]:
    """Submit all videos at once and follow them to their end; returns what did not hold."""
    print(f"The daemon answers at {client.url}. Submitting {len(urls)} videos at once:\n")
    # Work that was done before would be given back as it is, and nothing would overlap.
    ids = [client.submit({"url": url, "force": True})["task_id"] for url in urls]
    looks, states = _watch(client, ids)
    names = [title(state) for state in states]

    print("\nTime", *drawn(names, looks), sep="\n")
    delivered = [
        message for name, task_id in zip(names, ids, strict=True) for message in sent(name, client.messages(task_id))
    ]
    began = min(datetime.fromisoformat(state["created_at"]) for state in states)
    print("\nMessages, in the order in which they came", *order(delivered, began), sep="\n")

    problems = [
        f"{name}: {state['status']}"
        for name, state in zip(names, states, strict=True)
        if state["status"] != "completed"
    ]
    return problems + _overlaps(looks) + broken_runs(delivered)


def _watch(client: Client, ids: Sequence[str]) -> tuple[list[Look], list[Json]]:
    """Look at all tasks again and again, each time at one moment, until they have come to their end."""
    board, looks, began = Board(sys.stdout), [], time.monotonic()
    while True:
        latest = {state["task_id"]: state for state in client.tasks(2 * MOST_VIDEOS)}
        states = [latest.get(task_id) or client.state(task_id) for task_id in ids]
        looks.append(Look(time.monotonic() - began, tuple(map(phase, states))))
        board.draw([bar(state) for state in states])
        if all(state["status"] in FINAL for state in states):
            return looks, states
        time.sleep(LOOK_EVERY_S)


def _overlaps(looks: Sequence[Look]) -> list[str]:
    downloads, transcriptions = (most_at_once(looks, each) for each in (Phase.DOWNLOADS, Phase.TRANSCRIBES))
    print(f"\nMost downloads at the same time: {downloads}; most transcriptions: {transcriptions}; one video was")
    print(f"{'' if mixed(looks) else 'never '}downloaded while another was transcribed.")
    lone = "was under way at a time: see {}, or try longer videos"
    return [
        *([f"never more than one download {lone.format('concurrent.max_workers')}"] if downloads < AT_ONCE else []),
        *(
            [f"never more than one transcription {lone.format('scheduler.max_tasks_per_gpu')}"]
            if transcriptions < AT_ONCE
            else []
        ),
    ]


if __name__ == "__main__":
    sys.exit(main())
