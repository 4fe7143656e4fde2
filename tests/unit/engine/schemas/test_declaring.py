"""Columns that a JSON Schema declares."""

from datetime import UTC, datetime
from typing import Any

import pytest

from app.engine.schemas.columns import ColumnType, ResourceSchema, SchemaPolicy
from app.engine.schemas.declaring import declare, read_types
from app.engine.schemas.learning import learn

AT = datetime(2026, 11, 30, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("declared", "kind"),
    [
        ({"type": "boolean"}, ColumnType.BOOLEAN),
        ({"type": "integer"}, ColumnType.BIGINT),
        ({"type": "number"}, ColumnType.NUMERIC),
        ({"type": "number", "format": "double"}, ColumnType.DOUBLE),
        ({"type": "string", "format": "decimal"}, ColumnType.NUMERIC),
        ({"type": "string", "format": "date"}, ColumnType.DATE),
        ({"type": ["string", "null"], "format": "date-time"}, ColumnType.TIMESTAMPTZ),
        ({"type": "string", "format": "email"}, ColumnType.TEXT),
        ({"type": "string", "format": ["odd"]}, ColumnType.TEXT),
        ({"type": "object", "format": "date"}, ColumnType.JSONB),
        ({"type": "array"}, ColumnType.JSONB),
        ({"type": ["integer", "number"]}, ColumnType.NUMERIC),
        ({"type": ["integer", "string"]}, ColumnType.TEXT),
        ({"type": ["string", "object"]}, ColumnType.JSONB),
    ],
)
def test_type_of_a_property(declared: dict[str, Any], kind: ColumnType) -> None:
    assert read_types({"properties": {"a": declared}}) == {"a": kind}


@pytest.mark.parametrize("declared", [{}, {"type": "null"}, {"type": "odd"}, {"type": 7}, {"$ref": "#"}, True, None])
def test_property_that_says_no_type_is_learned(declared: object) -> None:
    assert read_types({"properties": {"a": declared}}) == {}


@pytest.mark.parametrize("schema", [None, True, {}, {"properties": []}])
def test_schema_without_properties_declares_nothing(schema: object) -> None:
    assert read_types(schema) == {}


EMPTY = ResourceSchema(environment_id="e", integration_name="crm", resource="contacts")


def shapes(schema: ResourceSchema) -> list[tuple[str, str, bool]]:
    return [(column.name, column.type.value, column.is_declared) for column in schema.columns]


def test_declaring_again_changes_nothing() -> None:
    schema = declare(EMPTY, {"a": ColumnType.DATE}, AT)

    assert shapes(schema) == [("a", "date", True)]
    assert declare(schema, {"a": ColumnType.DATE}, AT) == schema


def test_learned_column_stays_beside_a_declared_one() -> None:
    schema = learn(EMPTY, {"a": {ColumnType.TEXT}}, AT)

    schema = declare(schema, {"a": ColumnType.DATE}, AT)

    assert shapes(schema) == [("a", "text", False), ("a__date", "date", True)]


def test_frozen_schema_declares_nothing() -> None:
    frozen = ResourceSchema(environment_id="e", integration_name="crm", resource="c", policy=SchemaPolicy.FREEZE)

    assert declare(frozen, {"a": ColumnType.DATE}, AT) == frozen
