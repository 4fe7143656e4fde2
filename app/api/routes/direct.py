"""``/unified/{model}/{resource}`` and ``/proxy/{resource}``: call an account's API directly."""

from http import HTTPStatus
from typing import Any, Final, TypeAlias

import flask

from app.api.parsing import free_queries, raw_bodies
from app.api.parsing.parsing import read_storable_json, read_storable_object
from app.api.resources.direct_calls import begin_record, build_direct_resource, take_account
from app.api.resources.resource import ANY_ERROR
from app.api.resources.services import environment, services
from app.api.resources.views import Answer
from app.api.schemas import direct as schemas
from app.engine.errors import Failure, InvalidInputError
from app.engine.json_types import JSON, JsonObject
from app.engine.objects.environments import Role
from app.engine.record_errors import SourceError
from app.engine.unified.model import USUAL_METHODS, parse_unified_name
from app.numerals import is_count
from app.services.calls.direct import DirectPage, DirectRequest

unified = build_direct_resource(
    "unified", description="Call accounts by unified models, to try a mapping before running it"
)
proxy = build_direct_resource("proxy", description="Call accounts as their integrations describe them")

Shown: TypeAlias = Answer | flask.Response

_MOST: Final = 1000
_FILE: Final = {**schemas.CALLED, "responses": {**ANY_ERROR["responses"], **schemas.FILE_ANSWER}}
_SENT: Final = {**schemas.SENT_TO_PROXY, "responses": {**ANY_ERROR["responses"], **schemas.FILE_ANSWER}}
_CREATED: Final = {**schemas.SENT_TO_PROXY, "responses": {**ANY_ERROR["responses"], **schemas.CREATED_FILE}}


@unified.serves("GET", "/<model>/<resource>", answer=schemas.DirectList, documented={**schemas.PAGED, **ANY_ERROR})
def list_unified_records(model: str, resource: str) -> Answer:
    """List an account's records as the model describes them."""
    return _list(f"{model}/{resource}")


@unified.serves("GET", "/<model>/<resource>/<id>", answer=schemas.AnyAnswer, documented={**schemas.CALLED, **ANY_ERROR})
def get_unified_record(model: str, resource: str, id: str) -> Shown:
    """Show one record of an account as the model describes it."""
    return _answer_one(f"{model}/{resource}", "get", id=id)


@unified.serves(
    "GET",
    "/<model>/<resource>/meta/<method>",
    answer=schemas.MethodMeta,
    documented={**schemas.CALLED, **ANY_ERROR},
    role=Role.READ,
)
def describe_unified_method(model: str, resource: str, method: str) -> Answer:
    """Show the schemas of a model's method, and which method of the integration it calls, without a call."""
    account_id = take_account(_read_query())
    return services().calls.direct.describe(environment(), account_id, f"{model}/{resource}", method)


@unified.serves(
    "POST", "/<model>/<resource>", answer=schemas.AnyAnswer, status=201, documented={**schemas.SENT, **ANY_ERROR}
)
def create_unified_record(model: str, resource: str) -> Shown:
    """Create a record at the account's API."""
    return _answer_one(f"{model}/{resource}", "create", has_body=True)


@unified.serves("PATCH", "/<model>/<resource>/<id>", answer=schemas.AnyAnswer, documented={**schemas.SENT, **ANY_ERROR})
def update_unified_record(model: str, resource: str, id: str) -> Shown:
    """Change a record at the account's API."""
    return _answer_one(f"{model}/{resource}", "update", id=id, has_body=True)


@unified.serves(
    "DELETE", "/<model>/<resource>/<id>", answer=schemas.DeletedRecord, documented={**schemas.CALLED, **ANY_ERROR}
)
def delete_unified_record(model: str, resource: str, id: str) -> Answer:
    """Remove a record at the account's API."""
    _call(f"{model}/{resource}", "delete", id=id)
    return {"id": id}


@unified.serves(
    "POST", "/<model>/<resource>/<id>", answer=schemas.CustomResult, documented={**schemas.SENT, **ANY_ERROR}
)
def call_unified_method(model: str, resource: str, id: str) -> Answer:
    """Call a custom method of a model's resource: its name stands in the place of an id."""
    page = _call(f"{model}/{resource}", id, has_body=True)
    result = page.records[0] if len(page.records) == 1 else page.records
    return {"result": result}, HTTPStatus.OK, dict(page.headers)


@proxy.serves("GET", "/<resource>", answer=schemas.DirectList, documented={**schemas.PAGED, **ANY_ERROR})
def list_proxied_records(resource: str) -> Answer:
    """List an account's records as the API returns them."""
    return _list(resource)


