"""Who is let in: the holder of a valid token, whose requests are not used up, and whose role the route allows."""

import flask

from app.api import roles
from app.api.services import enter, services
from app.engine.errors import TooManyRequestsError, UnauthorizedError


def admit() -> None:
    """Let the request in; raise UnauthorizedError, TooManyRequestsError or ForbiddenError."""
    token = services().tokens.authenticate(_bearer_secret())
    enter(token)
    flask.g.allowance = allowance = services().request_limits.ask(token.id)
    if allowance is not None and not allowance.is_admitted:
        raise TooManyRequestsError(
            limit=allowance.limit,
            window_seconds=allowance.window_seconds,
            retry_after_seconds=allowance.reset_seconds,
        )
    roles.check(token.role)


def _bearer_secret() -> str:
    scheme, _, secret = flask.request.headers.get("Authorization", "").strip().partition(" ")
    if scheme.lower() != "bearer" or not secret.strip():
        raise UnauthorizedError
    return secret.strip()
