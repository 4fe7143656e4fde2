"""How much an account's context may hold: it is opened, and looked for in texts, with every call and every slice."""

import json
from typing import Final

from app.engine.errors import Failure, InvalidInputError
from app.engine.json_types import JSON, JsonObject

MOST_VALUES: Final = 5000
MOST_CHARACTERS: Final = 256 * 1024


def checked(context: JsonObject) -> JsonObject:
    """Return a context as it may be kept; raise InvalidInputError for one that holds too much."""
    values, characters = _count(context), len(json.dumps(context, ensure_ascii=False))
    if values > MOST_VALUES or characters > MOST_CHARACTERS:
        message = (
            f"would hold {values} values, {characters} characters as JSON:"
            f" expected at most {MOST_VALUES} and {MOST_CHARACTERS}"
        )
        raise InvalidInputError([Failure("context", message)])
    return context


def _count(value: JSON) -> int:
    waiting, count = [value], 0
    while waiting:
        match waiting.pop():
            case dict() as inner:
                waiting += inner.values()
            case list() as inner:
                waiting += inner
            case _:
                count += 1
    return count
