"""What is added to a body, by pagination or of a query: fields, merged into those that are there."""

import json
from typing import Final

from app.engine.integrations.request_formats import BodyFormat, RequestFormats
from app.engine.json_types import JSON, JsonObject
from app.engine.record_errors import SourceError

_NO_OBJECT: Final = "the query or pagination adds fields to the body, which is no object, nor a text of one in JSON"


def merged(body: JSON, fields: JsonObject, formats: RequestFormats) -> JSON:
    """Merge fields into a body, objects with objects; raise SourceError for a body that has none."""
    if not fields:
        return body
    if body is None:
        return fields
    if formats.body is BodyFormat.XML and isinstance(body, dict) and _is_rooted(body) and not body.keys() & fields:
        # Beside its root an XML document has no place.
        root, inner = next(iter(body.items()))
        return {root: _deep(inner, fields)}
    return _deep(body, fields)


def _is_rooted(body: JsonObject) -> bool:
    return len(body) == 1 and isinstance(next(iter(body.values())), dict)


def _deep(below: JSON, above: JSON) -> JSON:
    if not isinstance(above, dict):
        return above
    match below:
        case dict():
            return {**below, **{name: _deep(below.get(name), value) for name, value in above.items()}}
        case None:
            return above
        case str():
            # A JSON text, as GraphQL's bodies and variables may be, stays one.
            return json.dumps(_deep(_object_of(below), above), ensure_ascii=False, separators=(",", ":"))
        case _:
            raise SourceError("request", _NO_OBJECT)


def _object_of(text: str) -> JsonObject:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise SourceError("request", _NO_OBJECT)
    return found
