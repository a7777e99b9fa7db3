"""What every request goes through on its way to its view."""

from __future__ import annotations

import secrets
import time
from collections.abc import Awaitable, Callable
from functools import partial
from itertools import groupby

import structlog
from aiohttp import web

from pipeline.errors import Interrupted
from pipeline.failures import DiskFull
from pipeline.http import query, views
from pipeline.http.answers import COMMON_HEADERS, REQUEST_ID, refuse
from pipeline.http.auth import Door
from pipeline.http.body import check_expectation, check_protocol
from pipeline.http.deps import Call, Deps, Route
from pipeline.http.routes import ROUTES
from pipeline.intake import RESTART_S
from pipeline.refusals import (
    DbBusy,
    Internal,
    NoSpace,
    NotFound,
    Refusal,
    ShuttingDown,
)

log = structlog.get_logger()

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

# Matches line breaks too: a path that slips past every route would be answered without asking for the token.
_ANYWHERE = Route("*", r"/{rest:[\s\S]*}", views.nowhere, query=None)


def make_app(deps: Deps) -> web.Application:
    """Build the application from the route table."""
    app = web.Application(middlewares=[_envelope])
    door = Door(deps.keyring)
    for path, group in groupby((*ROUTES, _ANYWHERE), key=lambda route: route.path):
        resource = app.router.add_resource(path)
        for route in _with_the_rest(list(group)):
            for method in _methods(route):
                resource.add_route(method, partial(_serve, deps, door, route), expect_handler=_decide_later)
    return app


def _with_the_rest(routes: list[Route]) -> list[Route]:
    """Add the route that refuses every other method on the path, unless all are taken."""
    allowed = [method for route in routes for method in _methods(route)]
    if "*" in allowed:
        return routes
    others = Route("*", routes[0].path, views.wrong_method(allowed), query=None, public=routes[0].public)
    return [*routes, others]


def _methods(route: Route) -> list[str]:
    return ["GET", "HEAD"] if route.method == "GET" else [route.method]


async def _serve(deps: Deps, door: Door, route: Route, request: web.Request) -> web.StreamResponse:
    """Ask for the token, check what is known of the request by now, and let the view answer."""
    owner = "" if route.public else door.admit(request)
    check_expectation(request)
    known = {} if route.query is None else query.check_names(request.query, route.query)
    return await route.view(deps, Call(request, owner, known))


async def _decide_later(_request: web.Request) -> None:
    """Leave ``Expect`` to those who read the body, after the token was checked."""


@web.middleware
async def _envelope(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Give every request an id, every error the one shape, and every answer the common headers."""
    request_id, began = secrets.token_hex(8), time.monotonic()
    try:
        check_protocol(request)
        response = await handler(request)
    except ConnectionError:  # the client is gone, and with it whoever would read an answer
        raise
    except Exception as error:
        refusal = _refusal(error)
        if isinstance(refusal, Internal):
            log.exception("a request failed", request_id=request_id, method=request.method, path=request.path)
        response = refuse(refusal, request_id)
    response.headers.update(COMMON_HEADERS)
    response.headers[REQUEST_ID] = request_id
    # Parameters by name only: a value may be a search for something private.
    log.debug(
        "request",
        request_id=request_id,
        method=request.method,
        path=request.path,
        query=sorted(set(request.query)),
        status=response.status,
        took_s=round(time.monotonic() - began, 4),
    )
    return response


def _refusal(error: Exception) -> Refusal:
    """Translate whatever ended a request into the refusal its client sees."""
    match error:
        case DbBusy():
            return DbBusy(error.detail, retry_after=1)
        case Refusal():
            return error
        case DiskFull():
            return NoSpace(error.detail)
        case Interrupted():  # the store closes last, a request may still be in hand
            return ShuttingDown(retry_after=RESTART_S)
        case web.HTTPNotFound():  # by aiohttp itself, for a target that is no path, as in "OPTIONS *"
            return NotFound()
    return Internal()
