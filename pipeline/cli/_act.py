"""Ask the daemon to do something to tasks that it has, one after another."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from http import HTTPStatus

from pipeline.cli import FAILED, FINE
from pipeline.cli._client import Client, Json, Refused

_NO_ROUTE = {HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED}


def act(client: Client, ids: Sequence[str], action: str, fields: Json | None = None) -> int:
    """Do it to every task and say how each stands now; one that cannot be does not keep the others back.

    Returns:
        The exit code: 0 if all went well.
    """
    code = FINE
    for task_id in dict.fromkeys(ids):
        try:
            print(f"{task_id}  {client.act(task_id, action, fields)['status']}")
        except Refused as refusal:
            told = _lacking(client, task_id, action) if refusal.status in _NO_ROUTE else None
            print(f"{task_id}: ", end="", file=sys.stderr)
            print(*(told or (refusal.message, refusal.localized)), sep="\n", file=sys.stderr)
            code = FAILED
    return code


def _lacking(client: Client, task_id: str, action: str) -> tuple[str, str]:
    """Tell a task that is not there from a daemon that is too old to do this to it."""
    try:
        client.state(task_id)
    except Refused as unknown:
        return unknown.message, unknown.localized
    return (
        f"This daemon cannot '{action}': it is an older version. Update it and start it again.",
        f"该服务版本较旧，不支持 {action}。请更新后重新启动。",
    )
