"""JSON Schemas of the values that configured keys have."""

from collections.abc import Mapping
from typing import Final

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
