"""Where a method's answers have their records: a path, or JSONata that finds them.

A text with signs that no path has, or that is no path, is JSONata where it can be read as that: ``items[type = 'a']``,
``$merge(pages)``, ``first ? first.items : items``.
"""

from collections.abc import Iterator
from typing import Final, TypeAlias

from app.engine.config import paths
from app.engine.config.paths import MarkedPath
from app.engine.config.reader import ConfigReader
from app.engine.errors import ExpressionSyntaxError, Failure
from app.engine.json_types import JSON
from app.engine.jsonata import expressions
from app.engine.jsonata.expressions import Expression
from app.engine.known_keys.of_integrations import INTEGRATION
from app.engine.known_keys.shapes import PATH, walk_leaves

ResponsePath: TypeAlias = MarkedPath | Expression

_KEY: Final = "response_path"
_CALL: Final = "$"
_QUOTED: Final = "a key of such characters stands in backticks"


def read_response_path(reader: ConfigReader) -> ResponsePath | None:
    """Read where the records are; None where the answer is the records."""
    value = reader.value.get(_KEY)
    expression, _ = _parse_expression(value)
    return reader.read_marked_path(_KEY) if expression is None else expression


def check_paths(config: JSON, at: str) -> Iterator[Failure]:
    """Yield a failure for each path of a config that looks like JSONata, which would not be evaluated."""
    for leaf in walk_leaves(config, INTEGRATION, at):
        if leaf.key.value is not PATH or not isinstance(leaf.value, str) or paths.may_be_a_name(leaf.value):
            continue
        expression, why = _parse_expression(leaf.value)
        if leaf.name != _KEY:
            message = f"expected a path such as 'data.-1.id', found what only JSONata has; {_QUOTED}"
            yield Failure(leaf.path, message)
        elif expression is None:
            yield Failure(leaf.path, f"is neither a path nor JSONata ({why}); {_QUOTED}")


def _parse_expression(value: JSON) -> tuple[Expression | None, str]:
    """Read JSONata; return None, and why, for anything else."""
    if not isinstance(value, str):
        return None, "it is no text"
    is_path = paths.parse(value) is not None
    if is_path and not paths.find_expression_signs(value):
        return None, "it has no sign of it"
    if is_path and paths.may_be_a_name(value) and _CALL not in value:
        return None, "it may be a name"
    try:
        return expressions.parse(value), ""
    except ExpressionSyntaxError as error:
        return None, error.message
