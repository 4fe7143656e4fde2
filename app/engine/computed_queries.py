"""A request's query that JSONata makes (wire.md A2): an expression in the place of an object with placeholders."""

from app.engine.config_reader import type_name
from app.engine.errors import ComputedQueryError
from app.engine.expressions import Expression
from app.engine.json_types import JsonObject
from app.engine.paths import UNDEFINED
from app.engine.redaction import redacted

_SEEN = ("args", "resources", "tenant_id", "sync_job_run", "previous_run_date")


def evaluated(expression: Expression, values: JsonObject) -> JsonObject:
    """Make a query; raise ExpressionError or ComputedQueryError. ``values`` come from ``scope.element_scope``.

    The account's context stands masked in what the expression sees.
    """
    shown = {name: values[name] for name in _SEEN if name in values}
    found = expression.evaluate({**shown, "context": redacted(values.get("context") or {})})
    if found is UNDEFINED or found is None:
        return {}
    if not isinstance(found, dict):
        raise ComputedQueryError(f"query is expected to give an object, found {type_name(found)}")
    return found
