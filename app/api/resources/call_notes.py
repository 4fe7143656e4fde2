"""Note each direct call once it is answered; neither what was sent nor what came is kept."""

import time
from typing import Final

import flask

from app.api.resources.called import ACCOUNT
from app.api.resources.resource import Resource
from app.api.resources.services import environment, own_account, services
from app.engine.json_types import JsonObject
from app.services.calls.call_log import AnsweredCall

_KEY: Final = "direct_call"
_CUSTOM: Final = "custom"


def begin(query: JsonObject, resource: str | None, method: str) -> None:
    """Tell what the request calls, for the account that its query names or that its token is of."""
    account_id = own_account() or query.get(ACCOUNT)
    setattr(flask.g, _KEY, (account_id if isinstance(account_id, str) else None, resource, method))


def keep(*resources: Resource) -> None:
    """Have the calls of these routes noted."""
    for resource in resources:
        resource.after_request(_note)


def _note(response: flask.Response) -> flask.Response:
    if _KEY in flask.g:
        account_id, resource, method = flask.g.get(_KEY)
        call = AnsweredCall(
            environment_id=environment(),
            integrated_account_id=account_id,
            api=flask.request.blueprint or "",
            resource=resource,
            method=method,
            response_status=response.status_code,
            duration_ms=round((time.perf_counter() - flask.g.started_at) * 1000),
            error=_error(response),
            request_id=flask.g.request_id,
        )
        services().call_log.record(call)
    return response


def _error(response: flask.Response) -> str | None:
    """Return the message of an answer that is an error; it holds no secret, as it is shown to the caller.

    That an API refused a path tells the path: of a custom call no such word is noted.
    """
    if response.status_code < 400:
        return None
    answer = response.get_json(silent=True)
    if not isinstance(answer, dict) or (flask.request.blueprint == _CUSTOM and "raw_response" in answer):
        return None
    message = answer.get("message")
    return message if isinstance(message, str) else None
