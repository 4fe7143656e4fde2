"""A request's query or body that JSONata makes (docs/wire.md A2): an expression in the place of placeholders."""

from app.engine.config.reader import type_name
from app.engine.errors import ComputedQueryError
from app.engine.json_types import JSON, JsonObject
from app.engine.jsonata.exact_integers import with_long_integers_as_texts
from app.engine.jsonata.expressions import Expression
from app.engine.paths import UNDEFINED, Path
from app.engine.redaction import redacted

_SEEN = ("args", "resources", "tenant_id", "sync_job_run", "previous_run_date")


def evaluated(expression: Expression, values: JsonObject, plain: frozenset[Path] = frozenset()) -> JsonObject:
    """Make a query; raise ExpressionError or ComputedQueryError. ``values`` come from ``scope.element_scope``.

    The account's context stands masked in what the expression sees, but for the ``plain`` paths.
    """
    found = body(expression, values, plain)
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise ComputedQueryError(f"query is expected to give an object, found {type_name(found)}")
    return found


def body(expression: Expression, values: JsonObject, plain: frozenset[Path] = frozenset()) -> JSON:
    """Make a body, None for none, of the same values; raise ExpressionError."""
    shown = {name: values[name] for name in _SEEN if name in values}
    exact = with_long_integers_as_texts({**shown, "context": redacted(values.get("context") or {}, plain)})
    found = expression.evaluate(exact)
    return None if found is UNDEFINED else found
