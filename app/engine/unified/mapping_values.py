"""Evaluate the parts of a mapping: an error names the part."""

import re
from typing import Final

from app.engine.config.reader import name_type
from app.engine.json_types import JSON, JsonObject
from app.engine.jsonata.expressions import Expression
from app.engine.paths import UNDEFINED
from app.engine.record_errors import ExpressionError, MappingError, PlaceholderError
from app.engine.templating import placeholders


def evaluate_part(expression: Expression, key: str, scope: JsonObject) -> JSON:
    """Evaluate what a mapping has at ``key``; raise MappingError."""
    try:
        return expression.evaluate(scope)
    except ExpressionError as error:
        raise MappingError(key, error.message) from error


def resolve_part(template: placeholders.Template | None, key: str, scope: JsonObject) -> JSON:
    """Resolve placeholders that a mapping has at ``key``; raise MappingError."""
    try:
        return None if template is None else template.resolve(scope)
    except PlaceholderError as error:
        raise MappingError(key, error.message) from error


def require_object(value: JSON, key: str) -> JsonObject:
    """Return an object, an empty one for nothing and null; raise MappingError for anything else."""
    if value is None or value is UNDEFINED:
        return {}
    if not isinstance(value, dict):
        raise MappingError(key, f"expected an object, found {name_type(value)}")
    return value


_HEADER_NAME: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,200}")
_RESERVED_HEADERS: Final = frozenset(
    {"host", "content-length", "content-type", "transfer-encoding", "connection", "upgrade", "set-cookie", "location"}
)


def write_headers(headers: JsonObject, key: str) -> JsonObject:
    """Return headers as texts; raise MappingError for what is no header that a mapping may set."""
    texts: JsonObject = {}
    for name, value in headers.items():
        text = str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value
        if not _HEADER_NAME.fullmatch(name) or name.lower() in _RESERVED_HEADERS:
            raise MappingError(key, f"'{name[:100]}' is no header that a mapping may set")
        if text is not None and not (isinstance(text, str) and text.isprintable()):
            raise MappingError(key, f"expected a text in one line as '{name}', found {name_type(value)}")
        texts[name] = text
    return texts
