"""Shapes of what is configured in JSON: which keys an object may have, what each means, and its values' schemas.

A shape is data: ``judging`` finds unknown keys by it, ``documents`` makes a JSON Schema of it for the OpenAPI document.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, TypeAlias

from app.engine.json_types import JSON, JsonObject

TEXT: Final[JsonObject] = {"type": "string", "minLength": 1}
TEXT_OR_NULL: Final[JsonObject] = {"type": ["string", "null"], "minLength": 1}
ANY_TEXT_OR_NULL: Final[JsonObject] = {"type": ["string", "null"]}
FLAG: Final[JsonObject] = {"type": ["boolean", "null"]}
OBJECT: Final[JsonObject] = {"type": ["object", "null"]}
EXPRESSION: Final[JsonObject] = {"type": ["string", "null"]}
EXPRESSION_OR_NAME: Final[JsonObject] = {"type": ["string", "null"], "minLength": 1}
NEEDED_EXPRESSION: Final[JsonObject] = {"type": "string", "minLength": 1}
EXPRESSION_OR_FALSE: Final[JsonObject] = {"anyOf": [{"type": ["string", "null"]}, {"enum": [False]}]}
PATH: Final[JsonObject] = {"type": ["string", "array", "null"], "items": TEXT}
TEXTS: Final[JsonObject] = {"type": ["array", "null"], "items": {"type": "string"}}
ANYTHING: Final[JsonObject] = {}


def choice(*words: str) -> JsonObject:
    """Describe one of some words, or nothing."""
    return {"enum": [*words, None]}


def whole(least: int) -> JsonObject:
    """Describe an integer of at least 0 or 1, which digits in a text are too."""
    digits = "[0-9]{1,18}" if least == 0 else "0{0,17}[1-9][0-9]{0,17}"
    return {"type": ["integer", "string", "null"], "minimum": least, "pattern": f"^{digits}$", "maxLength": 18}


def number(least: float, most: float) -> JsonObject:
    """Describe a number."""
    return {"type": ["number", "null"], "minimum": least, "maximum": most}


def holds_placeholders(schema: Mapping[str, JSON]) -> bool:
    """Whether texts of a kind of value may hold placeholders: JSONata and paths have none."""
    return not any(
        schema is one for one in (EXPRESSION, EXPRESSION_OR_NAME, NEEDED_EXPRESSION, EXPRESSION_OR_FALSE, PATH)
    )


FORMAT: Final = "format"
CONFIG: Final = "config"


class Use(StrEnum):
    """What becomes of a key."""

    READ = "read"
    """It changes what Ferryman does."""
    KEPT = "kept"
    """It is kept and shown, for people and programs that read it there."""
    UNSERVED = "unserved"
    """The compatible API documents it, and here it does nothing: accepted, with a warning."""
    REFUSED = "refused"
    """The compatible API documents it, and without it the result would be another one: refused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """One key of an object."""

    meaning: str
    """A sentence for people who write it."""
    value: Mapping[str, JSON] = field(default_factory=dict)
    """JSON Schema of its values, where ``inner`` does not say it."""
    inner: "Shape | None" = None
    """The shape of its value when that is an object or an array."""
    use: Use = Use.READ
    is_required: bool = False
    other_name_of: str | None = None
    """It is another spelling of this key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fields:
    """An object of known keys."""

    keys: Mapping[str, Key]
    is_open: bool = False
    """Other keys are accepted, with a warning."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MapOf:
    """An object of any keys, whose values have one shape."""

    inner: "Shape"
    name: str
    """What its keys are."""
    pattern: str | None = None
    """What they have to match."""
    beside: Mapping[str, Key] = field(default_factory=dict)
    """Known keys of it that are no such names, and whose values have no shape."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListOf:
    """An array."""

    inner: "Shape"


@dataclass(frozen=True, slots=True, kw_only=True)
class Formatted:
    """An object whose ``format`` decides its other keys, beside it or under ``config``."""

    formats: Mapping[str, Fields]

    def find_fields(self, name: JSON) -> Fields:
        """Return the fields of a format; of one that is absent or unknown, those of all."""
        known = self.formats.get(name) if isinstance(name, str) else None
        return known or Fields(keys={key: one for fields in self.formats.values() for key, one in fields.keys.items()})


@dataclass(frozen=True, slots=True, kw_only=True)
class ByFormat:
    """One object that has a ``format``, or a map from formats to such objects."""

    one: Formatted


Shape: TypeAlias = Fields | MapOf | ListOf | Formatted | ByFormat


def walk(shape: Shape, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Key]]:
    """Yield every key of a shape with its path; ``*`` stands for any name or position."""
    match shape:
        case Fields(keys=keys):
            for name, key in keys.items():
                yield (*path, name), key
                yield from walk(key.inner, (*path, name)) if key.inner is not None else ()
        case MapOf(inner=inner, beside=beside):
            yield from (((*path, name), key) for name, key in beside.items())
            yield from walk(inner, (*path, "*"))
        case ListOf(inner=inner):
            yield from walk(inner, (*path, "*"))
        case Formatted(formats=formats):
            for name, fields in formats.items():
                yield from walk(fields, (*path, f"{FORMAT}={name}"))
        case ByFormat(one=one):
            yield from walk(one, path)


def reading(meaning: str, value: JsonObject | None = None, *, is_required: bool = False) -> Key:
    """Make a key that changes what Ferryman does."""
    return Key(meaning=meaning, value=value or {}, is_required=is_required)


def within(meaning: str, inner: Shape, *, is_required: bool = False) -> Key:
    """Make a key whose value has a shape of its own."""
    return Key(meaning=meaning, inner=inner, is_required=is_required)


def kept(meaning: str, value: JsonObject | None = None) -> Key:
    """Make a key that is kept and shown."""
    return Key(meaning=meaning, value=value or {}, use=Use.KEPT)


def unserved(meaning: str, value: JsonObject | None = None) -> Key:
    """Make a key that does nothing here."""
    return Key(meaning=meaning, value=value or {}, use=Use.UNSERVED)


def spelling_of(name: str, key: Key) -> Key:
    """Make another spelling of a key."""
    return Key(meaning=f"Another name of `{name}`.", value=key.value, inner=key.inner, use=key.use, other_name_of=name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaf:
    """The value of a known key that has no shape of its own."""

    path: str
    name: str
    key: Key
    value: JSON


def walk_leaves(value: JSON, shape: Shape, path: str) -> Iterator[Leaf]:
    """Yield the value of every known key that is not null."""
    match shape:
        case Fields(keys=keys):
            yield from _walk_fields(value, keys, path)
        case MapOf() | ListOf():
            yield from _walk_entries(value, shape, path)
        case Formatted():
            yield from _walk_formatted(value, shape, path)
        case ByFormat(one=one):
            has_format = isinstance(value, dict) and FORMAT in value
            for name, inner in [("", value)] if has_format else _list_entries(value):
                yield from _walk_formatted(inner, one, f"{path}.{name}" if name else path, name=name)


def _walk_entries(value: JSON, shape: MapOf | ListOf, path: str) -> Iterator[Leaf]:
    beside = shape.beside if isinstance(shape, MapOf) else {}
    yield from _walk_fields(value, beside, path)
    for name, one in _list_entries(value):
        if name not in beside:
            yield from walk_leaves(one, shape.inner, f"{path}.{name}")


def _walk_fields(value: JSON, keys: Mapping[str, Key], path: str) -> Iterator[Leaf]:
    for name, one in value.items() if isinstance(value, dict) else ():
        key = keys.get(name)
        if key is None or one is None:
            continue
        if key.inner is not None:
            yield from walk_leaves(one, key.inner, f"{path}.{name}")
        else:
            yield Leaf(path=f"{path}.{name}", name=name, key=key, value=one)


def _walk_formatted(value: JSON, shape: Formatted, path: str, *, name: str = "") -> Iterator[Leaf]:
    if not isinstance(value, dict):
        return
    fields = shape.find_fields(value.get(FORMAT, name))
    if value.get(CONFIG) is not None:
        yield from walk_leaves(value[CONFIG], fields, f"{path}.{CONFIG}")
    else:
        yield from walk_leaves(value, fields, path)


def _list_entries(value: JSON) -> list[tuple[str, JSON]]:
    if isinstance(value, dict):
        return list(value.items())
    return [(str(position), one) for position, one in enumerate(value)] if isinstance(value, list) else []
