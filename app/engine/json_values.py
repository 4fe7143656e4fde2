"""JSON values of any origin: read as true or false, merged, walked through, and made storable.

Postgres keeps neither U+0000 nor half of a surrogate pair. Both become U+FFFD, in names too.
"""

import re
from collections.abc import Iterator
from typing import Final

from app.engine.json_types import JSON, JsonObject
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


def merge(current: JSON, changes: JSON) -> JSON:
    """Merge objects deeply, where a null takes a key away; anything else is replaced whole."""
    if not isinstance(current, dict) or not isinstance(changes, dict):
        return changes
    kept = {key: value for key, value in current.items() if key not in changes}
    changed = {key: merge(current.get(key), value) for key, value in changes.items() if value is not None}
    return kept | changed


def apply_override(config: JsonObject, override: JsonObject) -> JsonObject:
    """Lay an override over a config; most have none, and then a config stays as it is, whatever it is."""
    laid: JsonObject = merge(config, override) if override else config
    return laid


_UNSTORABLE: Final = re.compile("[\0\ud800-\udfff]")


def make_storable(value: JSON) -> JSON:
    """Return the same value with no character that Postgres refuses."""
    match value:
        case str():
            return make_text_storable(value)
        case dict():
            return {make_text_storable(name): make_storable(one) for name, one in value.items()}
        case list():
            return [make_storable(one) for one in value]
        case _:
            return value


def make_text_storable(text: str) -> str:
    """Return the same text with no character that Postgres refuses."""
    return _UNSTORABLE.sub("\ufffd", text)


def walk(value: JSON) -> Iterator[JSON]:
    """Yield a value and all within it, objects and arrays included; without recursion, however deep it is."""
    waiting = [value]
    while waiting:
        one = waiting.pop()
        yield one
        waiting += one.values() if isinstance(one, dict) else one if isinstance(one, list) else ()
