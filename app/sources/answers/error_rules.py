"""Errors that an integration's ``error_expression`` finds in answers: some APIs answer errors with status 200.

JSONata over ``response`` and ``data`` (the decoded body), ``headers`` and ``status``. Nothing, null and false, as texts
too, mean that the status alone counts; a text is an error's message; an object may have ``message`` and ``status``.
"""

from functools import partial

from app.engine.json_types import JSON
from app.engine.json_values import is_true, make_text_storable
from app.engine.jsonata.expressions import Expression
from app.engine.record_errors import ExpressionError, SourceError
from app.sources.answers import responses
from app.sources.exchange import faults
from app.sources.exchange.exchange import FoundError, HttpRequest, HttpResponse
from app.sources.exchange.redaction import mask_secrets

_LONGEST_MESSAGE = 500


async def find_error(expression: Expression, request: HttpRequest, response: HttpResponse) -> FoundError | None:
    """Return the error in an answer; raise SourceError when the expression fails, or the body can not be read."""
    data, fault = await _decode_body(request, response)
    scope = {"response": data, "data": data, "headers": response.plain_headers, "status": response.status}
    try:
        result = await response.reader.run_aside(partial(expression.evaluate, scope))
    except ExpressionError as error:
        if fault is not None:
            raise fault from error
        message = f"error_expression can not be evaluated: {error.message}"
        raise SourceError("expression", mask_secrets(message, request.secrets), status=response.status) from error
    return _interpret(result, request, response.status)


async def _decode_body(request: HttpRequest, response: HttpResponse) -> tuple[JSON, SourceError | None]:
    """Return the decoded body; for one that can not be read its first text, and the reason."""
    try:
        return (await responses.decode(request, response)).value if response.body else None, None
    except SourceError as fault:
        return make_text_storable(response.body[: faults.ANSWER_BYTES].decode("utf-8", "replace")), fault


def _interpret(result: JSON, request: HttpRequest, status: int) -> FoundError | None:
    fallback = status if status >= 400 else 502
    match result:
        case _ if result in ({}, []) or not is_true(result):
            return None
        case dict():
            status_in_body = result.get("status", result.get("statusCode"))
            text = result.get("message") or result.get("error") or "an error"
            return FoundError(message=_mask(text, request), status=_parse_status(status_in_body) or fallback)
        case True:
            return FoundError(message="error_expression says so", status=fallback)
        case _:
            return FoundError(message=_mask(result, request), status=fallback)


def _parse_status(value: JSON) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return int(value) if 400 <= value <= 599 else None


def _mask(text: JSON, request: HttpRequest) -> str:
    return mask_secrets(str(text), request.secrets)[:_LONGEST_MESSAGE]
