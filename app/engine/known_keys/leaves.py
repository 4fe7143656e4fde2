"""Go through what a configured value holds at its known keys."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from app.engine.json_types import JSON
from app.engine.known_keys import shapes
from app.engine.known_keys.shapes import ByFormat, Fields, Formatted, Key, ListOf, MapOf, Shape


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaf:
    """The value of a known key that has no shape of its own."""

    path: str
    name: str
    key: Key
    value: JSON


def leaves(value: JSON, shape: Shape, path: str) -> Iterator[Leaf]:
    """Yield the value of every known key; null is none."""
    match shape:
        case Fields(keys=keys):
            yield from _of_fields(value, keys, path)
        case MapOf(inner=inner) | ListOf(inner=inner):
            for name, one in _named(value):
                yield from leaves(one, inner, f"{path}.{name}")
        case Formatted():
            yield from _of_formatted(value, shape, path)
        case ByFormat(one=one):
            has_format = isinstance(value, dict) and shapes.FORMAT in value
            for name, inner in [("", value)] if has_format else _named(value):
                yield from _of_formatted(inner, one, f"{path}.{name}" if name else path, name=name)


def _of_fields(value: JSON, keys: Mapping[str, Key], path: str) -> Iterator[Leaf]:
    for name, one in value.items() if isinstance(value, dict) else ():
        key = keys.get(name)
        if key is None or one is None:
            continue
        if key.inner is not None:
            yield from leaves(one, key.inner, f"{path}.{name}")
        else:
            yield Leaf(path=f"{path}.{name}", name=name, key=key, value=one)


def _of_formatted(value: JSON, shape: Formatted, path: str, *, name: str = "") -> Iterator[Leaf]:
    if not isinstance(value, dict):
        return
    fields = shape.fields_of(value.get(shapes.FORMAT, name))
    if value.get(shapes.CONFIG) is not None:
        yield from leaves(value[shapes.CONFIG], fields, f"{path}.{shapes.CONFIG}")
    else:
        yield from leaves(value, fields, path)


def _named(value: JSON) -> list[tuple[str, JSON]]:
    if isinstance(value, dict):
        return list(value.items())
    return [(str(position), one) for position, one in enumerate(value)] if isinstance(value, list) else []
