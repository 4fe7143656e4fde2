"""Read queries of any content: ``a[b]=x`` is an object, ``a[]=x`` and a repeated ``a`` are arrays (docs/wire.md B)."""

import re
from collections.abc import Iterable
from typing import Final

from app.engine.errors import Failure, InvalidInputError
from app.engine.json_types import JSON, JsonObject
from app.numerals import is_count

_KEY: Final = re.compile(r"([^\[\]]+)((?:\[[^\[\]]*\])*)")
_PART: Final = re.compile(r"\[([^\[\]]*)\]")
_MOST_LEVELS: Final = 8


def parse_nested(pairs: Iterable[tuple[str, str]]) -> JsonObject:
    """Return the object that the pairs of a query describe; raise InvalidInputError for contradictory keys."""
    query: JsonObject = {}
    for key, value in pairs:
        if "\0" in key or "\0" in value:
            raise InvalidInputError([Failure(key.replace("\0", ""), "holds the character U+0000")])
        _set_at(query, _path(key), value, key)
    return {name: _with_arrays(value) for name, value in query.items()}


def _path(key: str) -> list[str]:
    match = _KEY.fullmatch(key)
    if match is None:
        return [key]
    path = [match[1], *_PART.findall(match[2])]
    if len(path) > _MOST_LEVELS:
        raise InvalidInputError([Failure(key[:100], f"is nested deeper than {_MOST_LEVELS} levels")])
    return path


def _set_at(place: JsonObject, path: list[str], value: str, key: str) -> None:
    for part in path[:-1]:
        inner = place.setdefault(part, {})
        if not isinstance(inner, dict):
            raise InvalidInputError([Failure(key[:100], f"'{part}' is a value and an object at once")])
        place = inner
    last = path[-1]
    if last not in place:
        place[last] = value
    elif isinstance(place[last], list):
        place[last].append(value)
    elif isinstance(place[last], str):
        place[last] = [place[last], value]
    else:
        raise InvalidInputError([Failure(key[:100], f"'{last}' is a value and an object at once")])


def _with_arrays(value: JSON) -> JSON:
    """Turn objects with the keys ``[]``, ``[0]``, ``[1]`` into arrays."""
    if not isinstance(value, dict):
        return value
    inner = {name: _with_arrays(one) for name, one in value.items()}
    if not inner or not all(name == "" or is_count(name) for name in inner):
        return inner
    items: list[JSON] = []
    for one in inner.values():
        items += one if isinstance(one, list) else [one]
    return items
