"""Who is let in: the holder of a valid token, whose requests are not used up, and whom the route is open to."""

import flask

from app.api.resources import roles
from app.api.resources.services import enter, enter_for_account, services
from app.engine.errors import TooManyRequestsError, UnauthorizedError
from app.engine.objects.objects import EnvironmentId


def admit() -> None:
    """Let the request in; raise UnauthorizedError, TooManyRequestsError or ForbiddenError."""
    secret = _bearer_secret()
    of_account = services().account_tokens.open(secret)
    if of_account is not None:
        enter_for_account(of_account)
        _spend(f"account:{of_account.account_id}", of_account.environment_id)
        roles.check_account_token()
        return
    token = services().tokens.authenticate(secret)
    enter(token)
    _spend(token.id, token.environment_id)
    roles.check(token.role)


def _spend(key: str, environment_id: EnvironmentId) -> None:
    flask.g.allowance = allowance = services().request_limits.ask(key, environment_id)
    if allowance is not None and not allowance.is_admitted:
        raise TooManyRequestsError(
            whose="this environment" if allowance.of_environment else "this token",
            limit=allowance.limit,
            window_seconds=allowance.window_seconds,
            retry_after_seconds=allowance.reset_seconds,
        )


def _bearer_secret() -> str:
    scheme, _, secret = flask.request.headers.get("Authorization", "").strip().partition(" ")
    if scheme.lower() != "bearer" or not secret.strip():
        raise UnauthorizedError
    return secret.strip()
