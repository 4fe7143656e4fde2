"""A job's own rule for its arguments: JSONata over ``{args}`` that gives what is wrong with them (docs/wire.md C6)."""

from typing import Final

from app.engine.config.reader import type_name
from app.engine.errors import ExpressionError, ExpressionSyntaxError, Failure
from app.engine.json_types import JSON, JsonObject
from app.engine.jsonata import expressions
from app.engine.paths import UNDEFINED

_LONGEST_MESSAGE: Final = 1000


def rule_failures(rule: str | None, path: str = "args_validation") -> list[Failure]:
    """Return what is wrong with a rule itself."""
    if not rule:
        return []
    try:
        expressions.parse(rule)
    except ExpressionSyntaxError as error:
        return [Failure(path, error.message)]
    return []


def failures(rule: str | None, args: JsonObject) -> list[Failure]:
    """Ask a rule about arguments: what is falsy lets them pass; a rule that fails lets none pass."""
    if not rule:
        return []
    try:
        found = expressions.parse(rule).evaluate({"args": args})
    except (ExpressionError, ExpressionSyntaxError) as error:
        return [Failure("args", f"the job's args_validation failed: {error.message}")]
    return [] if found is UNDEFINED or not found else [Failure("args", _message(found))]


def _message(found: JSON) -> str:
    text = found.get("message") if isinstance(found, dict) else found
    if isinstance(text, str) and text:
        return text[:_LONGEST_MESSAGE]
    return f"the job's args_validation refuses them, and gives {type_name(found)} without a message"
