"""What views share: ids of paths, filters of queries, and the forms of answers."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from http import HTTPStatus
from typing import Any, TypeAlias, TypeVar

import flask

from app.api.schemas.fields import take_choices, take_times
from app.engine.errors import NotFoundError
from app.engine.ids import parse_id
from app.engine.json_types import JsonObject
from app.engine.objects.lists import ListFilters, Page

T = TypeVar("T")

Answer: TypeAlias = JsonObject | tuple[JsonObject, int, dict[str, str]]
"""What a view returns: an object, or an object with a status and headers."""


def path_id(kind: str, text: str) -> str:
    """Return the canonical form of a path's id; raise NotFoundError for what is no UUID."""
    id = parse_id(text)
    if id is None:
        raise NotFoundError(kind, text[:100])
    return id


def answer_created(body: JsonObject) -> Answer:
    """Answer a creation with the Location of the new object."""
    return body, HTTPStatus.CREATED, location(f"{flask.request.path.rstrip('/')}/{body['id']}")


def location(path: str) -> dict[str, str]:
    """Return the Location header of a path, below the prefix that a proxy adds."""
    return {"Location": f"{flask.request.script_root}{path}"}


def read_filters(
    query: JsonObject, *, times: Sequence[str] = ("created_at", "updated_at"), renamed: Mapping[str, str] | None = None
) -> ListFilters:
    """Return the filters of a list's loaded query; ``renamed`` maps parameters to columns of another name."""
    names = renamed or {}
    limit, cursor, sort = query.pop("limit"), query.pop("next_cursor", None), query.pop("sort")
    moments = take_times(query, *times)
    return ListFilters(
        among=[(names.get(column, column), values) for column, values in take_choices(query)],
        equal={names.get(column, column): value for column, value in query.items()},
        times=moments,
        limit=limit,
        cursor=cursor,
        sort=sort,
    )


def show_page(page: Page[T], view: Callable[[T], JsonObject]) -> JsonObject:
    """Show a page of objects."""
    return {"result": [view(item) for item in page.result], "next_cursor": page.next_cursor, "limit": page.limit}


def show_plain(item: Any) -> JsonObject:
    """Show an object that has no secrets."""
    return {each.name: getattr(item, each.name) for each in fields(item)}
