"""What every request passes: it receives an id, its token is checked, and one line is logged."""

import logging
import re
import time
from typing import Final

import flask

from app import actors, logs, meters
from app.actors import ActorKind
from app.api.access import cross_origin, headers
from app.api.errors import handlers, problems
from app.api.resources import roles, traced
from app.api.resources.acting import act_as
from app.api.resources.services import enter, enter_for_account, services
from app.engine.errors import TooManyRequestsError, UnauthorizedError
from app.engine.ids import new_id
from app.engine.objects.environments import EnvironmentId

logger = logging.getLogger(__name__)

OPEN_PATHS: Final = re.compile(r"/(?:healthz|metrics(?:/targets)?|openapi\.json|docs(?:/.*)?|ui(?:/.*)?)/?")
"""The pages of the dashboard check who is signed in themselves."""
_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"})
_CHUNK_BYTES: Final = 64 * 1024
_MOST_DRAINED_BYTES: Final = 100 * 1024 * 1024


def guard(app: flask.Flask) -> None:
    """Make every request of an application pass here, before and after its view."""
    app.before_request(_begin)
    app.after_request(_finish)
    app.teardown_request(_forget)


def _begin() -> flask.Response | None:
    """Assign an id to the request, and check its token unless its path is open."""
    flask.g.started_at = time.perf_counter()
    flask.g.request_id = new_id()
    traced.begin_request()
    logs.begin(request_id=flask.g.request_id)
    if (answer := cross_origin.preflight()) is not None:
        return answer
    if not OPEN_PATHS.fullmatch(flask.request.path):
        _admit()
    return None


def _forget(_: BaseException | None) -> None:
    """Forget whose request this thread has served."""
    logs.begin()
    actors.begin(None)


def _admit() -> None:
    """Admit the request; raise UnauthorizedError, TooManyRequestsError or ForbiddenError."""
    secret = read_bearer_secret()
    of_account = services().credentials.tokens.open(secret)
    if of_account is not None:
        enter_for_account(of_account)
        act_as(ActorKind.ACCOUNT, of_account.account_id)
        _spend(f"account:{of_account.account_id}", of_account.environment_id)
        roles.check_account_token()
        return
    token = services().tokens.authenticate(secret)
    enter(token)
    act_as(ActorKind.TOKEN, token.id, token.name)
    _spend(token.id, token.environment_id)
    roles.check(token.role)


def _spend(key: str, environment_id: EnvironmentId) -> None:
    flask.g.allowance = allowance = services().request_limits.spend(key, environment_id)
    if allowance is not None and not allowance.is_admitted:
        raise TooManyRequestsError(
            whose="this environment" if allowance.of_environment else "this token",
            limit=allowance.limit,
            window_seconds=allowance.window_seconds,
            retry_after_seconds=allowance.reset_seconds,
        )


def read_bearer_secret() -> str:
    """Return the token that the request was sent with; raise UnauthorizedError when there is none."""
    scheme, _, secret = flask.request.headers.get("Authorization", "").strip().partition(" ")
    if scheme.lower() != "bearer" or not secret.strip():
        raise UnauthorizedError
    return secret.strip()


def _finish(response: flask.Response) -> flask.Response:
    """Log one line, without query and body, which may hold secrets."""
    _drain()
    handlers.finish(response)
    problems.finish(response)
    headers.finish(response)
    seconds = time.perf_counter() - flask.g.started_at
    facts = {
        "method": flask.request.method,
        "route": roles.route(flask.request),
        "client": flask.request.remote_addr,
        "status": response.status_code,
        "milliseconds": round(seconds * 1000, 1),
    }
    logger.info("request", extra=facts)
    traced.record_request(response)
    meters.API_SECONDS.labels(_shown_method(), facts["route"] or "none", response.status_code).observe(seconds)
    return response


def _shown_method() -> str:
    """Return the method for the metrics: clients may send any word."""
    return flask.request.method if flask.request.method in _METHODS else "other"


def _drain() -> None:
    """Read the rest of an unread body: a client that still sends would get a reset instead of its answer."""
    environ = flask.request.environ
    if not environ.get("wsgi.input_terminated"):
        return
    left = _MOST_DRAINED_BYTES
    while left > 0 and (chunk := environ["wsgi.input"].read(_CHUNK_BYTES)):
        left -= len(chunk)
