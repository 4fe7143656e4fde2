"""What routes of direct calls share: their resource, the account that is called, and the record of each call.

Neither the request nor the answer of a call is recorded.
"""

import time
from typing import Final

import flask

from app import actors
from app.api.resources.resource import Resource
from app.api.resources.services import environment, own_account, services
from app.engine.errors import Failure, InvalidInputError, NotFoundError
from app.engine.ids import parse_id
from app.engine.json_types import JsonObject
from app.engine.objects.environments import Role
from app.services.calls.call_log import AnsweredCall

_ACCOUNT: Final = "integrated_account_id"
_KEY: Final = "direct_call"
_CUSTOM: Final = "custom"


def build_direct_resource(name: str, *, description: str) -> Resource:
    """Return a resource whose routes call accounts, and whose calls are recorded."""
    resource = Resource(
        name, description=description, reads=Role.RUN, changes=Role.RUN, is_for_accounts=True, is_free=True
    )
    # A call changes nothing here: what it leads to, such as a new access token, is Ferryman's own doing.
    resource.before_request(lambda: actors.begin(None))
    resource.after_request(_record)
    return resource


def take_account(query: JsonObject) -> str:
    """Take the called account's id out of a query; for the token of an account, no other account exists."""
    asked = query.pop(_ACCOUNT, "")
    if not isinstance(asked, str):
        raise InvalidInputError([Failure(_ACCOUNT, "expected one UUID")])
    own = own_account()
    if own is None:
        return asked
    if asked and parse_id(asked) != own:
        raise NotFoundError("integrated account", asked[:100])
    return own


def begin_record(query: JsonObject, resource: str | None, method: str) -> None:
    """Begin the record of a call to the account that the query names, or that the token belongs to."""
    account_id = own_account() or query.get(_ACCOUNT)
    setattr(flask.g, _KEY, (account_id if isinstance(account_id, str) else None, resource, method))


def _record(response: flask.Response) -> flask.Response:
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
            error=_error_message(response),
            request_id=flask.g.request_id,
        )
        services().calls.log.record(call)
    return response


def _error_message(response: flask.Response) -> str | None:
    """Return the message of an answer that is an error; it holds no secret, as it is shown to the caller.

    The message of a custom call that its API refused is left out: it contains the called path.
    """
    if response.status_code < 400:
        return None
    answer = response.get_json(silent=True)
    if not isinstance(answer, dict) or (flask.request.blueprint == _CUSTOM and "raw_response" in answer):
        return None
    message = answer.get("message")
    return message if isinstance(message, str) else None
