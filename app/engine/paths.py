"""Dotted paths into JSON: ``args.user_ids.-1.name``."""

import re
from collections.abc import Mapping, Sequence
from typing import Final

from app.engine.json_types import JSON

Path = tuple[str, ...]

_INDEX: Final = re.compile(r"0|-?[1-9][0-9]{0,8}")


class Undefined:
    """The type of UNDEFINED: nothing is there, which is not the same as null."""

    def __repr__(self) -> str:
        return "UNDEFINED"

    def __bool__(self) -> bool:
        return False


UNDEFINED: Final = Undefined()


def parse_path(text: str) -> Path:
    """Split a dotted path; an empty text is the path of the value itself."""
    return tuple(text.split(".")) if text else ()


def lookup(value: JSON, path: Path) -> JSON:
    """Follow a path: names into objects, integers into arrays (``-1`` is the last), ``length`` of arrays and strings.

    Gives UNDEFINED where nothing is.
    """
    for segment in path:
        value = _step(value, segment)
        if value is UNDEFINED:
            return UNDEFINED
    return value


def _step(value: JSON, segment: str) -> JSON:
    match value:
        case Mapping():
            return value.get(segment, UNDEFINED)
        case str():
            return len(value) if segment == "length" else UNDEFINED
        case Sequence():
            return _find_item(value, segment)
        case _:
            return UNDEFINED


def _find_item(items: Sequence[JSON], segment: str) -> JSON:
    if segment == "length":
        return len(items)
    if not _INDEX.fullmatch(segment):
        return UNDEFINED
    index = int(segment)
    return items[index] if -len(items) <= index < len(items) else UNDEFINED
