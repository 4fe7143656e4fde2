"""A job's JSONata: queries and bodies of requests (docs/wire.md A2), a transform's records (docs/wire.md C8)."""

from app.engine.config.reader import name_type
from app.engine.jobs.items import ResourceItem
from app.engine.json_types import JSON, JsonObject
from app.engine.jsonata.exact_integers import write_long_integers_as_texts
from app.engine.jsonata.expressions import Expression
from app.engine.paths import UNDEFINED, Path
from app.engine.record_errors import ComputedQueryError, TransformError
from app.engine.redaction import redact

_SEEN = ("args", "resources", "tenant_id", "sync_job_run", "previous_run_date")


def compute_query(expression: Expression, values: JsonObject, plain: frozenset[Path] = frozenset()) -> JsonObject:
    """Make a query; raise ExpressionError or ComputedQueryError. ``values`` come from ``scope.build_element_scope``.

    The account's context stands masked in what the expression sees, but for the ``plain`` paths.
    """
    found = compute_body(expression, values, plain)
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise ComputedQueryError(f"query is expected to give an object, found {name_type(found)}")
    return found


def compute_body(expression: Expression, values: JsonObject, plain: frozenset[Path] = frozenset()) -> JSON:
    """Make a body, None for none, of the same values; raise ExpressionError."""
    shown = {name: values[name] for name in _SEEN if name in values}
    exact = write_long_integers_as_texts({**shown, "context": redact(values.get("context") or {}, plain)})
    found = expression.evaluate(exact)
    return None if found is UNDEFINED else found


def transform_records(item: ResourceItem, seen: JsonObject, plain: frozenset[Path] = frozenset()) -> list[JSON]:
    """Make new records; raise ExpressionError or TransformError. ``seen`` comes from ``scope.build_batch_scope``.

    The account's context stands masked in what the expression sees, but for the ``plain`` paths.
    """
    assert item.expression is not None
    names = ("args", "resources", "records", "total_records_size", "tenant_id", "sync_job_run", "previous_run_date")
    shown = {name: seen[name] for name in names if name in seen}
    exact = write_long_integers_as_texts({**shown, "context": redact(seen.get("context") or {}, plain)})
    found = item.expression.evaluate(exact)
    if found is UNDEFINED or found is None:
        return []
    records = found if isinstance(found, list) else [found]
    if other := [record for record in records if not isinstance(record, dict)]:
        raise TransformError(f"transform '{item.name}' expects objects of its expression, found {name_type(other[0])}")
    return records
