"""Shapes of what is configured in JSON: which keys an object may have, and what each of them means.

A shape is data: ``judging`` finds unknown keys by it, ``documents`` makes a JSON Schema of it for the OpenAPI document.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, TypeAlias

from app.engine.json_types import JSON, JsonObject

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
    """Others are let pass, with a warning."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MapOf:
    """An object of any keys, whose values have one shape."""

    inner: "Shape"
    name: str
    """What its keys are."""
    pattern: str | None = None
    """What they have to match."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListOf:
    """An array."""

    inner: "Shape"


@dataclass(frozen=True, slots=True, kw_only=True)
class Formatted:
    """An object whose ``format`` tells what else it has, beside it or under ``config``."""

    formats: Mapping[str, Fields]

    def fields_of(self, name: JSON) -> Fields:
        """Return the fields of a format; of one that is not told or known, those of all."""
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
        case MapOf(inner=inner) | ListOf(inner=inner):
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
