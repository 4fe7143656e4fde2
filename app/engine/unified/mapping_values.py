"""Work out the parts of a mapping: what fails is an error that names the part."""

from app.engine.config.reader import type_name
from app.engine.json_types import JSON, JsonObject
from app.engine.jsonata.expressions import Expression
from app.engine.paths import UNDEFINED
from app.engine.record_errors import ExpressionError, MappingError, PlaceholderError
from app.engine.templating import placeholders


def evaluated(expression: Expression, key: str, scope: JsonObject) -> JSON:
    """Evaluate what a mapping has at ``key``; raise MappingError."""
    try:
        return expression.evaluate(scope)
    except ExpressionError as error:
        raise MappingError(key, error.message) from error


def resolved(template: placeholders.Template | None, key: str, scope: JsonObject) -> JSON:
    """Resolve placeholders that a mapping has at ``key``; raise MappingError."""
    try:
        return None if template is None else template.resolve(scope)
    except PlaceholderError as error:
        raise MappingError(key, error.message) from error


def object_of(value: JSON, key: str) -> JsonObject:
    """Take nothing and null as an empty object; raise MappingError for what is no object."""
    if value is None or value is UNDEFINED:
        return {}
    if not isinstance(value, dict):
        raise MappingError(key, f"expected an object, found {named(value)}")
    return value


def named(value: JSON) -> str:
    """Return what kind of value it is."""
    return "nothing" if value is UNDEFINED else type_name(value)
