"""Pages by expressions: one makes the values that the first page is asked with, one those of each following page."""

from typing import Final

from app.engine.integrations.pagination import DynamicPagination
from app.engine.json_types import JSON, JsonObject
from app.engine.jsonata.exact_integers import write_long_integers_as_texts
from app.engine.jsonata.expressions import Expression
from app.engine.paths import UNDEFINED
from app.engine.record_errors import ExpressionError, SourceError
from app.sources.pagination.state import ListState
from app.sources.pagination.values import PageAnswer, PageAsk

_PARTS: Final = frozenset({"query", "headers", "body", "url"})


def ask(pagination: DynamicPagination, state: ListState | None, request: JsonObject) -> PageAsk:
    """Return how to ask for the next page; raise SourceError ``expression``."""
    values = _values(pagination, state, request)
    if not _PARTS.intersection(values):
        return PageAsk(query=values)
    url = values.get("url")
    return PageAsk(
        query=_part(values, "query"),
        headers=_part(values, "headers"),
        body=_part(values, "body"),
        address=url if isinstance(url, str) and url else None,
    )


def following(
    pagination: DynamicPagination, state: ListState, request: JsonObject, answer: PageAnswer
) -> JsonObject | None:
    """Return the values of the page behind an answer; None at the end. Raise SourceError ``expression``."""
    document = write_long_integers_as_texts(answer.document)
    scope: JsonObject = {
        **request,
        "response": {"status": answer.status, "headers": dict(answer.headers), "body": document},
        "body": document,
        "paginationValues": _values(pagination, state if state.asked else None, request),
    }
    if pagination.cursor is not None:
        found = _evaluated(pagination.cursor, "get_cursor_from_response_expression", scope)
        if found is UNDEFINED or found is None:
            return None
        scope["cursor"] = found
    return _object(pagination.following, "get_pagination_values_expression", scope) or None


def _values(pagination: DynamicPagination, state: ListState | None, request: JsonObject) -> JsonObject:
    """Return the values that a page is asked with."""
    if state is not None:
        values: JsonObject = state.next
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
