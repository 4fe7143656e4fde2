"""Answer every error in one form: ``{statusCode, error, message, details: {failures}}`` (docs/wire.md decision 3)."""

import logging
import re
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final

import flask
from flask.typing import ResponseReturnValue
from flask_smorest import Api
from marshmallow import Schema, fields
from werkzeug.exceptions import ClientDisconnected, HTTPException

from app.api.errors import remote_errors, unserved
from app.api.schemas.json_kinds import MAY_LACK
from app.engine.errors import (
    BrokerUnavailableError,
    ConflictError,
    DeliveryError,
    DestinationError,
    Failure,
    FerrymanError,
    ForbiddenError,
    IdempotencyKeyReusedError,
    InvalidInputError,
    MissingExtraError,
    NotFoundError,
    PreconditionFailedError,
    StoreUnavailableError,
    TooManyRequestsError,
    UnauthorizedError,
    UnreadableSecretError,
)
from app.engine.json_types import JsonObject
from app.engine.record_errors import RecordError

logger = logging.getLogger(__name__)

_LONGEST_MESSAGE: Final = 1000
_LONGEST_REASON: Final = 200
_UNPRINTABLE: Final = re.compile(r"[^ -~]")
_MOST_FAILURES: Final = 100
_UNREADABLE_BODY: Final = "the body can not be read: it ends too early, or its chunks are malformed"
_STATUSES: Final[dict[type[FerrymanError], HTTPStatus]] = {
    NotFoundError: HTTPStatus.NOT_FOUND,
    ConflictError: HTTPStatus.BAD_REQUEST,  # the official SDKs repeat what is answered by 409
    PreconditionFailedError: HTTPStatus.PRECONDITION_FAILED,
    IdempotencyKeyReusedError: HTTPStatus.UNPROCESSABLE_ENTITY,
    UnauthorizedError: HTTPStatus.UNAUTHORIZED,
    ForbiddenError: HTTPStatus.FORBIDDEN,
    TooManyRequestsError: HTTPStatus.TOO_MANY_REQUESTS,
    DeliveryError: HTTPStatus.BAD_GATEWAY,
    DestinationError: HTTPStatus.BAD_GATEWAY,
    UnreadableSecretError: HTTPStatus.BAD_REQUEST,  # an object in a state that does not allow the call
    StoreUnavailableError: HTTPStatus.SERVICE_UNAVAILABLE,  # the official SDKs try again
    MissingExtraError: HTTPStatus.NOT_IMPLEMENTED,
    BrokerUnavailableError: HTTPStatus.SERVICE_UNAVAILABLE,
}

_HEADERS: Final[dict[HTTPStatus, dict[str, str]]] = {
    HTTPStatus.UNAUTHORIZED: {"WWW-Authenticate": 'Bearer realm="ferryman"'},
    HTTPStatus.SERVICE_UNAVAILABLE: {"Retry-After": "2"},
}


class FailureAnswer(Schema):
    """One fault of a request."""

    path = fields.String(required=True)
    message = fields.String(required=True)


class ErrorDetails(Schema):
    """All faults of a request."""

    failures = fields.List(fields.Nested(FailureAnswer), required=True)


class ErrorAnswer(Schema):
    """The body of every answer that is an error."""

    statusCode = fields.Integer(required=True)
    error = fields.String(required=True)
    message = fields.String(required=True)
    details = fields.Nested(ErrorDetails, required=True)
    truto_is_remote_error = fields.Boolean(metadata={MAY_LACK: True, "description": "The API of the account refused."})
    raw_response = fields.Raw(metadata={MAY_LACK: True, "description": "What that API answered, secrets masked."})
    truto_error_insight = fields.Dict(
        metadata={MAY_LACK: True, "description": "What of the request that API found wrong, by kind."}
    )


class ErrorAwareApi(Api):  # type: ignore[misc]  # flask-smorest has no types
    """Documents and answers errors in Ferryman's form."""

    ERROR_SCHEMA = ErrorAnswer
    DEFAULT_ERROR_RESPONSE_NAME = None  # each route documents its errors

    def __init__(self, app: flask.Flask, **options: Any) -> None:
        self._undescribed: list[Callable[[], None]] = []
        self._describing = threading.Lock()
        super().__init__(app, **options)

    def describe_later(self, describe: Callable[[], None]) -> None:
        """Describe routes when somebody first reads the document: that takes as long as all else of the application."""
        self._undescribed.append(describe)

    def _register_pagination_header(self) -> None:
        """Describe no pagination header: lists have their cursor in the body."""

    def _register_error_handlers(self) -> None:
        self._app.register_error_handler(HTTPException, _answer)
        self._app.register_error_handler(Exception, _answer)

    def _openapi_json(self) -> flask.Response:
        """Return the document, with the API's URL as its reader reaches it."""
        servers = [{"url": flask.request.root_url.rstrip("/"), "description": "This Ferryman"}]
        with self._describing:
            while self._undescribed:
                self._undescribed[0]()
                del self._undescribed[0]
        return flask.jsonify({**self.spec.to_dict(), "servers": servers})


