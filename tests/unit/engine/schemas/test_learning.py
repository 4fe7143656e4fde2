"""What a schema becomes by the values that are seen."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.engine.schemas.changes import ChangeKind, find_changes
from app.engine.schemas.columns import MAX_COLUMNS, Column, ColumnType, ResourceSchema, SchemaPolicy
from app.engine.schemas.learning import SEEN_EVERY, learn, seen_in
from app.engine.schemas.values import fit
from tests.unit.engine.schemas.test_column_values import JSON_VALUES

AT = datetime(2026, 11, 30, 12, tzinfo=UTC)
LATER = AT + SEEN_EVERY
EMPTY = ResourceSchema(environment_id="e", integration_name="crm", resource="contacts")


def shapes(schema: ResourceSchema) -> list[tuple[str, str]]:
    return [(column.name, column.type.value) for column in schema.columns]


def learn_records(schema: ResourceSchema, *records: dict[str, Any], at: datetime = AT) -> ResourceSchema:
    return learn(schema, seen_in(records), at)


@pytest.mark.parametrize(
    ("pages", "columns"),
    [
        ([[{"a": None}]], []),
        ([[{"a": 1}, {"a": 2.5}]], [("a", "double precision")]),
        ([[{"a": 1}], [{"a": 2.5}]], [("a", "bigint"), ("a__double", "double precision")]),
        ([[{"a": 1}], [{"a": 2**63}]], [("a", "bigint"), ("a__numeric", "numeric")]),
        ([[{"a": 1}], [{"a": "x"}], [{"a": 7}]], [("a", "bigint"), ("a__text", "text")]),
        (
            [[{"a": 1}], [{"a": "x"}], [{"a": {"b": 1}}]],
            [("a", "bigint"), ("a__text", "text"), ("a__jsonb", "jsonb")],
        ),
        ([[{"a": True}], [{"a": 1}]], [("a", "bool"), ("a__text", "text")]),
        ([[{"a": "0042"}], [{"a": 42}]], [("a", "text")]),
        ([[{"a": [1]}], [{"a": "x"}]], [("a", "jsonb")]),
        ([[{"d": "2026-11-30", "e": "30.11.2026", "f": "Nov 30"}]], [("d", "text"), ("e", "text"), ("f", "text")]),
        ([[{"b": 1, "B": 2}]], [("b", "bigint"), ("b_2", "bigint")][:2]),
        ([[{"a__text": 1, "a": 1}], [{"a": "x"}]], [("a", "bigint"), ("a__text", "bigint"), ("a__text_2", "text")]),
        ([[["no object"]]], []),
    ],
)
def test_columns_follow_from_pages(pages: list[list[Any]], columns: list[tuple[str, str]]) -> None:
    schema = EMPTY
    for page in pages:
        schema = learn(schema, seen_in(page), AT)

    assert shapes(schema) == columns


def test_learning_the_same_again_changes_times_alone_and_those_once_a_minute() -> None:
    schema = learn_records(EMPTY, {"a": 1})

    assert learn_records(schema, {"a": 2}, at=AT + timedelta(seconds=59)) == schema
    later = learn_records(schema, {"a": 2}, at=LATER)
    assert [(one.first_seen_at, one.last_seen_at) for one in later.columns] == [(AT, LATER)]
    assert find_changes(schema, later) == []


def test_order_of_keys_makes_no_difference() -> None:
    assert learn_records(EMPTY, {"b": 1, "a": 1}) == learn_records(EMPTY, {"a": 1, "b": 1})


def test_frozen_schema_gets_no_column() -> None:
    frozen = ResourceSchema(environment_id="e", integration_name="crm", resource="contacts", policy=SchemaPolicy.FREEZE)

    assert learn_records(frozen, {"a": 1}).columns == ()


def test_keys_beyond_the_most_columns_are_left_out() -> None:
    record = {f"key{number:04}": number for number in range(2 * MAX_COLUMNS)}

    schema = learn_records(EMPTY, record)

    assert len(schema.columns) == MAX_COLUMNS
    assert schema.left_out == MAX_COLUMNS
    assert learn_records(schema, record) == schema


def declared(kind: ColumnType) -> ResourceSchema:
    column = Column(name="a", key="a", type=kind, is_declared=True)
    return ResourceSchema(environment_id="e", integration_name="crm", resource="contacts", columns=(column,))


def test_declared_column_takes_texts() -> None:
    assert shapes(learn_records(declared(ColumnType.DATE), {"a": "2026-11-30"})) == [("a", "date")]


def test_text_that_a_declared_column_does_not_read_adds_a_text() -> None:
    schema = learn(declared(ColumnType.DATE), {"a": {ColumnType.TEXT}}, AT, unread={"a"})

    assert shapes(schema) == [("a", "date"), ("a__text", "text")]
    assert learn(schema, {"a": {ColumnType.TEXT}}, AT, unread={"a"}) == schema


def test_history_tells_what_was_added() -> None:
    schema = learn_records(EMPTY, {"a": 1})

    (change,) = find_changes(EMPTY, schema)
    assert (change.kind, change.column) == (ChangeKind.ADDED, "a")
    assert change.details == {"key": "a", "type": "bigint", "is_declared": False}


@given(st.lists(st.lists(st.dictionaries(st.sampled_from("ab"), JSON_VALUES, max_size=2), max_size=3), max_size=4))
def test_each_value_fits_a_column_of_its_key_and_no_column_changes(pages: list[list[dict[str, Any]]]) -> None:
    schema = EMPTY
    for page in pages:
        before, schema = schema, learn(schema, seen_in(page), AT)
        assert schema.columns[: len(before.columns)] == before.columns

    for record in (record for page in pages for record in page):
        for key, value in record.items():
            assert any(fit(value, column) is not None for column in schema.columns if column.key == key)
