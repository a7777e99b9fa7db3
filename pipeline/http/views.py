"""The views: each takes one request that passed the door and answers it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from aiohttp import web

from pipeline.core.admission import Accepted
from pipeline.core.submission import Submission
from pipeline.core.task import Status
from pipeline.http import query, show
from pipeline.http.answers import answer, bare_answer
from pipeline.http.body import read_object
from pipeline.http.deps import Call, Deps, View
from pipeline.http.finding import find_task, task_id_of
from pipeline.http.form import FormLimits, is_form, read_form
from pipeline.http.idempotency import key_of, request_key
from pipeline.http.layers import MEDIA_TYPES, Format, Layer, check_pair, choose_layer, result, write_result
from pipeline.http.schema import parse_submission, parse_upload
from pipeline.refusals import Expired, MethodNotAllowed, NotFound

ALREADY_THERE = "the same work is already there"
LONGEST_WAIT_S = 60
PAGE, LARGEST_PAGE = 50, 200
LARGEST_CURSOR = 2**63 - 1

# ---------------------------------------------------------------------------------------------
# Submitting
# ---------------------------------------------------------------------------------------------


async def submit(deps: Deps, call: Call) -> web.StreamResponse:
    """Accept a video, several, or a file; or name the task that already does the same work."""
    name = key_of(call.request)
    if is_form(call.request):
        return _one_accepted(await _submit_file(deps, call, name))
    body = await read_object(call.request, max_mb=deps.settings.api.max_body_mb, timeout_s=deps.body_timeout_s)
    wanted = parse_submission(body)
    key = request_key(call.owner, name, body)
    if isinstance(wanted, Submission):
        return _one_accepted(await deps.intake.accept(wanted, call.owner, key))
    return _several_accepted(await deps.intake.accept_all(wanted, call.owner, key))


async def _submit_file(deps: Deps, call: Call, key_name: str | None) -> Accepted:
    api = deps.settings.api
    limits = FormLimits(file_mb=api.max_upload_mb, fields_mb=api.max_body_mb, stall_s=deps.body_timeout_s)
    async with deps.intake.receive() as incoming:
        name, fields = await read_form(call.request, incoming, limits)
        wanted = parse_upload(fields, name)
        upload = await incoming.finish()
        key = request_key(call.owner, key_name, {"fields": fields, "file": [name, upload.sha256]})
        # A sender who leaves now must not separate the file from its task.
        accepting = deps.intake.accept_upload(replace(wanted, upload=upload), incoming, call.owner, key)
        return await asyncio.shield(accepting)


def _one_accepted(outcome: Accepted) -> web.Response:
    headers = {"Location": f"/api/task/{outcome.task_id}"}
    if outcome.duplicate_of:
        return answer(show.accepted(outcome), message=ALREADY_THERE, headers=headers)
    return answer(show.accepted(outcome), status=202, message="accepted", headers=headers)


def _several_accepted(outcomes: Sequence[Accepted]) -> web.Response:
    data = {"tasks": [show.accepted(outcome) for outcome in outcomes]}
    if all(outcome.duplicate_of for outcome in outcomes):
        return answer(data, message=ALREADY_THERE)
    return answer(data, status=202, message="accepted")


# ---------------------------------------------------------------------------------------------
# Looking
# ---------------------------------------------------------------------------------------------


async def task_state(deps: Deps, call: Call) -> web.StreamResponse:
    """Show a task, after a wait if one is asked for: once it has come to its end, or the time is over."""
    wait_s = query.number(call.query, "wait", 0, LONGEST_WAIT_S) or 0
    with deps.bus.watch(task_id_of(call)) as onlooker:
        view = await find_task(deps, call)
        if wait_s and not view.task.status.final:
            await onlooker.final(wait_s)
            view = await find_task(deps, call)
    return answer(show.state(view))


async def task_list(deps: Deps, call: Call) -> web.StreamResponse:
    """Show a page of tasks, newest first."""
    tasks, following = await deps.store.page(
        call.owner,
        status=query.one_of(call.query, "status", Status),
        q=query.search(call.query, "q"),
        since=query.moment(call.query, "since"),
        limit=query.whole(call.query, "limit", 1, LARGEST_PAGE) or PAGE,
        before=query.whole(call.query, "cursor", 1, LARGEST_CURSOR),
    )
    next_cursor = None if following is None else str(following)
    return answer({"tasks": [show.state(view) for view in tasks], "next_cursor": next_cursor})


async def task_result(deps: Deps, call: Call) -> web.StreamResponse:
    """Show the text of a task, one layer of it, as soon as that is stored."""
    form = query.one_of(call.query, "format", Format) or Format.JSON
    wanted = query.one_of(call.query, "layer", Layer)
    check_pair(form, wanted)
    task = (await find_task(deps, call)).task
    layer = choose_layer(task, wanted)
    if task.text_is_removed:
        raise Expired
    segments = await deps.store.segments(task.id)
    made = result(layer, task, segments)
    if form is not Format.JSON:
        # Aligning a long text takes a moment, in which everybody else would have to wait.
        language = deps.settings.wechat.language
        body = await asyncio.to_thread(write_result, form, made, task, segments, language)
        return bare_answer(body, MEDIA_TYPES[form])
    transcript = task.artifacts.transcript
    return answer(
        {
            "task_id": task.id,
            "layer": made.layer,
            "language": transcript and transcript.language,
            "source": transcript and transcript.source,
            "text": made.text,
            "segments": made.segments,
        }
    )


async def task_messages(deps: Deps, call: Call) -> web.StreamResponse:
    """Show the messages of a task and what became of each."""
    task = (await find_task(deps, call)).task
    return answer(show.messages(await deps.store.messages(task.id)))


# ---------------------------------------------------------------------------------------------
# The daemon itself
# ---------------------------------------------------------------------------------------------


async def livez(_deps: Deps, _call: Call) -> web.StreamResponse:
    """Say that the daemon is alive."""
    return answer({"alive": True})


async def readyz(deps: Deps, _call: Call) -> web.StreamResponse:
    """Say whether the daemon can do its work, and if not, what is missing."""
    missing = [{"what": lack.what, "message": lack.message, "message_zh": lack.message_zh} for lack in deps.readiness()]
    if missing:
        return answer({"ready": False, "missing": missing}, status=503, message="not ready")
    return answer({"ready": True})


async def version(deps: Deps, _call: Call) -> web.StreamResponse:
    """Say which version this is."""
    return answer({"name": "transcribed", "version": deps.version})


# ---------------------------------------------------------------------------------------------
# What is not there
# ---------------------------------------------------------------------------------------------


async def nowhere(_deps: Deps, _call: Call) -> web.StreamResponse:
    """Refuse a path that no route has."""
    raise NotFound


def wrong_method(allowed: list[str]) -> View:
    """Make the view that refuses every other method on a path."""

    async def refuse_method(_deps: Deps, _call: Call) -> web.StreamResponse:
        raise MethodNotAllowed(f"allowed: {', '.join(allowed)}", more={"allowed": allowed})

    return refuse_method
