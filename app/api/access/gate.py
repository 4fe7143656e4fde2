"""What every request passes: its id, its token, its line in the log."""

import logging
import re
import time
from typing import Final

import flask

from app.api.access import admission, cross_origin, headers
from app.api.errors import handlers, problems
from app.api.resources import roles
from app.engine.ids import new_id

logger = logging.getLogger(__name__)

OPEN_PATHS: Final = re.compile(r"/(?:healthz|openapi\.json|docs(?:/.*)?)/?")
_CHUNK_BYTES: Final = 64 * 1024
_MOST_DRAINED_BYTES: Final = 100 * 1024 * 1024


def guard(app: flask.Flask) -> None:
    """Let every request of an application pass here, before and after."""
    app.before_request(_begin)
    app.after_request(_finish)


def _begin() -> flask.Response | None:
    """Name the request, and let only those in who may, but for the open paths."""
    flask.g.started_at = time.perf_counter()
    flask.g.request_id = new_id()
    if (answer := cross_origin.preflight()) is not None:
        return answer
    if not OPEN_PATHS.fullmatch(flask.request.path):
        admission.admit()
    return None


def _finish(response: flask.Response) -> flask.Response:
    """Log one line, without query and body, which may hold secrets."""
    _drain()
    handlers.finish(response)
    problems.finish(response)
    headers.finish(response)
    facts = {
        "request_id": flask.g.request_id,
        "method": flask.request.method,
        "route": roles.route(flask.request),
        "client": flask.request.remote_addr,
        "status": response.status_code,
        "milliseconds": round((time.perf_counter() - flask.g.started_at) * 1000, 1),
    }
    logger.info("request", extra=facts)
    return response


def _drain() -> None:
    """Read a body that nobody wanted: a client that still sends would get a reset instead of its answer."""
    environ = flask.request.environ
    if not environ.get("wsgi.input_terminated"):
        return
    left = _MOST_DRAINED_BYTES
    while left > 0 and (chunk := environ["wsgi.input"].read(_CHUNK_BYTES)):
        left -= len(chunk)
