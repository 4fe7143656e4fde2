"""What SQL makes of a value for a column is what Python makes of it, and it never raises."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, reject, settings
from hypothesis import strategies as st
from sqlalchemy import Engine

from app.engine.schemas.columns import Column, ColumnType
from app.engine.schemas.values import fit, type_of
from app.store.db.database import connections_of
from app.store.schemas.view_sql import name_function
from app.store.schemas.written_values import KIND

# As jsonb holds texts: without U+0000 and halves of surrogate pairs.
TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=12)
NUMBERS = (
    st.integers()
    | st.integers(-(2**64), 2**64)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from([2**63 - 1, 2**63, -(2**63), -(2**63) - 1, 10**400, -0.0, 5e-324, 1e308, 1e16, 1e-7])
)
TIME_TEXTS = st.from_regex(
    r"[0-2][0-9]{3}-[01][0-9]-[0-3][0-9]([Tt ][0-2][0-9]:[0-6][0-9](:[0-6][0-9](\.[0-9]{1,8})?)?"
    r"([Zz]|[+-][0-2][0-9]:?[0-6][0-9])?)?",
    fullmatch=True,
)
NUMBER_TEXTS = st.from_regex(r"-?[0-9]{1,25}(\.[0-9]{1,5})?([eE][+-]?[0-9]{1,4})?", fullmatch=True)
ODD_TEXTS = st.sampled_from(
    [
        *("true", "false", "NaN", "Infinity", "1e999", "-1e999", "1e-999", " 1", "1 ", "1\n", "", "0x1", "1_000"),
        *("0000-01-01", "0001-01-01", "9999-12-31", "2024-02-29", "2023-02-29", "1900-02-29", "2000-02-29"),
        *("0001-01-01T00:00:00+10:00", "9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59-01:00"),
        *("2026-11-30T24:00:00Z", "2026-11-30T23:59:60Z", "2026-11-30T10:00:00.1234567Z", "2026-04-31"),
        *("2026-11-30T10:00:00+23:59", "2026-11-30T10:00:00+24:00", "2026-11-30T10:00:00-0030", "9" * 1000, "9" * 1001),
        *("2026-11-30T10:00+02", "2026-11-30 10:00", "2026-11-30\n", "30.11.2026", "infinity", "now", "epoch"),
    ]
)
SCALARS = st.none() | st.booleans() | NUMBERS | TEXTS | TIME_TEXTS | NUMBER_TEXTS | ODD_TEXTS
VALUES = SCALARS | st.lists(SCALARS, max_size=2) | st.dictionaries(TEXTS, SCALARS, max_size=2)
_SELECT = "select {} as kind, {} from (select cast(%s as jsonb) as value) field"


@pytest.fixture(scope="module")
def functions(postgres_server: Any) -> Any:
    with postgres_server.fresh_database(is_direct=True) as url, psycopg.connect(url, autocommit=True) as connection:
        connection.execute("set timezone to 'Asia/Kolkata'")
        yield connection


def columns() -> list[Column]:
    return [
        Column(name="c", key="c", type=kind, is_declared=is_declared)
        for kind in ColumnType
        for is_declared in (False, True)
    ]


def ask(connection: psycopg.Connection[Any], value: object) -> tuple[Any, ...]:
    calls = [f"{name_function(one.type)}(field.value, {one.is_declared})" for one in columns()]
    statement = _SELECT.format(KIND, ", ".join(calls))
    try:
        row = connection.execute(statement, [json.dumps(value)]).fetchone()  # type: ignore[arg-type]
    except psycopg.DataError as error:
        # The last day that Python knows has an hour in this zone that it does not know.
        assert "10K" in str(error)
        reject()
    assert row is not None
    return row


@settings(max_examples=400, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(VALUES)
def test_sql_and_python_make_the_same_of_a_value(functions: psycopg.Connection[Any], value: object) -> None:
    # As Postgres holds it: it knows neither exponents nor a negative zero.
    held = functions.execute("select cast(%s as jsonb)", [json.dumps(value)]).fetchone()[0]  # type: ignore[index]

    kind, *made = ask(functions, value)

    assert made == [fit(held, column) for column in columns()]
    if value is not None:
        assert kind == type_of(held)


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (1.0, "double precision"),
        (2**63, "numeric"),
        (-(2**63), "bigint"),
        (1e16, "bigint"),
        ({}, "jsonb"),
        ("", "text"),
    ],
)
def test_sql_learns_a_value_as_python_does(functions: psycopg.Connection[Any], value: object, kind: str) -> None:
    assert ask(functions, value)[0] == kind


def test_time_without_an_offset_is_in_utc_whatever_the_session(functions: psycopg.Connection[Any]) -> None:
    row = functions.execute("select ferryman_timestamptz('\"2026-11-30T10:00:00\"', true)").fetchone()

    assert row == (datetime(2026, 11, 30, 10, tzinfo=UTC),)


def test_large_numbers_are_whole(functions: psycopg.Connection[Any]) -> None:
    row = functions.execute("select ferryman_numeric('170141183460469231731687303715884105727', false)").fetchone()

    assert row == (Decimal(2**127 - 1),)


def test_functions_are_put_in_the_place_of_their_calls(engine: Engine) -> None:
    """A call of a function would cost ten times as much as its expression."""
    calls = ", ".join(f"{name_function(one.type)}(data -> 'a', {one.is_declared})" for one in columns())
    with psycopg.connect(connections_of(engine).url) as connection:
        plan = connection.execute(f"explain (verbose) select {calls} from record").fetchall()  # type: ignore[arg-type]

    assert not [line for (line,) in plan if "ferryman_" in line and "Output" in line]
