"""Lists, narrowed and paged by the address: by the same filters, with the same names, as those of the API."""

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, replace
from typing import Final

import flask
from marshmallow import Schema

from app.api.parsing.parsing import RequestParser
from app.api.resources.views import read_filters
from app.engine.errors import Failure, InvalidInputError
from app.engine.json_types import JsonObject
from app.engine.objects.lists import ListFilters

PAGE: Final = 50
CURSOR: Final = "next_cursor"


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """What an address asks of a list."""

    filters: ListFilters
    typed: Mapping[str, str]
    """The filters as they stand in the address."""
    cursor: str | None

    def get(self, name: str) -> str:
        """Return a filter as it was typed; empty without one."""
        return self.typed.get(name, "")


def read_query(schema: type[Schema]) -> JsonObject:
    """Return the loaded query; raise InvalidInputError for a wrong filter, or one that the page does not have."""
    known = _list_names(schema)
    unknown = [name for name in flask.request.args if name not in known]
    if unknown:
        raise InvalidInputError(
            [Failure(name[:100].replace("\0", ""), "is no filter of this page") for name in unknown]
        )
    query: JsonObject = RequestParser().parse(schema(), location="query")
    return query


def read_listing(
    schema: type[Schema],
    *,
    times: Sequence[str] = ("created_at", "updated_at"),
    renamed: Mapping[str, str] | None = None,
    fixed: Mapping[str, object] | None = None,
) -> Listing:
    """Read what the address asks of a list by the query that the API takes; ``fixed`` filters are added."""
    query = read_query(schema)
    cursor = query.get(CURSOR)
    filters = replace(read_filters(query, times=times, renamed=renamed), limit=PAGE)
    filters = replace(filters, equal={**filters.equal, **(fixed or {})})
    # One with the name of a part of the path would lead to another page.
    elsewhere = {CURSOR, *(flask.request.view_args or {})}
    typed = {name: value for name, value in flask.request.args.items() if value and name not in elsewhere}
    return Listing(filters=filters, typed=typed, cursor=cursor)


def _list_names(schema: type[Schema]) -> Set[str]:
    return {field.data_key or name for name, field in schema().fields.items()}
