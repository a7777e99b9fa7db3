"""The views of what an owner may still ask of a task: cancel, retry, redeliver, delete."""

from __future__ import annotations

from http import HTTPStatus

from aiohttp import web

from pipeline.control import AUTO
from pipeline.http.answers import answer
from pipeline.http.body import read_object
from pipeline.http.deps import Call, Deps
from pipeline.http.finding import find_task
from pipeline.http.schema import parse_retry


async def cancel(deps: Deps, call: Call) -> web.StreamResponse:
    """Cancel a task, whatever it is doing."""
    task = (await find_task(deps, call)).task
    if await deps.control.cancel(task.id):
        return answer({"task_id": task.id, "status": "cancelled"}, status=202, message="cancelled")
    return answer({"task_id": task.id, "status": "cancelled"}, message="it is cancelled already")


async def retry(deps: Deps, call: Call) -> web.StreamResponse:
    """Start a finished task again; without a body from its first missing product."""
    task = (await find_task(deps, call)).task
    start = AUTO
    if call.request.can_read_body:
        max_mb = deps.settings.api.max_body_mb
        start = parse_retry(await read_object(call.request, max_mb=max_mb, timeout_s=deps.body_timeout_s))
    await deps.control.retry(task.id, start)
    return answer({"task_id": task.id, "status": "retrying"}, status=202, message="accepted")


async def redeliver(deps: Deps, call: Call) -> web.StreamResponse:
    """Send a completed task's messages again."""
    task = (await find_task(deps, call)).task
    await deps.control.redeliver(task.id)
    return answer({"task_id": task.id, "status": "processing"}, status=202, message="accepted")


async def delete(deps: Deps, call: Call) -> web.StreamResponse:
    """Remove a finished task, its text, its messages and its files."""
    task = (await find_task(deps, call)).task
    await deps.control.delete(task.id)
    return web.Response(status=HTTPStatus.NO_CONTENT)
