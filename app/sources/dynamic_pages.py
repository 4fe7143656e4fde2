"""Pages by expressions: one makes the values that the first page is asked with, one those of each following page."""

from typing import Final

from app.engine.errors import ExpressionError, SourceError
from app.engine.exact_integers import with_long_integers_as_texts
from app.engine.expressions import Expression
from app.engine.json_types import JSON, JsonObject
from app.engine.pagination_config import DynamicPagination
from app.engine.paths import UNDEFINED
from app.sources import page_values
from app.sources.page_values import PageAnswer, PageAsk, PageTurn

_PARTS: Final = frozenset({"query", "headers", "body", "url"})


def ask(pagination: DynamicPagination, cursor: JsonObject | None, request: JsonObject) -> PageAsk:
    """Tell how to ask for the page at a cursor; raise SourceError ``repeated_cursor`` or ``expression``."""
    if cursor is not None:
        page_values.trail(cursor)
    values = _values(pagination, cursor, request)
    if not _PARTS.intersection(values):
        return PageAsk(query=values)
    url = values.get("url")
    return PageAsk(
        query=_part(values, "query"),
        headers=_part(values, "headers"),
        body=_part(values, "body"),
        address=url if isinstance(url, str) and url else None,
    )


def turn(pagination: DynamicPagination, cursor: JsonObject | None, request: JsonObject, answer: PageAnswer) -> PageTurn:
    """Take the page at a cursor in; raise SourceError ``expression``."""
    document = with_long_integers_as_texts(answer.document)
    response = {"status": answer.status, "headers": dict(answer.headers), "body": document}
    scope: JsonObject = {
        **request,
        "response": response,
        "body": document,
        "paginationValues": _values(pagination, cursor, request),
    }
    if pagination.cursor is not None:
        found = _evaluated(pagination.cursor, "get_cursor_from_response_expression", scope)
        if found is UNDEFINED or found is None:
            return PageTurn(records=answer.records, cursor=None)
        scope["cursor"] = found
    values = _object(pagination.following, "get_pagination_values_expression", scope)
    return PageTurn(records=answer.records, cursor=page_values.follow(cursor, values) if values else None)


def _values(pagination: DynamicPagination, cursor: JsonObject | None, request: JsonObject) -> JsonObject:
    """Give the values that the page at a cursor is asked with."""
    if cursor is not None:
        values: JsonObject = cursor["next"]
        return values
    if pagination.first is None:
        return {}
    return _object(pagination.first, "get_initial_pagination_values_expression", request)


def _object(expression: Expression, name: str, scope: JsonObject) -> JsonObject:
    found = _evaluated(expression, name, scope)
    if found is UNDEFINED or found is None:
        return {}
    if not isinstance(found, dict):
        raise SourceError("expression", f"{name} gave no object")
    return found


def _part(values: JsonObject, name: str) -> JsonObject:
    part = values.get(name)
    if part is not None and not isinstance(part, dict):
        raise SourceError("expression", f"the pagination values' {name} is no object")
    return part or {}


def _evaluated(expression: Expression, name: str, scope: JsonObject) -> JSON:
    try:
        return expression.evaluate(scope)
    except ExpressionError as error:
        raise SourceError("expression", f"{name} can not be evaluated: {error.message}") from error
