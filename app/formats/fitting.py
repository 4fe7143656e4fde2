"""Rows become columns of values that fit: a value that does not is null there, and stays in the record's JSON."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Final

from app.engine.json_types import JSON, JsonObject
from app.engine.records.rows import decode, encode
from app.engine.schemas.columns import Column, ColumnType
from app.engine.schemas.values import fit
from app.formats.layout import FileLayout, Row

_LEAST: Final = -(2**63)
_MOST: Final = 2**63 - 1


def fit_rows(layout: FileLayout, rows: Sequence[Row]) -> list[Sequence[object | None]]:
    """Return the values of each column of a layout; those of ``jsonb`` as JSON text."""
    accounts, tenants, ids, sequences, synced, deleted, texts, read = zip(*rows, strict=True) if rows else ((),) * 8
    records = [_as_object(decode(text) if record is None else record) for text, record in zip(texts, read, strict=True)]
    times = ([_to_utc(time) for time in column] for column in (synced, deleted))
    typed = (fit_values((record.get(column.key) for record in records), column) for column in layout.typed)
    return [accounts, tenants, ids, sequences, *times, *typed, *([texts] if layout.with_data else [])]


def fit_values(values: Iterable[JSON], column: Column) -> Sequence[object | None]:
    """Return values as a column holds them, those of ``jsonb`` as JSON text."""
    if column.type is ColumnType.JSONB:
        return [None if value is None else encode(value).decode() for value in values]
    is_plain = _PLAIN.get(column.type)
    if is_plain is None:
        return [fit(value, column) for value in values]
    return [value if value is None or is_plain(value) else fit(value, column) for value in values]


def _as_object(record: JSON) -> JsonObject:
    """Return a record; one that is a list, a text or a number has no keys, and no columns."""
    return record if isinstance(record, dict) else {}


def _to_utc(time: datetime | None) -> datetime | None:
    return None if time is None else time.astimezone(UTC)


# What most values are, for which nothing has to be converted.
_PLAIN: Final[Mapping[ColumnType, Callable[[JSON], bool]]] = MappingProxyType(
    {
        ColumnType.BOOLEAN: lambda value: type(value) is bool,
        ColumnType.BIGINT: lambda value: type(value) is int and _LEAST <= value <= _MOST,
        ColumnType.DOUBLE: lambda value: type(value) is float and value - value == 0,
        ColumnType.TEXT: lambda value: type(value) is str,
    }
)
