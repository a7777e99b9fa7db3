"""The description of the API in OpenAPI 3.1, made from the route table and the shapes it names."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Mapping, Sequence
from http import HTTPStatus
from typing import Any, Literal

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from pipeline.core.task import Status
from pipeline.http.deps import Route
from pipeline.http.form import FILE
from pipeline.http.idempotency import LONGEST_KEY
from pipeline.http.layers import Format, Layer
from pipeline.http.schema import ADDRESSES
from pipeline.http.shapes import Refused
from pipeline.intake import KEY_HEADER
from pipeline.refusals import (
    DbBusy,
    Internal,
    InvalidValue,
    NotAcceptable,
    RateLimited,
    Refusal,
    ShuttingDown,
    Unauthorized,
    UnknownField,
)

Json = dict[str, Any]

WRONG_FIELD = (UnknownField, InvalidValue)
EVERYWHERE = (NotAcceptable, Internal)
WITH_A_TOKEN = (Unauthorized, RateLimited, DbBusy, ShuttingDown)
"""What any route that needs a token may refuse with: the store may be busy, and closes last."""

_TRY_AGAIN = {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE}
_REF = "#/components/schemas/{model}"

_PARAMETERS: Mapping[str, tuple[Json, str]] = {
    "task_id": ({"type": "string", "pattern": "^[0-9a-z]{1,32}$"}, "Id of a task."),
    "name": ({"type": "string"}, "Name of a robot, or of a file."),
    "wait": (
        {"type": "number", "minimum": 0, "maximum": 60, "default": 0},
        "Answer when the task has come to its end, at the latest after so many seconds.",
    ),
    "format": ({"type": "string", "enum": list(Format), "default": Format.JSON}, "How the text is written."),
    "layer": ({"type": "string", "enum": list(Layer)}, "Which text; by default the best there is."),
    "status": ({"type": "string", "enum": list(Status)}, "Only tasks of this status."),
    "q": ({"type": "string", "maxLength": 200}, "Only tasks with this in title or address, in any case of letters."),
    "since": ({"type": "string"}, "Only tasks accepted from this time on, RFC 3339 or seconds since 1970."),
    "limit": ({"type": "integer", "minimum": 1, "maximum": 200, "default": 50}, "How many tasks, at most."),
    "cursor": ({"type": "string", "pattern": "^[1-9][0-9]{0,17}$"}, "The `next_cursor` of the page before."),
    KEY_HEADER: (
        {"type": "string", "pattern": f"^[ -~]{{1,{LONGEST_KEY}}}$"},
        "Names the request: the same again within 24 hours gets the same answer, and nothing is done.",
    ),
}
"""Every parameter of a path, a query or the headers, by its name."""

_TAGS = (
    ("/api/robots", "robots"),
    ("/api/queue", "daemon"),
    ("/api/metrics", "daemon"),
    ("/api/", "tasks"),
    ("/", "daemon"),
)


def describe(routes: Sequence[Route], version: str) -> Json:
    """Make the description.

    Args:
        routes: the route table.
        version: of the product.
    """
    paths: dict[str, Json] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "transcribed",
            "version": version,
            "summary": "Give it the address of a video, and it delivers the text of what is said there.",
            "description": "Routes that take GET take HEAD as well.",
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": "/"}],
        "security": [{"token": []}],
        "tags": [{"name": name} for name in ("tasks", "robots", "daemon")],
        "paths": paths,
        "components": {
            "schemas": _schemas(routes),
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def _operation(route: Route) -> Json:
    said = inspect.cleandoc(route.view.__doc__ or "").replace("``", "`")
    operation: Json = {
        "operationId": route.view.__name__,
        "summary": said.partition("\n")[0],
        "tags": [next(tag for start, tag in _TAGS if route.path.startswith(start))],
        "parameters": list(_parameters(route)),
        "responses": dict(sorted(_responses(route))),
    }
    if route.public:
        operation["security"] = []
    if route.body:
        operation["requestBody"] = {"required": route.body_needed, "content": _request_content(route.body, route)}
    return operation


def _parameters(route: Route) -> Iterator[Json]:
    for name in re.findall(r"{(\w+)}", route.path):
        schema, meaning = _PARAMETERS[name]
        yield {"name": name, "in": "path", "required": True, "schema": schema, "description": meaning}
    for name in sorted(route.query or ()):
        schema, meaning = _PARAMETERS[name]
        yield {"name": name, "in": "query", "schema": schema, "description": meaning}
    for name in route.headers:
        schema, meaning = _PARAMETERS[name]
        yield {"name": name, "in": "header", "schema": schema, "description": meaning}


def _request_content(body: type[BaseModel], route: Route) -> Json:
    content: Json = {"application/json": {"schema": _ref(body)}}
    if route.form:
        fields = {name: {"type": "string"} for name in body.model_fields if name not in ADDRESSES}
        fields[FILE] = {"type": "string", "contentMediaType": "application/octet-stream"}
        content["multipart/form-data"] = {
            "schema": {
                "description": "A file, and fields of the JSON body written as text; objects are written as JSON.",
                "type": "object",
                "properties": fields,
                "required": [FILE],
                "additionalProperties": False,
            }
        }
    return content


# ---------------------------------------------------------------------------------------------
# Answers
# ---------------------------------------------------------------------------------------------


def refusals_of(route: Route) -> list[type[Refusal]]:
    """Every refusal that a route may answer with, leaves only."""
    found = [*route.refusals, *EVERYWHERE]
    if not route.public:
        found += WITH_A_TOKEN
    if route.query is not None:
        found += WRONG_FIELD
    return [leaf for refusal in dict.fromkeys(found) for leaf in _leaves(refusal)]


def _leaves(refusal: type[Refusal]) -> Iterator[type[Refusal]]:
    branches = refusal.__subclasses__()
    if not branches:
        yield refusal
    for branch in branches:
        yield from _leaves(branch)


def _responses(route: Route) -> Iterator[tuple[str, Json]]:
    for status, shapes in route.answers.items():
        bare = route.bare if status == HTTPStatus.OK else ()
        response: Json = {"description": HTTPStatus(status).phrase}
        if content := _content(status, shapes, bare):
            response["content"] = content
        yield str(status), response
    if route.bare and HTTPStatus.OK not in route.answers:
        yield "200", {"description": "OK", "content": _content(200, (), route.bare)}
    by_status: dict[int, list[type[Refusal]]] = {}
    for refusal in refusals_of(route):
        if refusal.status not in route.answers:
            by_status.setdefault(refusal.status, []).append(refusal)
    for status, refusals in by_status.items():
        yield str(status), _refused(refusals)


def _content(status: int, shapes: Sequence[type[BaseModel]], bare: Sequence[str]) -> Json:
    content: Json = {media_type.partition(";")[0]: {"schema": {}} for media_type in bare}
    if shapes:
        data = [_ref(shape) for shape in shapes]
        envelope = {"code": {"const": status}, "message": {"type": "string"}}
        envelope["data"] = data[0] if len(data) == 1 else {"oneOf": data}
        schema = {"type": "object", "properties": envelope, "required": list(envelope), "additionalProperties": False}
        content["application/json"] = {"schema": schema}
    return content


def _refused(refusals: Sequence[type[Refusal]]) -> Json:
    meanings = [f"- `{refusal.type}`: {inspect.cleandoc(refusal.__doc__ or '')}" for refusal in refusals]
    response: Json = {
        "description": "\n".join(meanings),
        "content": {"application/json": {"schema": _ref(Refused)}},
    }
    if refusals[0].status in _TRY_AGAIN:
        seconds = {"type": "integer", "minimum": 1}
        response["headers"] = {"Retry-After": {"description": "Where it is known, in seconds.", "schema": seconds}}
    return response


def _ref(model: type[BaseModel]) -> Json:
    return {"$ref": _REF.format(model=model.__name__)}


def _schemas(routes: Sequence[Route]) -> Json:
    """The schemas of all bodies, as they are taken or given, by name."""
    modes: dict[type[BaseModel], Literal["validation", "serialization"]] = {Refused: "serialization"}
    for route in routes:
        if route.body:
            modes[route.body] = "validation"
        modes |= {shape: "serialization" for shapes in route.answers.values() for shape in shapes}
    _, definitions = models_json_schema(list(modes.items()), ref_template=_REF)
    schemas: Json = definitions["$defs"]
    return schemas
