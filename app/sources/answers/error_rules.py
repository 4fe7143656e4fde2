"""What an integration's ``error_expression`` makes of an answer: some APIs answer 200 to what went wrong.

JSONata over ``response`` and ``data`` (the decoded body), ``headers`` and ``status``. Nothing, null and false, in words
too, mean that the status says it all; a text is an error's message; an object may have ``message`` and ``status``.
"""

from functools import partial

from app.engine.json_types import JSON
from app.engine.json_values import is_true, make_text_storable
from app.engine.jsonata.expressions import Expression
from app.engine.record_errors import ExpressionError, SourceError
from app.sources.answers import responses
from app.sources.exchange import faults
from app.sources.exchange.exchange import FoundError, HttpRequest, HttpResponse
from app.sources.exchange.redaction import masked

_LONGEST_MESSAGE = 500


async def found(expression: Expression, request: HttpRequest, response: HttpResponse) -> FoundError | None:
    """Judge an answer; raise SourceError when the expression itself fails, or fails on a body that can not be read."""
    data, fault = await _data(request, response)
    scope = {"response": data, "data": data, "headers": response.plain_headers, "status": response.status}
    try:
        result = await response.reader.aside(partial(expression.evaluate, scope))
    except ExpressionError as error:
        if fault is not None:
            raise fault from error
        message = f"error_expression can not be evaluated: {error.message}"
        raise SourceError("expression", masked(message, request.secrets), status=response.status) from error
    return _read(result, request, response.status)


async def _data(request: HttpRequest, response: HttpResponse) -> tuple[JSON, SourceError | None]:
    """Decode a body; one that can not be read is the text that it begins with, beside the reason."""
    try:
        return (await responses.decode(request, response)).value if response.body else None, None
    except SourceError as fault:
        return make_text_storable(response.body[: faults.ANSWER_BYTES].decode("utf-8", "replace")), fault


def _read(result: JSON, request: HttpRequest, status: int) -> FoundError | None:
    fallback = status if status >= 400 else 502
    match result:
        case _ if result in ({}, []) or not is_true(result):
            return None
        case dict():
            told = result.get("status", result.get("statusCode"))
            text = result.get("message") or result.get("error") or "an error"
            return FoundError(message=_shown(text, request), status=_status(told) or fallback)
        case True:
            return FoundError(message="error_expression says so", status=fallback)
        case _:
            return FoundError(message=_shown(result, request), status=fallback)


def _status(told: JSON) -> int | None:
    if isinstance(told, bool) or not isinstance(told, int | float):
        return None
    return int(told) if 400 <= told <= 599 else None


def _shown(text: JSON, request: HttpRequest) -> str:
    return masked(str(text), request.secrets)[:_LONGEST_MESSAGE]
