"""Rows as tables of Arrow, which Parquet is written from and DuckDB reads."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Final

import pyarrow as pa

from app.engine.schemas.columns import ColumnType
from app.formats.fitting import fit_rows
from app.formats.layout import FileLayout, Row

DIGITS: Final = 38
"""Of a number of ``numeric``: the most that DuckDB, Spark and most others read exactly."""
FRACTION_DIGITS: Final = 9
"""Of these so many are behind the point; a number that needs more on either side is null."""
_TYPES: Final = {
    ColumnType.BOOLEAN: pa.bool_(),
    ColumnType.BIGINT: pa.int64(),
    ColumnType.NUMERIC: pa.decimal128(DIGITS, FRACTION_DIGITS),
    ColumnType.DOUBLE: pa.float64(),
    ColumnType.DATE: pa.date32(),
    ColumnType.TIMESTAMPTZ: pa.timestamp("us", tz="UTC"),
    ColumnType.TEXT: pa.string(),
    ColumnType.JSONB: pa.string(),
}


def build_schema(layout: FileLayout) -> pa.Schema:
    """Return the schema of a layout; every field may be null, and names Ferryman's type of it."""
    return pa.schema([pa.field(name, _TYPES[kind], metadata={"type": kind}) for name, kind in layout.named_types])


def build_table(layout: FileLayout, schema: pa.Schema, rows: Sequence[Row]) -> pa.Table:
    """Return rows as a table."""
    columns = fit_rows(layout, rows)
    arrays = [_build_array(field, values) for field, values in zip(schema, columns, strict=True)]
    return pa.Table.from_arrays(arrays, schema=schema)


def _build_array(field: pa.Field, values: Sequence[object | None]) -> pa.Array:
    if pa.types.is_decimal(field.type):
        values = [fit_decimal(value) if isinstance(value, Decimal) else None for value in values]
    return pa.array(values, type=field.type)


def fit_decimal(number: Decimal) -> Decimal | None:
    """Return a number that a file's ``numeric`` holds exactly; None for one that it would round."""
    sign, digits, exponent = number.as_tuple()
    assert isinstance(exponent, int)
    text = "".join(map(str, digits)).rstrip("0") or "0"
    exponent = 0 if text == "0" else exponent + len(digits) - len(text)
    if exponent < -FRACTION_DIGITS or len(text) + exponent > DIGITS - FRACTION_DIGITS:
        return None
    return Decimal((sign, tuple(map(int, text)), exponent))
