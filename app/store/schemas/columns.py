"""Columns of a schema as JSON, as a row keeps them."""

from collections.abc import Sequence
from datetime import datetime

from app.engine.json_types import JsonObject
from app.engine.schemas.columns import Column, ColumnType
from app.engine.times import format_utc_or_none


def dump_columns(columns: Sequence[Column]) -> list[JsonObject]:
    """Return columns as JSON."""
    return [
        {
            "name": column.name,
            "key": column.key,
            "type": column.type.value,
            "is_declared": column.is_declared,
            "is_ignored": column.is_ignored,
            "first_seen_at": format_utc_or_none(column.first_seen_at),
            "last_seen_at": format_utc_or_none(column.last_seen_at),
        }
        for column in columns
    ]


def load_columns(dumped: Sequence[JsonObject]) -> tuple[Column, ...]:
    """Return the columns that JSON describes."""
    return tuple(
        Column(
            name=column["name"],
            key=column["key"],
            type=ColumnType(column["type"]),
            is_declared=column["is_declared"],
            is_ignored=column["is_ignored"],
            first_seen_at=_load_time(column["first_seen_at"]),
            last_seen_at=_load_time(column["last_seen_at"]),
        )
        for column in dumped
    )


def _load_time(dumped: str | None) -> datetime | None:
    return None if dumped is None else datetime.fromisoformat(dumped)
