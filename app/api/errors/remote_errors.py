"""Errors of accounts' APIs and of mappings: the provider's status, and its own answer beside our message."""

from http import HTTPStatus
from typing import Final

import orjson

from app.engine.json_types import JSON, JsonObject
from app.engine.record_errors import MappingError, ProviderAnswer, RateLimitedError, RecordError, SourceError

_WITHOUT_ANSWER: Final = {"timeout": HTTPStatus.GATEWAY_TIMEOUT, "request": HTTPStatus.BAD_REQUEST}
_UNTOLD_STATUS: Final = HTTPStatus.BAD_GATEWAY


def status_of(error: RecordError) -> HTTPStatus:
    """Return the provider's status where that is 4xx, and 502 where the provider itself failed."""
    if not isinstance(error, SourceError):
        return HTTPStatus.UNPROCESSABLE_ENTITY if isinstance(error, MappingError) else HTTPStatus.BAD_REQUEST
    if error.status is None:
        return _WITHOUT_ANSWER.get(error.code, _UNTOLD_STATUS)
    try:
        status = HTTPStatus(error.status)
    except ValueError:
        return _UNTOLD_STATUS
    return status if 400 <= status < 500 else _UNTOLD_STATUS


def details_of(error: RecordError) -> JsonObject:
    """Return the fields of the answer beside its message (docs/wire.md B)."""
    if not isinstance(error, SourceError):
        return {}
    raw = _parse_answer(error.answer)
    remote: JsonObject = {"description": "what the API of the account answered", "value": raw}
    insight: JsonObject = {"remote_error": remote}
    if isinstance(error, RateLimitedError):
        seconds = error.retry_after_seconds
        insight["rate_limit_error"] = {"description": "the API asks to wait", "value": {"retry_after": seconds}}
    if error.status == HTTPStatus.FORBIDDEN:
        insight["forbidden_error"] = {"description": "the account may not do this", "value": raw}
    return {"truto_is_remote_error": True, "raw_response": raw, "truto_error_insight": insight}


def headers_of(error: RecordError) -> dict[str, str]:
    """Return the provider's headers about limits and the request's id."""
    if not isinstance(error, SourceError):
        return {}
    headers = dict(error.answer.headers) if error.answer else {}
    if error.retry_after_seconds is not None:
        headers["retry-after"] = str(max(1, round(error.retry_after_seconds)))
    return headers


def _parse_answer(answer: ProviderAnswer | None) -> JSON:
    if answer is None or not answer.body:
        return None
    try:
        return orjson.loads(answer.body)
    except orjson.JSONDecodeError:
        return answer.body
