"""``/custom/{path}``: call an account's API at any path below its integration's base_url."""

import re
from typing import Final
from urllib.parse import quote

import flask

from app.api.parsing import raw_bodies
from app.api.parsing.parsing import read_storable_json
from app.api.resources.direct_calls import begin_record, build_direct_resource, take_account
from app.api.resources.resource import ANY_ERROR
from app.api.resources.services import environment, services
from app.api.schemas import direct as schemas
from app.engine.errors import Failure, InvalidInputError
from app.engine.json_types import JsonObject
from app.services.calls.custom import CustomRequest

custom = build_direct_resource(
    "custom", description="Call accounts' APIs as they are, with their integrations' credentials"
)

_RULE: Final = "/<path:path>"
_CALLED: Final = {**schemas.ASKED_AS_IT_IS, **ANY_ERROR}
_SENT: Final = {**schemas.SENT_AS_IT_IS, **ANY_ERROR}
_RAW_PATH: Final = re.compile(r"/+custom/(.*)", re.DOTALL)


@custom.serves("GET", _RULE, answer=schemas.AnyAnswer, documented=_CALLED)
def get_custom(path: str) -> flask.Response:
    """Get what an account's API has at a path; the answer is the API's own."""
    return _pass_on(path, has_body=False)


@custom.serves("POST", _RULE, answer=schemas.AnyAnswer, documented=_SENT)
def post_custom(path: str) -> flask.Response:
    """Post JSON, or any other body unchanged, to a path of an account's API; the answer is the API's own."""
    return _pass_on(path)


@custom.serves("PUT", _RULE, answer=schemas.AnyAnswer, documented=_SENT)
def put_custom(path: str) -> flask.Response:
    """Put JSON, or any other body unchanged, at a path of an account's API; the answer is the API's own."""
    return _pass_on(path)


@custom.serves("PATCH", _RULE, answer=schemas.AnyAnswer, documented=_SENT)
def patch_custom(path: str) -> flask.Response:
    """Patch what is at a path of an account's API; the answer is the API's own."""
    return _pass_on(path)


@custom.serves("DELETE", _RULE, answer=schemas.AnyAnswer, documented=_SENT)
def delete_custom(path: str) -> flask.Response:
    """Delete what is at a path of an account's API; the answer is the API's own."""
    return _pass_on(path)


def _pass_on(path: str, *, has_body: bool = True) -> flask.Response:
    query = _read_query()
    begin_record(query, None, flask.request.method.lower())
    account_id, raw_body = take_account(query), raw_bodies.take(flask.request, query)
    request = CustomRequest(
        account_id=account_id,
        http_method=flask.request.method,
        path=_encode_path(path),
        query=query,
        body=read_storable_json(flask.request) if has_body and raw_body is None else None,
        raw_body=raw_body if has_body else None,
    )
    return raw_bodies.make_response(services().calls.custom.call(environment(), request))


def _encode_path(path: str) -> str:
    """Return the path as the caller has encoded it, where the server has it: an id may hold an encoded slash."""
    raw = str(flask.request.environ.get("RAW_URI") or "").partition("?")[0]
    matched = _RAW_PATH.fullmatch(raw)
    return matched[1] if matched else quote(path, safe="/:@!$&'()*+,;=~")


def _read_query() -> JsonObject:
    """Return the query's pairs by their names, whose brackets are left to the called API."""
    query: JsonObject = {}
    for name, values in flask.request.args.lists():
        if any("\0" in text for text in (name, *values)):
            raise InvalidInputError([Failure(name.replace("\0", ""), "holds the character U+0000")])
        query[name] = values[0] if len(values) == 1 else values
    return query
