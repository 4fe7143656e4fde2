"""Values in columns: what each type is learned from, and what fits it."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.engine.schemas.columns import Column, ColumnType
from app.engine.schemas.values import fit, join_types, type_of

JSON_VALUES = st.recursive(
    st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=5,
)


def column(kind: ColumnType, *, is_declared: bool = False) -> Column:
    return Column(name="c", key="c", type=kind, is_declared=is_declared)


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (None, None),
        (True, ColumnType.BOOLEAN),
        (2**63 - 1, ColumnType.BIGINT),
        (2**63, ColumnType.NUMERIC),
        (-(2**63), ColumnType.BIGINT),
        (1.5, ColumnType.DOUBLE),
        ("2026-11-30", ColumnType.TEXT),
        ("0042", ColumnType.TEXT),
        ([], ColumnType.JSONB),
        ({"a": 1}, ColumnType.JSONB),
    ],
)
def test_a_value_is_learned_as_the_narrowest_type(value: object, kind: ColumnType | None) -> None:
    assert type_of(value) is kind


@given(JSON_VALUES)
def test_a_value_fits_the_type_it_is_learned_as(value: object) -> None:
    kind = type_of(value)

    assert kind is not None
    assert fit(value, column(kind)) is not None


@given(JSON_VALUES, JSON_VALUES)
def test_the_joined_type_holds_both_values(first: object, second: object) -> None:
    joined = join_types(*(kind for kind in (type_of(first), type_of(second)) if kind is not None))

    assert fit(first, column(joined)) is not None
    assert fit(second, column(joined)) is not None


@pytest.mark.parametrize("first", ColumnType)
@pytest.mark.parametrize("second", ColumnType)
def test_types_join_in_either_order(first: ColumnType, second: ColumnType) -> None:
    assert join_types(first, second) is join_types(second, first)


@pytest.mark.parametrize(
    ("value", "kind", "held"),
    [
        (3.0, ColumnType.BIGINT, 3),
        (1e300, ColumnType.BIGINT, None),
        (True, ColumnType.BIGINT, None),
        ("12", ColumnType.BIGINT, None),
        (1, ColumnType.BOOLEAN, None),
        (7, ColumnType.TEXT, "7"),
        (False, ColumnType.TEXT, "false"),
        ([1], ColumnType.TEXT, None),
        (2**70, ColumnType.NUMERIC, Decimal(2**70)),
        (10**400, ColumnType.DOUBLE, None),
    ],
)
def test_a_value_fits_or_is_null(value: object, kind: ColumnType, held: object) -> None:
    assert fit(value, column(kind)) == held


@pytest.mark.parametrize(
    ("text", "kind", "held"),
    [
        ("12.50", ColumnType.NUMERIC, Decimal("12.50")),
        ("NaN", ColumnType.NUMERIC, None),
        ("1e9999", ColumnType.NUMERIC, None),
        (" 1", ColumnType.BIGINT, None),
        ("true", ColumnType.BOOLEAN, True),
        ("2026-11-30", ColumnType.DATE, date(2026, 11, 30)),
        ("2026-02-30", ColumnType.DATE, None),
        ("30.11.2026", ColumnType.DATE, None),
        ("2026-11-30T10:00:00Z", ColumnType.TIMESTAMPTZ, datetime(2026, 11, 30, 10, tzinfo=UTC)),
        ("2026-11-30 10:00:00.5+0200", ColumnType.TIMESTAMPTZ, datetime(2026, 11, 30, 8, 0, 0, 500000, tzinfo=UTC)),
        ("2026-11-30", ColumnType.TIMESTAMPTZ, datetime(2026, 11, 30, tzinfo=UTC)),
        ("0001-01-01T00:00:00+10:00", ColumnType.TIMESTAMPTZ, None),
    ],
)
def test_a_declared_column_reads_texts(text: str, kind: ColumnType, held: object) -> None:
    assert fit(text, column(kind, is_declared=True)) == held
