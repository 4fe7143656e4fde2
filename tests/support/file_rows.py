"""Rows for files, files made of them, and what their columns have to hold."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Context, Decimal
from typing import Any, Final

from hypothesis import strategies as st

from app.engine.schemas.columns import Column, ColumnType
from app.engine.schemas.values import fit
from app.formats.formats import FileOptions, open_encoder
from app.formats.layout import FileLayout, Row

_WIDE: Final = Context(prec=1000)
TIME: Final = datetime(2026, 11, 30, 12, 0, 0, 123456, tzinfo=UTC)


def _column(kind: ColumnType, is_declared: bool) -> Column:
    name = f"{kind.name.lower()}{'_declared' if is_declared else ''}"
    return Column(name=name, key=name.upper(), type=kind, is_declared=is_declared)


COLUMNS: Final = [_column(kind, is_declared) for kind in ColumnType for is_declared in (False, True)]
LAYOUT: Final = FileLayout(columns=COLUMNS, with_data=True)

# What Postgres' jsonb holds: no U+0000, no half surrogates, no NaN.
_TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)
_TELLING = st.sampled_from(
    [
        *("", '"', "a,b\r\n", "=1+1", "null", "NaN", "true", "1", "-0.5", "12.50", "1e400", "99999999999999999999"),
        *("2026-11-30", "2026-13-30", "2026-11-30T12:00:00.5+02:00", "0001-01-01T00:00:00Z", "2026-11-30 12:00"),
    ]
)
_NUMBERS = (
    st.integers(-(2**65), 2**65)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from([10**28, 10**29, -(10**29), 10**40, 0.1, 1e-9, 1e-10, 1e300, -0.0, 2**63, -(2**63)])
)
JSON_VALUES: Final = st.recursive(
    st.none() | st.booleans() | _NUMBERS | _TEXTS | _TELLING,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXTS, inner, max_size=3),
    max_leaves=6,
)
_OBJECTS = st.fixed_dictionaries({}, optional={column.key: JSON_VALUES for column in COLUMNS})
RECORDS: Final = st.lists(_OBJECTS | JSON_VALUES, min_size=1, max_size=5)


def make_rows(records: Sequence[Any]) -> list[Row]:
    """Make a row of each record, numbered from 1; every other one is a tombstone."""
    return [
        Row("account", "tenant", str(number), number, TIME, TIME if number % 2 else None, json.dumps(record))
        for number, record in enumerate(records, start=1)
    ]


def write_file(layout: FileLayout, rows: Sequence[Row], options: FileOptions) -> bytes:
    """Make a file of rows that come in two pieces."""
    encoder = open_encoder(layout, options)
    half = len(rows) // 2
    pieces = [encoder.encode(rows[:half]), encoder.encode(rows[half:])]
    return b"".join([*pieces, encoder.finish()])


def fit_records(records: Sequence[Any]) -> list[dict[str, Any]]:
    """Return what the typed columns hold, as Python values; of ``jsonb`` the value itself."""
    objects = [record if isinstance(record, dict) else {} for record in records]
    return [{column.name: fit(record.get(column.key), column) for column in COLUMNS} for record in objects]


def hold_exactly(number: Any) -> Any:
    """Return what a file's ``numeric`` holds of a number: itself, or null where that needs too many digits."""
    if not isinstance(number, Decimal):
        return number
    if abs(number) >= Decimal(10) ** 29 or number != number.quantize(Decimal("1e-9"), context=_WIDE):
        return None
    return number