def finish(response: flask.Response) -> None:
    """Put the message into the status line too: the official SDK for Python reads nothing else of an error."""
    if message := flask.g.get("error_message"):
        reason = _UNPRINTABLE.sub("?", message)[:_LONGEST_REASON]
        response.status = f"{response.status_code} {HTTPStatus(response.status_code).phrase}: {reason}"


def _body(status: HTTPStatus, message: str, failures: Sequence[Failure] = ()) -> JsonObject:
    flask.g.error_message = message
    shown = [{"path": failure.path, "message": failure.message} for failure in failures[:_MOST_FAILURES]]
    cut = message if len(message) <= _LONGEST_MESSAGE else f"{message[:_LONGEST_MESSAGE]}…"
    return {"statusCode": int(status), "error": status.phrase, "message": cut, "details": {"failures": shown}}


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What is answered for an exception, in whichever form."""

    status: HTTPStatus
    message: str
    failures: Sequence[Failure] = ()
    headers: Mapping[str, str] = field(default_factory=dict)


def describe(error: Exception) -> Fault:
    """Return what is answered for an exception; what was not foreseen is hidden, and logged under the request's id."""
    if isinstance(error, HTTPException):
        return _describe_http(error)
    if isinstance(error, InvalidInputError):
        are_missing = bool(error.failures) and all(failure.missing_reference for failure in error.failures)
        status = HTTPStatus.NOT_FOUND if are_missing else HTTPStatus.BAD_REQUEST
        return Fault(status=status, message=error.message, failures=error.failures)
    if isinstance(error, RecordError):
        headers = _remote_headers(error)
        return Fault(status=HTTPStatus(remote_errors.status_of(error)), message=error.message, headers=headers)
    kind = next((kind for kind in _STATUSES if isinstance(error, kind)), None)
    if kind is None or not isinstance(error, FerrymanError):
        return _describe_unforeseen(error)
    status = _STATUSES[kind]
    if isinstance(error, TooManyRequestsError):
        return Fault(status=status, message=error.message, headers={"Retry-After": str(error.retry_after_seconds)})
    return Fault(status=status, message=error.message, headers=_HEADERS.get(status, {}))


def _answer(error: Exception) -> ResponseReturnValue:
    fault = describe(error)
    remote = remote_errors.details_of(error) if isinstance(error, RecordError) else {}
    return {**_body(fault.status, fault.message, fault.failures), **remote}, fault.status, dict(fault.headers)


def _remote_headers(error: RecordError) -> dict[str, str]:
    """Return the provider's headers; a value that a header can not hold is left out."""
    return {name: value for name, value in remote_errors.headers_of(error).items() if value.isprintable()}


def _describe_http(error: HTTPException) -> Fault:
    status = HTTPStatus(error.code or HTTPStatus.INTERNAL_SERVER_ERROR)
    allowed = getattr(error, "valid_methods", None)
    headers = {"Allow": ", ".join(sorted(allowed))} if allowed else {}
    message = _UNREADABLE_BODY if isinstance(error, ClientDisconnected) else _message_of(status)
    return Fault(status=status, message=message, headers=headers)


def _message_of(status: HTTPStatus) -> str:
    match status:
        case HTTPStatus.NOT_FOUND:
            return f"there is nothing at {flask.request.path[:200]}{_reason()}"
        case HTTPStatus.METHOD_NOT_ALLOWED:
            return f"{flask.request.method} is not offered here{_reason()}"
        case HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
            limit = flask.current_app.config["MAX_CONTENT_LENGTH"]
            return f"the body is larger than the {limit} bytes that are accepted"
        case _:
            return status.description or status.phrase


def _reason() -> str:
    """Return the reason why something of the compatible API is not served, as the end of a sentence."""
    reason = unserved.reason(flask.request.path, flask.request.method)
    return f": {reason}" if reason else ""


def _describe_unforeseen(error: Exception) -> Fault:
    request_id = flask.g.get("request_id")
    logger.error("a request broke", exc_info=error, extra={"request_id": request_id})
    message = f"something broke here; the server's log has it under the request id {request_id}"
    return Fault(status=HTTPStatus.INTERNAL_SERVER_ERROR, message=message)
