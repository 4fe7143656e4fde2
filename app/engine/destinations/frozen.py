"""Which records a frozen schema has no place for: they are quarantined, and the rest lands."""

from collections import defaultdict
from collections.abc import Callable

from app.engine.json_types import JSON
from app.engine.schemas.columns import Column, ResourceSchema
from app.engine.schemas.values import fit


def build_judge(schema: ResourceSchema) -> Callable[[JSON], str | None]:
    """Return what finds why a record does not fit a schema; None of a record that does."""
    columns: defaultdict[str, list[Column]] = defaultdict(list)
    for column in schema.columns:
        columns[column.key].append(column)

    def judge(data: JSON) -> str | None:
        if not isinstance(data, dict):
            return "is no object"
        for key, value in data.items():
            if value is not None and all(fit(value, column) is None for column in columns.get(key, ())):
                lacks = "does not fit the column of" if key in columns else "there is no column for"
                return f"{lacks} '{key[:100]}', and the schema is frozen"
        return None

    return judge
