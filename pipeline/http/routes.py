"""The route table: which path is answered by which view, what it takes, and what it answers."""

from __future__ import annotations

from pipeline.http import pages, shapes, shapes_daemon, views, views_control, views_figures, views_robots
from pipeline.http.deps import Route
from pipeline.http.layers import MEDIA_TYPES
from pipeline.http.openapi import WRONG_FIELD
from pipeline.http.schema import RetryBody, SubmitBody
from pipeline.intake import KEY_HEADER
from pipeline.refusals import (
    BodyTooLarge,
    Conflict,
    Expired,
    IdempotencyConflict,
    InvalidBody,
    InvalidJson,
    LayerAbsent,
    ModelUnavailable,
    NoSpace,
    NotFound,
    NotReady,
    QueueFull,
    ShuttingDown,
    UnsupportedMediaType,
    UrlRefused,
)

_BODY = (InvalidJson, InvalidBody, BodyTooLarge, UnsupportedMediaType, *WRONG_FIELD)
_ACCEPTED = (shapes.AcceptedTask, shapes.AcceptedTasks)
_CHANGED = (shapes.ChangedTask,)

ROUTES: tuple[Route, ...] = (
    Route(
        "POST",
        "/api/transcribe",
        views.submit,
        headers=(KEY_HEADER,),
        body=SubmitBody,
        form=True,
        answers={202: _ACCEPTED, 200: _ACCEPTED},
        refusals=(*_BODY, UrlRefused, ModelUnavailable, IdempotencyConflict, QueueFull, ShuttingDown, NoSpace),
    ),
    Route(
        "GET",
        "/api/task/{task_id}",
        views.task_state,
        query=frozenset({"wait"}),
        answers={200: (shapes.TaskState,)},
        refusals=(NotFound,),
    ),
    Route(
        "DELETE",
        "/api/task/{task_id}",
        views_control.delete,
        answers={204: ()},
        refusals=(NotFound, Conflict, NoSpace),
    ),
    Route(
        "GET",
        "/api/task/{task_id}/result",
        views.task_result,
        query=frozenset({"format", "layer"}),
        answers={200: (shapes.TaskResult,)},
        bare=tuple(MEDIA_TYPES.values()),
        refusals=(NotFound, NotReady, Expired, LayerAbsent),
    ),
    Route(
        "GET",
        "/api/task/{task_id}/messages",
        views.task_messages,
        answers={200: (shapes.TaskMessages,)},
        refusals=(NotFound,),
    ),
    Route(
        "POST",
        "/api/task/{task_id}/cancel",
        views_control.cancel,
        answers={202: _CHANGED, 200: _CHANGED},
        refusals=(NotFound, Conflict, NoSpace),
    ),
    Route(
        "POST",
        "/api/task/{task_id}/retry",
        views_control.retry,
        body=RetryBody,
        body_needed=False,
        answers={202: _CHANGED},
        refusals=(*_BODY, NotFound, Conflict, NoSpace),
    ),
    Route(
        "POST",
        "/api/task/{task_id}/redeliver",
        views_control.redeliver,
        answers={202: _CHANGED},
        refusals=(NotFound, Conflict, NoSpace),
    ),
    Route(
        "GET",
        "/api/tasks",
        views.task_list,
        query=frozenset({"status", "q", "since", "limit", "cursor"}),
        answers={200: (shapes.TaskPage,)},
    ),
    Route("GET", "/api/queue", views_figures.queue, answers={200: (shapes_daemon.Queue,)}),
    Route("GET", "/api/gpu", views_figures.gpu, answers={200: (shapes_daemon.Devices,)}),
    Route("GET", "/api/metrics", views_figures.metrics, answers={200: (shapes_daemon.Metrics,)}),
    Route("GET", "/api/robots", views_robots.robot_list, answers={200: (shapes_daemon.Robots,)}),
    Route(
        "POST",
        "/api/robots/{name}/test",
        views_robots.robot_test,
        answers={200: (shapes_daemon.RobotTest,)},
        refusals=(NotFound,),
    ),
    Route(
        "POST",
        "/api/robots/{name}/resume",
        views_robots.robot_resume,
        answers={200: (shapes_daemon.Robot,)},
        refusals=(NotFound,),
    ),
    Route("GET", "/livez", views.livez, query=None, public=True, answers={200: (shapes_daemon.Alive,)}),
    Route(
        "GET",
        "/readyz",
        views.readyz,
        query=None,
        public=True,
        answers={200: (shapes_daemon.Readiness,), 503: (shapes_daemon.Readiness,)},
    ),
    Route("GET", "/version", views.version, query=None, public=True, answers={200: (shapes_daemon.Version,)}),
    Route(
        "GET",
        "/openapi.json",
        pages.describing(lambda: ROUTES),
        query=None,
        public=True,
        bare=("application/json",),
    ),
    Route("GET", "/docs", pages.docs, query=None, public=True, bare=("text/html",)),
    Route("GET", "/static/{name}", pages.static, query=None, public=True, bare=pages.MEDIA_TYPES, refusals=(NotFound,)),
)
"""Sorted by path where one path takes several methods."""
