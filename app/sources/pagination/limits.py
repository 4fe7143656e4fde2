"""How many records a page is asked to hold, and where a request says so."""

from app.engine.integrations.pagination import (
    CursorPagination,
    CursorPlace,
    LinkHeaderPagination,
    OffsetPagination,
    PagePagination,
    Pagination,
)
from app.engine.json_types import JSON, JsonObject
from app.sources.pagination.values import PageAsk

Limited = PagePagination | OffsetPagination | CursorPagination | LinkHeaderPagination


def added(pagination: Limited, query: JsonObject) -> JsonObject:
    """Return the limit to add, unless the query has its own; a null there keeps it from being sent."""
    name = pagination.limit_param
    return {} if name is None or pagination.limit is None or name in query else {name: pagination.limit}


def of(pagination: Pagination, query: JsonObject) -> int | None:
    """Return the limit that a page is asked with; None where it is not known."""
    name = getattr(pagination, "limit_param", None)
    own = None if name is None or name not in query else whole(query[name])
    return own if name is not None and name in query else getattr(pagination, "limit", None)


def placed(place: CursorPlace, parameters: JsonObject) -> PageAsk:
    """Put parameters where the API wants them; in a body a dotted name is a nested field."""
    if place is CursorPlace.QUERY:
        return PageAsk(query=parameters)
    body: JsonObject = {}
    for name, value in parameters.items():
        *parents, last = name.split(".")
        at = body
        for parent in parents:
            at = at.setdefault(parent, {})
        at[last] = value
    return PageAsk(body=body)


def whole(value: JSON) -> int | None:
    """Read a number that a query may hold as text."""
    if isinstance(value, str) and value.isascii() and value.isdigit():
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None
