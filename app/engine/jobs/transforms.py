"""A transform: JSONata over a batch of records, whose result takes the batch's place (docs/wire.md C8)."""

from app.engine.config.reader import type_name
from app.engine.errors import TransformError
from app.engine.jobs.items import ResourceItem
from app.engine.json_types import JSON, JsonObject
from app.engine.jsonata.exact_integers import with_long_integers_as_texts
from app.engine.paths import UNDEFINED, Path
from app.engine.redaction import redacted


def transformed(item: ResourceItem, seen: JsonObject, plain: frozenset[Path] = frozenset()) -> list[JSON]:
    """Make new records; raise ExpressionError or TransformError. ``seen`` comes from ``scope.batch_scope``.

    The account's context stands masked in what the expression sees, but for the ``plain`` paths.
    """
    assert item.expression is not None
    names = ("args", "resources", "records", "total_records_size", "tenant_id", "sync_job_run", "previous_run_date")
    shown = {name: seen[name] for name in names if name in seen}
    exact = with_long_integers_as_texts({**shown, "context": redacted(seen.get("context") or {}, plain)})
    found = item.expression.evaluate(exact)
    if found is UNDEFINED or found is None:
        return []
    records = found if isinstance(found, list) else [found]
    if other := [record for record in records if not isinstance(record, dict)]:
        raise TransformError(f"transform '{item.name}' expects objects of its expression, found {type_name(other[0])}")
    return records