@proxy.serves("GET", "/<resource>/<id>", answer=schemas.AnyAnswer, documented=_FILE)
def get_proxied_record(resource: str, id: str) -> Shown:
    """Show one record of an account as the API returns it; a file is returned unchanged."""
    return _answer_one(resource, "get", id=id)


@proxy.serves("POST", "/<resource>", answer=schemas.AnyAnswer, status=201, documented=_CREATED)
def create_proxied_record(resource: str) -> Shown:
    """Create a record at the account's API; a body that is no JSON is sent unchanged."""
    return _answer_one(resource, "create", has_body=True)


@proxy.serves("POST", "/<resource>/<id>", answer=schemas.AnyAnswer, documented=_SENT)
def call_proxied_method(resource: str, id: str) -> Shown:
    """Call a method of the integration's config by its name, which stands in the place of an id."""
    if id == "list":
        return _list(resource, has_body=True)
    return _answer_one(resource, id, has_body=True, status=HTTPStatus.OK)


@proxy.serves("PATCH", "/<resource>/<id>", answer=schemas.AnyAnswer, documented=_SENT)
def update_proxied_record(resource: str, id: str) -> Shown:
    """Change a record at the account's API; a body that is no JSON is sent unchanged."""
    return _answer_one(resource, "update", id=id, has_body=True)


@proxy.serves("DELETE", "/<resource>/<id>", answer=schemas.DeletedRecord, documented={**schemas.CALLED, **ANY_ERROR})
def delete_proxied_record(resource: str, id: str) -> Answer:
    """Remove a record at the account's API."""
    _call(resource, "delete", id=id)
    return {"id": id}


def _list(resource: str, *, has_body: bool = False) -> Answer:
    query = _read_query()
    limit = _parse_limit(query.pop("limit", None))
    return _show_page(_call(resource, "list", query=query, limit=limit, has_body=has_body), limit)


def _show_page(page: DirectPage, limit: int | None) -> Answer:
    shown: JsonObject = {
        "result": page.records,
        "next_cursor": page.next_cursor,
        "prev_cursor": None,
        "limit": limit,
        "result_count": len(page.records),
        "is_partial_response": page.is_partial,
    }
    if page.errors:
        shown["errors"] = [
            {"code": error.code, "message": error.message, "record_id": getattr(error, "record_id", None)}
            for error in page.errors
        ]
    return shown, HTTPStatus.OK, dict(page.headers)


def _answer_one(
    resource: str, method: str, *, status: HTTPStatus | None = None, has_body: bool = False, **options: JSON
) -> Shown:
    page = _call(resource, method, has_body=has_body, **options)
    if status is None:
        status = HTTPStatus.CREATED if method == "create" else HTTPStatus.OK
    if page.file is not None:
        return raw_bodies.make_response(page.file, status=status)
    is_custom = method not in USUAL_METHODS
    if page.is_list and is_custom:
        return _show_page(page, None)
    if method == "get" and len(page.records) != 1:
        raise SourceError("no_records", f"expected one record, the API gave {len(page.records)}", status=404)
    are_several = is_custom and len(page.records) > 1
    answer: Any = page.records if are_several else page.records[0] if len(page.records) == 1 else {}
    return answer, status, dict(page.headers)


def _call(
    resource: str, method: str, *, query: JsonObject | None = None, has_body: bool = False, **options: JSON
) -> DirectPage:
    query = _read_query() if query is None else query
    sent = _read_body(resource, query) if has_body else {}
    begin_record(query, resource, method)
    account_id, cursor = take_account(query), query.pop("next_cursor", None)
    if not isinstance(cursor, str | None):
        raise InvalidInputError([Failure("next_cursor", "expected one at most")])
    request = DirectRequest(
        account_id=account_id, resource=resource, method=method, query=query, next_cursor=cursor, **sent, **options
    )
    return services().calls.direct.call(environment(), request)


def _read_body(resource: str, query: JsonObject) -> dict[str, Any]:
    """Read the body: unchanged, or as JSON, which has to be an object for a unified model."""
    raw_body = raw_bodies.take(flask.request, query)
    if raw_body is not None:
        return {"raw_body": raw_body}
    if parse_unified_name(resource) is not None:
        return {"body": read_storable_object(flask.request)}
    body = read_storable_json(flask.request)
    return {"body": {} if body is None else body}


def _read_query() -> JsonObject:
    return free_queries.parse_nested(flask.request.args.items(multi=True))


def _parse_limit(text: JSON) -> int | None:
    if text is None or text == "":
        return None
    if not isinstance(text, str) or not is_count(text) or len(text) > 9 or not 1 <= int(text) <= _MOST:
        raise InvalidInputError([Failure("limit", f"expected a number from 1 to {_MOST}")])
    return int(text)
