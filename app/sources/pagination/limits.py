"""The number of records that a page is requested with, and its place in the request."""

from app.engine.integrations.pagination import (
    CursorPagination,
    CursorPlace,
    LinkHeaderPagination,
    OffsetPagination,
    PagePagination,
    Pagination,
)
from app.engine.json_types import JSON, JsonObject
from app.sources.pagination.values import PageRequest

Limited = PagePagination | OffsetPagination | CursorPagination | LinkHeaderPagination


def build_limit(pagination: Limited, query: JsonObject) -> JsonObject:
    """Return the limit to add, unless the query has its own; a null there keeps it from being sent."""
    name = pagination.limit_param
    return {} if name is None or pagination.limit is None or name in query else {name: pagination.limit}


def find_limit(pagination: Pagination, query: JsonObject) -> int | None:
    """Return the limit that a page is requested with; None where it is not known."""
    name = getattr(pagination, "limit_param", None)
    own = None if name is None or name not in query else parse_number(query[name])
    return own if name is not None and name in query else getattr(pagination, "limit", None)


def place_parameters(place: CursorPlace, parameters: JsonObject) -> PageRequest:
    """Put parameters where the API wants them; in a body a dotted name is a nested field."""
    if place is CursorPlace.QUERY:
        return PageRequest(query=parameters)
    body: JsonObject = {}
    for name, value in parameters.items():
        *parents, last = name.split(".")
        at = body
        for parent in parents:
            at = at.setdefault(parent, {})
        at[last] = value
    return PageRequest(body=body)


def parse_number(value: JSON) -> int | None:
    """Read a number that a query may hold as text."""
    if isinstance(value, str) and value.isascii() and value.isdigit():
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None
