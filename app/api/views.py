"""What views share: ids out of paths, answers to creation, and an object's public form."""

from dataclasses import asdict
from http import HTTPStatus
from typing import Any

import flask

from app.api.schemas.fields import take_times
from app.engine.errors import NotFoundError
from app.engine.ids import canonical_id
from app.engine.json_types import JsonObject
from app.engine.objects import ListFilters, Page


def path_id(kind: str, text: str) -> str:
    """Take an id out of a path; one that is no UUID names nothing that exists."""
    id = canonical_id(text)
    if id is None:
        raise NotFoundError(kind, text[:100])
    return id


def created(body: Any, id: str) -> tuple[Any, int, dict[str, str]]:
    """Answer a creation with where the new thing is."""
    return body, HTTPStatus.CREATED, {"Location": f"{flask.request.path.rstrip('/')}/{id}"}


def deleted(id: str) -> JsonObject:
    """Answer a deletion."""
    return {"id": id}


def filters_of(query: JsonObject) -> ListFilters:
    """Turn a list's loaded query into filters."""
    limit, cursor, sort = query.pop("limit"), query.pop("next_cursor"), query.pop("sort")
    times = take_times(query, "created_at", "updated_at")
    return ListFilters(equal=query, times=times, limit=limit, cursor=cursor, sort=sort)


def page(page: Page[Any], view: Any = asdict) -> JsonObject:
    """Write a page of objects."""
    return {"result": [view(item) for item in page.result], "next_cursor": page.next_cursor, "limit": page.limit}
