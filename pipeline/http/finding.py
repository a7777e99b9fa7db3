"""Find the task that a request's path names."""

from __future__ import annotations

import re

from pipeline.http.deps import Call, Deps
from pipeline.refusals import NotFound
from pipeline.task_store import TaskView

_TASK_ID = re.compile(r"[0-9a-z]{1,32}")


def task_id_of(call: Call) -> str:
    """Take the id out of the path.

    Raises:
        NotFound: no task can have this id.
    """
    task_id = call.request.match_info["task_id"]
    if not _TASK_ID.fullmatch(task_id):
        raise NotFound
    return task_id


async def find_task(deps: Deps, call: Call) -> TaskView:
    """Find the caller's task; another owner's is as unknown as one that never was.

    Raises:
        NotFound: the caller has no such task.
    """
    view = await deps.store.view(task_id_of(call), call.owner)
    if view is None:
        raise NotFound
    return view
