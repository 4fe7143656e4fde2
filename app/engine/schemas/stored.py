"""A resource's schema as the API shows it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from app.engine.json_types import JsonObject
from app.engine.schemas.columns import Column, ResourceSchema
from app.engine.times import format_utc, format_utc_or_none


@dataclass(frozen=True, slots=True, kw_only=True)
class SchemaEntry:
    """One entry of a schema's history."""

    change: str
    column: str | None
    details: JsonObject
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredSchema:
    """A schema, with its view and its history."""

    id: str
    schema: ResourceSchema
    version: int
    """Counts up with each change but of times."""
    view: str | None = None
    """Its view's name behind that of its Postgres schema; None while there is none."""
    view_error: str | None = None
    """Why the view does not show all columns."""
    reader: str | None = None
    """The role that reads the environment's views."""
    reader_error: str | None = None
    history: Sequence[SchemaEntry] = ()
    """The last entries, the newest first."""
    created_at: datetime
    updated_at: datetime


def show_schema(stored: StoredSchema) -> JsonObject:
    """Return a schema as the API shows it."""
    schema = stored.schema
    return {
        "id": stored.id,
        "environment_id": schema.environment_id,
        "integration_name": schema.integration_name,
        "resource": schema.resource,
        "policy": schema.policy.value,
        "columns": [show_column(column) for column in schema.columns],
        "left_out": schema.left_out,
        "version": stored.version,
        "view": stored.view,
        "view_error": stored.view_error,
        "reader": stored.reader,
        "reader_error": stored.reader_error,
        "history": [_show_entry(entry) for entry in stored.history],
        "created_at": format_utc(stored.created_at),
        "updated_at": format_utc(stored.updated_at),
    }


def show_column(column: Column) -> JsonObject:
    """Return a column as the API shows it."""
    return {
        "name": column.name,
        "key": column.key,
        "type": column.type.value,
        "is_declared": column.is_declared,
        "is_ignored": column.is_ignored,
        "first_seen_at": format_utc_or_none(column.first_seen_at),
        "last_seen_at": format_utc_or_none(column.last_seen_at),
    }


def _show_entry(entry: SchemaEntry) -> JsonObject:
    return {
        "change": entry.change,
        "column": entry.column,
        "details": entry.details,
        "created_at": format_utc(entry.created_at),
    }
