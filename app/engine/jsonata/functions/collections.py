"""Functions over arrays, objects and single values."""

import itertools
from collections.abc import Callable, Iterator, Mapping
from typing import Final

import orjson

from app.engine.json_types import JSON
from app.engine.paths import UNDEFINED, lookup, parse_path

_EMPTY: Final[tuple[JSON, ...]] = ("", [], {})


def distinct(value: JSON = None) -> JSON:
    """Replace JSONata's, which compares every item with every other and does not look at the clock."""
    if not isinstance(value, list) or len(value) < 2:
        return value
    seen: dict[bytes, JSON] = {}
    for item in value:
        seen.setdefault(write_key(item), item)
    return list(seen.values())


def compact(values: JSON = None) -> JSON:
    """Leave out what is false, null, 0 or an empty text."""
    return None if values is None else [value for value in make_list(values) if value not in (None, False, 0, "")]


def chunk(values: JSON = None, size: JSON = 1) -> JSON:
    """Cut an array into arrays of at most ``size`` items."""
    if values is None:
        return None
    items, length = make_list(values), max(1, int(size))
    return [items[start : start + length] for start in range(0, len(items), length)]


def difference(values: JSON = None, *others: JSON) -> JSON:
    """Leave out the items that the other arrays hold."""
    held = {write_key(item) for other in others for item in make_list(other)}
    return None if values is None else [item for item in make_list(values) if write_key(item) not in held]


def find(values: JSON = None, wanted: JSON = None) -> JSON:
    """Return the first item that a function takes, or that has the given fields."""
    return next((item for item in make_list(values) if _is_match(item, wanted)), None)


def lofilter(values: JSON = None, wanted: JSON = None) -> JSON:
    """Keep the items that a function takes, or that have the given fields."""
    return None if values is None else [item for item in make_list(values) if _is_match(item, wanted)]


def flatten(values: JSON = None) -> JSON:
    """Flatten one level of arrays."""
    return flatten_depth(values, 1)


def flatten_deep(values: JSON = None) -> JSON:
    """Flatten all levels of arrays."""
    return flatten_depth(values, 1000)


def flatten_depth(values: JSON = None, depth: JSON = 1) -> JSON:
    """Flatten so many levels of arrays."""
    return None if values is None else list(_flatten(make_list(values), int(depth)))


def group_by(values: JSON = None, by: JSON = None) -> JSON:
    """Put the items by the value of a path or a function; an array each."""
    if values is None:
        return None
    groups: dict[str, list[JSON]] = {}
    for item in make_list(values):
        groups.setdefault(write_name(take(item, by)), []).append(item)
    return groups


def key_by(values: JSON = None, by: JSON = None) -> JSON:
    """Put the items by the value of a path or a function; of several the last."""
    return None if values is None else {write_name(take(item, by)): item for item in make_list(values)}


def order_by(values: JSON = None, paths: JSON = None, orders: JSON = None) -> JSON:
    """Sort by paths, each ``asc`` or ``desc``; what is missing comes last."""
    if values is None:
        return None
    items = list(make_list(values))
    directions = [str(order).lower() for order in make_list(orders)]
    for path, direction in reversed(list(itertools.zip_longest(make_list(paths), directions, fillvalue="asc"))):
        present = [item for item in items if take(item, path) is not None]
        absent = [item for item in items if take(item, path) is None]
        # JSON's kinds do not compare with each other: numbers first, then texts.
        present.sort(key=lambda item, path=path: _make_sortable(take(item, path)), reverse=direction == "desc")  # type: ignore[misc]
        items = present + absent
    return items


def wrap(value: JSON = None) -> JSON:
    """Wrap a value in an array, unless it is one."""
    return None if value is None else make_list(value)


def make_list(value: JSON) -> list[JSON]:
    """Return an array: of one for a single value, empty for nothing."""
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def take(item: JSON, by: JSON) -> JSON:
    """Return an item's value at a path, or the result of a function."""
    if by is None:
        return item
    if callable(by):
        return by(item)
    found = lookup(item, parse_path(str(by)))
    return None if found is UNDEFINED else found


def write_name(value: JSON) -> str:
    """Write a value as the name of a field."""
    if isinstance(value, str):
        return value
    return "undefined" if value is None else orjson.dumps(value).decode()


def write_key(value: JSON) -> bytes:
    """Write a value so that equal ones are alike."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def _is_match(item: JSON, wanted: JSON) -> bool:
    if callable(wanted):
        return bool(wanted(item))
    if isinstance(wanted, Mapping):
        return isinstance(item, Mapping) and all(item.get(name) == value for name, value in wanted.items())
    return bool(take(item, wanted))


def _flatten(values: list[JSON], depth: int) -> Iterator[JSON]:
    """Go down by a stack of our own: one generator within another would hand each item on at every level."""
    levels = [iter(values)]
    while levels:
        for value in levels[-1]:
            if isinstance(value, list) and len(levels) <= depth:
                levels.append(iter(value))
                break
            yield value
        else:
            levels.pop()


def _make_sortable(value: JSON) -> tuple[int, JSON]:
    if isinstance(value, bool | int | float):
        return (0, value)
    return (1, value if isinstance(value, str) else write_name(value))


def first_non_empty(*values: JSON) -> JSON:
    """Return the first value that is not null, an empty text, an empty array or an empty object."""
    return next((value for value in values if not is_empty(value)), None)


def omit(value: JSON = None, *names: JSON) -> JSON:
    """Leave fields out."""
    left_out = _read_names(names)
    return {name: one for name, one in value.items() if name not in left_out} if isinstance(value, dict) else None


def pick(value: JSON = None, *names: JSON) -> JSON:
    """Keep only some fields."""
    kept = _read_names(names)
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
    return None if values is None else [value for value in make_list(values) if not is_empty(value)]


def map_values(value: JSON = None, function: JSON = None) -> JSON:
    """Replace each field by what a function, given value and name, makes of it."""
    if not isinstance(value, dict) or not callable(function):
        return None
    return {name: function(one, name) for name, one in value.items()}


def list_values(value: JSON = None) -> JSON:
    """List an object's values."""
    return list(value.values()) if isinstance(value, dict) else None


def is_empty(value: JSON) -> bool:
    """Whether a value is null or empty; 0 and false are not."""
    return value is None or (not isinstance(value, bool | int | float) and value in _EMPTY)


def _read_names(names: tuple[JSON, ...]) -> frozenset[str]:
    return frozenset(str(name) for one in names for name in make_list(one))


FUNCTIONS: Final[Mapping[str, Callable[..., JSON]]] = {
    "distinct": distinct,
    "compact": compact,
    "chunk": chunk,
    "difference": difference,
    "find": find,
    "lofilter": lofilter,
    "flatten": flatten,
    "flattenDeep": flatten_deep,
    "flattenDepth": flatten_depth,
    "groupBy": group_by,
    "keyBy": key_by,
    "orderBy": order_by,
    "wrap": wrap,
    "firstNonEmpty": first_non_empty,
    "omit": omit,
    "pick": pick,
    "removeEmpty": remove_empty,
    "removeEmptyItems": remove_empty_items,
    "mapValues": map_values,
    "values": list_values,
}
