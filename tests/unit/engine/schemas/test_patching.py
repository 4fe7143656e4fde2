"""What its owner changes of a schema."""

from datetime import UTC, datetime
from typing import Any

import pytest

from app.engine.schemas.columns import MAX_COLUMNS, Column, ColumnType, ResourceSchema, SchemaPolicy
from app.engine.schemas.patching import find_failures, patch

AT = datetime(2026, 11, 30, 12, tzinfo=UTC)
SCHEMA = ResourceSchema(
    environment_id="e",
    integration_name="crm",
    resource="contacts",
    columns=tuple(
        Column(name=name, key=name.upper(), type=kind)
        for name, kind in (("zip", ColumnType.TEXT), ("born", ColumnType.TEXT))
    ),
)


def patched(*columns: dict[str, Any]) -> list[tuple[str, str, str, bool, bool]]:
    changes = {"columns": list(columns)}
    assert find_failures(SCHEMA, changes) == []
    changed = patch(SCHEMA, changes, AT)
    assert patch(SCHEMA, changes, AT) == changed
    return [(one.name, one.key, one.type.value, one.is_declared, one.is_ignored) for one in changed.columns]


ZIP, BORN = ("zip", "ZIP", "text", False, False), ("born", "BORN", "text", False, False)


@pytest.mark.parametrize(
    ("column", "columns"),
    [
        ({"name": "zip"}, [ZIP, BORN]),
        (
            {"name": "zip", "new_name": "postcode"},
            [(*ZIP[:4], True), BORN, ("postcode", "ZIP", "text", False, False)],
        ),
        ({"name": "born", "type": "date"}, [ZIP, BORN, ("born__date", "BORN", "date", True, False)]),
        (
            {"name": "born", "type": "date", "new_name": "birthday", "is_ignored": True},
            [ZIP, (*BORN[:4], True), ("birthday", "BORN", "date", True, False)],
        ),
        ({"name": "zip", "is_ignored": True}, [(*ZIP[:4], True), BORN]),
        ({"name": "zip", "new_name": "postcode", "is_ignored": False}, [ZIP, BORN, ("postcode", *ZIP[1:])]),
    ],
)
def test_column_is_added_or_ignored_and_none_is_changed(
    column: dict[str, Any], columns: list[tuple[str, str, str, bool, bool]]
) -> None:
    assert patched(column) == columns


def test_pinning_the_same_type_twice_adds_one_column() -> None:
    once = patch(SCHEMA, {"columns": [{"name": "born", "type": "date"}]}, AT)

    assert patch(once, {"columns": [{"name": "born", "type": "date"}]}, AT) == once


def test_policy_is_set() -> None:
    assert patch(SCHEMA, {"policy": "freeze"}, AT).policy is SchemaPolicy.FREEZE


def test_all_faults_are_found_at_once() -> None:
    columns: list[Any] = [
        {"name": "absent"},
        {"name": "zip", "new_name": "Post Code", "odd": 1},
        {"name": "zip", "new_name": "sequence"},
        {"name": "zip", "new_name": "born"},
        {"name": "zip", "new_name": 7, "type": "varchar", "is_ignored": "yes"},
        "no object",
        {"name": "zip", "new_name": "twice"},
        {"name": "born", "new_name": "twice"},
    ]

    failures = find_failures(SCHEMA, {"columns": columns})

    assert [failure.path for failure in failures] == [
        "columns.0.name",
        "columns.1.odd",
        "columns.1.new_name",
        "columns.2.new_name",
        "columns.3.new_name",
        "columns.4.new_name",
        "columns.4.type",
        "columns.4.is_ignored",
        "columns.5",
        "columns.7.new_name",
    ]


def test_no_column_is_added_beyond_the_most() -> None:
    columns = tuple(Column(name=f"c{n}", key=f"c{n}", type=ColumnType.TEXT) for n in range(MAX_COLUMNS))
    full = ResourceSchema(environment_id="e", integration_name="crm", resource="c", columns=columns)

    failures = find_failures(full, {"columns": [{"name": "c1", "new_name": "more"}]})

    assert [failure.path for failure in failures] == ["columns"]
