"""The requests that create or move a run: each is a span of that run's trace, and its log line names the run."""

import time

import flask

from app import logs, tracing
from app.api.resources import roles
from app.tracing import Kind


def begin_request() -> None:
    """Record when the request came, since it is not known yet whether it is about a run."""
    flask.g.came_ns = time.time_ns()


def mark_run(run_id: str) -> None:
    """Record which run the request is about."""
    flask.g.run_id = run_id
    logs.begin(request_id=flask.g.request_id, run_id=run_id)


def record_request(response: flask.Response) -> None:
    """Record the request as a span, if it is about a run.

    The caller's own trace goes on beside the run's, which may last for hours: a link leads to it.
    """
    run_id = flask.g.get("run_id")
    if run_id is None or not tracing.is_on():
        return
    request, route = flask.request, roles.route(flask.request) or ""
    span = tracing.begin(f"{request.method} {route}".strip(), kind=Kind.SERVER, run_id=run_id)
    span.started_ns = flask.g.came_ns
    span.link = tracing.read_traceparent(request.headers.get("traceparent"))
    span.set(
        {
            "http.request.method": request.method,
            "http.route": route,
            "http.response.status_code": response.status_code,
            "url.scheme": request.scheme,
            "ferryman.request.id": flask.g.request_id,
        }
    )
    if response.status_code >= 500:
        span.error = str(response.status_code)
    span.end()
