"""Follow tasks to their end, showing how far they are, and print what came of them."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from pathlib import PurePosixPath
from urllib.parse import unquote, urlsplit

from pipeline.cli import FAILED, FINE
from pipeline.cli._bars import Bar, Board
from pipeline.cli._client import Client, Json, Refused
from pipeline.errors import CommandFailed
from pipeline.redaction import printable

LOOK_EVERY_S = 0.5
FINAL = frozenset({"completed", "failed", "cancelled", "timeout"})


def follow(client: Client, ids: Sequence[str]) -> list[Json]:
    """Show the progress of tasks on standard error until all have come to their end; returns their last states.

    Raises:
        CommandFailed: a task is not known, or the daemon went away.
    """
    board = Board(sys.stderr)
    states = [_known(client, task_id) for task_id in ids]
    try:
        while True:
            board.draw([bar(state) for state in states])
            if all(state["status"] in FINAL for state in states):
                return states
            time.sleep(LOOK_EVERY_S)
            states = [state if state["status"] in FINAL else client.state(state["task_id"]) for state in states]
    except KeyboardInterrupt:
        raise _left(ids, "No longer watching; the daemon goes on.", "已停止查看，任务仍在继续。") from None
    except Refused:
        raise
    except CommandFailed as gone:
        raise _left(ids, f"{gone.message} No task is lost by that.", f"{gone.localized}任务不会丢失。") from None


def _left(ids: Sequence[str], english: str, chinese: str) -> CommandFailed:
    """Say why nobody watches any more, and how to go on."""
    command = f"python run_daemon.py watch {' '.join(ids)}"
    return CommandFailed(f"{english} Watch again: {command}", f"{chinese}再次查看：{command}")


def _known(client: Client, task_id: str) -> Json:
    """Ask for a task for the first time; who asks for several learns which one there is not."""
    try:
        return client.state(task_id)
    except Refused as refusal:
        raise CommandFailed(f"{task_id}: {refusal.message}", f"{task_id}：{refusal.localized}") from None


def tell(client: Client, states: Sequence[Json]) -> int:
    """Print the text of each completed task, and on standard error what went wrong with the others.

    Returns:
        The exit code: 0 if all were completed.
    """
    for state in states:
        if len(states) > 1:
            print(f"── {printable(title(state))} · {state['task_id']}")
        if state["status"] == "completed":
            print(client.text(state["task_id"]))
        for said in (*state["warnings"], *([state["error"]] if state["error"] else [])):
            _tell_trouble(state, said)
    return FINE if all(state["status"] == "completed" for state in states) else FAILED


def _tell_trouble(state: Json, said: Json) -> None:
    lines = [f"{title(state)}: {state['status']}: {said['message']}", said["message_zh"], said.get("hint") or ""]
    print(*(printable(line) for line in lines if line), sep="\n", file=sys.stderr)


def title(state: Json) -> str:
    """What a video is called: by its site, or by the end of its address."""
    known = (state["media"] or {}).get("title")
    address = urlsplit(state["url"])
    return str(known or unquote(PurePosixPath(address.path).name) or address.hostname or state["task_id"])


def bar(state: Json, label: str = "") -> Bar:
    """Show how far a task is; without a label by the title of its video."""
    progress, final = state["progress"], state["status"] in FINAL
    stage = state["stage"] if state["status"] in {"processing", "completed"} else state["status"]
    if state["waiting_for"] and not final:
        stage += f", waits for {state['waiting_for']}"
    if state["status"] == "retrying" and state["error"]:
        stage += f" ({state['attempt']} of {state['max_attempts']}): {state['error']['type']}"
    return Bar(label or title(state), progress["percent"], stage, "" if final else _note(progress), final)


def _note(progress: Json) -> str:
    speed = f"{progress['speed']:.1f}×" if progress["speed"] else ""
    left = progress["eta_seconds"]
    return "  ".join(filter(None, [speed, f"{left // 60:.0f}:{left % 60:02.0f} left" if left else ""]))
