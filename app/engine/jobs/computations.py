"""What a job's JSONata makes: the query or body of a request (wire.md A2), and a transform's records (wire.md C8)."""

from collections.abc import Sequence
from typing import Final

from app.engine.config.reader import name_type
from app.engine.jobs.items import ResourceItem
from app.engine.json_types import JSON, JsonObject
from app.engine.jsonata.exact_integers import write_long_integers_as_texts
from app.engine.jsonata.expressions import Expression
from app.engine.paths import UNDEFINED, Path
from app.engine.record_errors import ComputedQueryError, TransformError
from app.engine.redaction import redact

_OF_REQUESTS: Final = ("args", "resources", "tenant_id", "sync_job_run", "previous_run_date")
_OF_BATCHES: Final = (*_OF_REQUESTS, "records", "total_records_size")


def compute_query(expression: Expression, values: JsonObject, plain: frozenset[Path] = frozenset()) -> JsonObject:
    """Compute a query; raise ExpressionError or ComputedQueryError. ``values`` come from ``scope.build_element_scope``.

    The account's context is masked in what the expression sees, except at the ``plain`` paths.
    """
    found = compute_body(expression, values, plain)
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise ComputedQueryError(f"query is expected to return an object, found {name_type(found)}")
    return found


def compute_body(expression: Expression, values: JsonObject, plain: frozenset[Path] = frozenset()) -> JSON:
    """Compute a body of the same values, None for no body; raise ExpressionError."""
    return _evaluate(expression, _OF_REQUESTS, values, plain)


def transform_records(item: ResourceItem, values: JsonObject, plain: frozenset[Path] = frozenset()) -> list[JSON]:
    """Compute records of ``scope.build_batch_scope`` values; raise ExpressionError or TransformError."""
    assert item.expression is not None
    found = _evaluate(item.expression, _OF_BATCHES, values, plain)
    records = found if isinstance(found, list) else [] if found is None else [found]
    if other := [record for record in records if not isinstance(record, dict)]:
        raise TransformError(f"transform '{item.name}' expects objects of its expression, found {name_type(other[0])}")
    return records


def _evaluate(expression: Expression, names: Sequence[str], values: JsonObject, plain: frozenset[Path]) -> JSON:
    shown = {name: values[name] for name in names if name in values}
    masked = redact(values.get("context") or {}, plain)
    found = expression.evaluate(write_long_integers_as_texts({**shown, "context": masked}))
    return None if found is UNDEFINED else found
