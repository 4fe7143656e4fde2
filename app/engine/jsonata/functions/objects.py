"""Functions over objects and single values."""

from collections.abc import Callable, Mapping
from typing import Final

from app.engine.json_types import JSON
from app.engine.jsonata.functions.collections import as_list

_EMPTY: Final[tuple[JSON, ...]] = ("", [], {})


def first_non_empty(*values: JSON) -> JSON:
    """Return the first value that is not null, an empty text, an empty array or an empty object."""
    return next((value for value in values if not is_empty(value)), None)


def omit(value: JSON = None, *names: JSON) -> JSON:
    """Leave fields out."""
    left_out = _names(names)
    return {name: one for name, one in value.items() if name not in left_out} if isinstance(value, dict) else None


def pick(value: JSON = None, *names: JSON) -> JSON:
    """Keep only some fields."""
    kept = _names(names)
    return {name: one for name, one in value.items() if name in kept} if isinstance(value, dict) else None


def remove_empty(value: JSON = None) -> JSON:
    """Leave out, at every depth, fields and items that are null, empty texts, arrays or objects."""
    match value:
        case dict():
            inner = {name: remove_empty(one) for name, one in value.items()}
            return {name: one for name, one in inner.items() if not is_empty(one)}
        case list():
            return [one for one in map(remove_empty, value) if not is_empty(one)]
        case _:
            return value


def remove_empty_items(values: JSON = None) -> JSON:
    """Leave out an array's items that are null or empty."""
    return None if values is None else [value for value in as_list(values) if not is_empty(value)]


def map_values(value: JSON = None, function: JSON = None) -> JSON:
    """Replace each field by what a function, given value and name, makes of it."""
    if not isinstance(value, dict) or not callable(function):
        return None
    return {name: function(one, name) for name, one in value.items()}


def values_of(value: JSON = None) -> JSON:
    """List an object's values."""
    return list(value.values()) if isinstance(value, dict) else None


def is_empty(value: JSON) -> bool:
    """Whether a value says nothing; 0 and false say something."""
    return value is None or (not isinstance(value, bool | int | float) and value in _EMPTY)


def _names(names: tuple[JSON, ...]) -> frozenset[str]:
    return frozenset(str(name) for one in names for name in as_list(one))


FUNCTIONS: Final[Mapping[str, Callable[..., JSON]]] = {
    "firstNonEmpty": first_non_empty,
    "omit": omit,
    "pick": pick,
    "removeEmpty": remove_empty,
    "removeEmptyItems": remove_empty_items,
    "mapValues": map_values,
    "values": values_of,
}
