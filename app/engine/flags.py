"""Flags as upstreams write them: booleans, numbers, and the words that stand for them."""

from typing import Final

from app.engine.json_types import JSON
from app.engine.paths import UNDEFINED

_FALSE_WORDS: Final = frozenset({"", "0", "f", "false", "n", "no", "off"})


def is_true(value: JSON) -> bool:
    """Whether a value means true: everything does but null, 0, what is not there, and the words for false."""
    match value:
        case None:
            return False
        case bool() | int() | float():
            return bool(value)
        case str():
            return value.strip().lower() not in _FALSE_WORDS
        case _:
            return value is not UNDEFINED
