"""Columns that are declared: by a JSON Schema of a resource's records, or by their owner."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from functools import reduce
from types import MappingProxyType
from typing import Final

from app.engine.json_types import JSON
from app.engine.schemas.columns import MAX_COLUMNS, SUFFIXES, Column, ColumnType, ResourceSchema, SchemaPolicy
from app.engine.schemas.names import name_column
from app.engine.schemas.values import join_types

_TYPES: Final[Mapping[str, ColumnType]] = MappingProxyType(
    {
        "boolean": ColumnType.BOOLEAN,
        "integer": ColumnType.BIGINT,
        "number": ColumnType.NUMERIC,
        "string": ColumnType.TEXT,
        "object": ColumnType.JSONB,
        "array": ColumnType.JSONB,
    }
)
_FORMATS: Final[Mapping[str, ColumnType]] = MappingProxyType(
    {
        "date": ColumnType.DATE,
        "date-time": ColumnType.TIMESTAMPTZ,
        "decimal": ColumnType.NUMERIC,
        "int64": ColumnType.BIGINT,
        "double": ColumnType.DOUBLE,
    }
)
"""Of texts; ``double`` and ``int64`` are OpenAPI's, of numbers as well."""


def read_types(declared: JSON) -> Mapping[str, ColumnType]:
    """Return the type of each property of a JSON Schema that says one."""
    properties = declared.get("properties") if isinstance(declared, dict) else None
    found = {key: _read_type(one) for key, one in properties.items()} if isinstance(properties, dict) else {}
    return {key: kind for key, kind in found.items() if kind is not None}


def declare(schema: ResourceSchema, types: Mapping[str, ColumnType], at: datetime) -> ResourceSchema:
    """Return the schema with a column for each key that is declared.

    A key that has one of another type gets a further one: none is ever changed. A frozen schema stays as it is.
    """
    if schema.policy is SchemaPolicy.FREEZE:
        return schema
    has = {(column.key, column.type) for column in schema.columns}
    for key, kind in types.items():
        if (key, kind) not in has and len(schema.columns) < MAX_COLUMNS:
            schema = append_declared(schema, key, kind, at)
    return schema


def append_declared(
    schema: ResourceSchema, key: str, kind: ColumnType, at: datetime, *, name: str | None = None
) -> ResourceSchema:
    """Return the schema with one more column for a key, of a name or of the one that follows from the key."""
    is_further = any(column.key == key for column in schema.columns)
    taken = {column.name for column in schema.columns}
    name = name or name_column(key, taken, suffix=SUFFIXES[kind] if is_further else "")
    column = Column(name=name, key=key, type=kind, is_declared=True, first_seen_at=at)
    return replace(schema, columns=(*schema.columns, column))


def _read_type(declared: JSON) -> ColumnType | None:
    if not isinstance(declared, dict):
        return None
    names = declared.get("type")
    named = names if isinstance(names, list) else [names]
    kinds = [_TYPES.get(name) if isinstance(name, str) else None for name in named if name != "null"]
    known = [kind for kind in kinds if kind is not None]
    if not known or len(known) < len(kinds):
        return None
    kind = reduce(join_types, known)
    is_text_or_number = kind in (ColumnType.TEXT, ColumnType.NUMERIC, ColumnType.BIGINT)
    format_ = declared.get("format")
    return _FORMATS.get(format_, kind) if is_text_or_number and isinstance(format_, str) else kind
