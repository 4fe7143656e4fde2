"""Answer every error in one form: ``{statusCode, error, message, details: {failures}}`` (wire.md decision 3)."""

import logging
from http import HTTPStatus
from typing import Any

import flask
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from app.engine.errors import (
    ConflictError,
    DeliveryError,
    Failure,
    FerrymanError,
    IdempotencyKeyReusedError,
    InvalidInputError,
    NotFoundError,
    UnauthorizedError,
)

logger = logging.getLogger(__name__)

_STATUSES: dict[type[FerrymanError], HTTPStatus] = {
    NotFoundError: HTTPStatus.NOT_FOUND,
    ConflictError: HTTPStatus.BAD_REQUEST,  # the official SDK repeats a request that is answered 409
    IdempotencyKeyReusedError: HTTPStatus.UNPROCESSABLE_ENTITY,
    UnauthorizedError: HTTPStatus.UNAUTHORIZED,
    DeliveryError: HTTPStatus.BAD_GATEWAY,
}


def register(app: flask.Flask) -> None:
    """Answer Ferryman's, HTTP's and all other errors."""
    app.register_error_handler(FerrymanError, _ferryman_error)
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(Exception, _unforeseen)


def body_of(status: HTTPStatus, message: str, failures: tuple[Failure, ...] = ()) -> dict[str, Any]:
    """Write an error's body."""
    body: dict[str, Any] = {"statusCode": int(status), "error": status.phrase, "message": message}
    if failures:
        body["details"] = {"failures": [{"path": failure.path, "message": failure.message} for failure in failures]}
    return body


def _ferryman_error(error: FerrymanError) -> flask.typing.ResponseReturnValue:
    if isinstance(error, InvalidInputError):
        are_references = all(failure.missing_reference for failure in error.failures)
        status = HTTPStatus.NOT_FOUND if are_references else HTTPStatus.BAD_REQUEST
        return body_of(status, error.message, error.failures), status
    status = _STATUSES.get(type(error), HTTPStatus.INTERNAL_SERVER_ERROR)
    if status is HTTPStatus.INTERNAL_SERVER_ERROR:
        return _unforeseen(error)
    headers = {"WWW-Authenticate": 'Bearer realm="ferryman"'} if status is HTTPStatus.UNAUTHORIZED else {}
    return body_of(status, error.message), status, headers


def _http_error(error: HTTPException) -> flask.typing.ResponseReturnValue:
    status = HTTPStatus(error.code or 500)
    headers = {}
    if isinstance(error, MethodNotAllowed) and error.valid_methods:
        headers["Allow"] = ", ".join(sorted(error.valid_methods))
    message = "the body is too large" if status is HTTPStatus.REQUEST_ENTITY_TOO_LARGE else error.description
    return body_of(status, message or status.phrase), status, headers


def _unforeseen(error: Exception) -> flask.typing.ResponseReturnValue:
    """Hide what happened from the caller; the log has it under the request's id."""
    logger.error("a request broke", exc_info=error, extra={"request_id": flask.g.get("request_id")})
    status = HTTPStatus.INTERNAL_SERVER_ERROR
    return body_of(status, f"something broke here; the server's log has it as {flask.g.get('request_id')}"), status
