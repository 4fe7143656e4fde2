"""Requests that are repeated for records of their own answers."""

from typing import Any

import pytest

from app.engine.jobs import computations, planning, scope
from app.engine.jobs.definition import parse_resources
from app.engine.jobs.items import ResourceItem
from app.engine.json_types import JSON, JsonObject
from app.engine.record_errors import ExpressionError, PlaceholderError, RecursionFaultError, TransformError

FOLDERS: JsonObject = {
    "resource": "folders",
    "method": "list",
    "recurse": {
        "if": "{{resources.folders.open:bool}}",
        "config": {"id": "{{resources.folders.id}}", "query": {"of": "{{resources.folders.id}}"}},
    },
}


def folders() -> ResourceItem:
    (item,), failures = parse_resources([FOLDERS])
    assert failures == []
    return item


def repeated(record: JSON, element: JsonObject | None = None) -> JsonObject | None:
    item = folders()
    return scope.repeat_for_record(item, planning.plan([item]), element or {}, record, {"resources": {}})


@pytest.mark.parametrize("value", [False, "no", "No", 0, "0", "false", None, "", "off"])
def test_what_says_no_repeats_no_request(value: Any) -> None:
    assert repeated({"id": "a", "open": value}) is None


@pytest.mark.parametrize("value", [True, "true", 1, "1", "yes", 3])
def test_what_is_repeated_asks_with_its_own_id_and_query(value: Any) -> None:
    element = repeated({"id": "a", "open": value}, {"parents": {"x": 1}})

    assert element is not None
    assert element["parents"] == {"x": 1}
    assert scope.apply_recursion(element, None, {"of": "top", "limit": 5}) == ("a", {"of": "a", "limit": 5})
    assert scope.apply_recursion({}, None, {"of": "top"}) == (None, {"of": "top"})


def test_a_record_without_the_field_is_an_error_that_names_it() -> None:
    with pytest.raises(PlaceholderError, match="open"):
        repeated({"id": "a"})


def test_a_tree_that_leads_back_to_itself_is_noticed() -> None:
    first = repeated({"id": "a", "open": True})
    second = repeated({"id": "b", "open": True}, first)

    with pytest.raises(RecursionFaultError, match="leads back"):
        repeated({"id": "a", "open": True}, second)


def test_a_tree_without_end_is_cut() -> None:
    element: JsonObject | None = None
    for number in range(scope.MAX_DEPTH):
        element = repeated({"id": str(number), "open": True}, element)

    with pytest.raises(RecursionFaultError, match="deeper than 100"):
        repeated({"id": "more", "open": True}, element)


@pytest.mark.parametrize(
    ("expression", "given"),
    [("records", [{"id": 1}]), ("records[0]", [{"id": 1}]), ("nothing", []), ("null", []), ("[]", [])],
)
def test_a_transform_gives_a_list_whatever_its_expression_gives(expression: str, given: JSON) -> None:
    assert computations.transform_records(transform(expression), {"records": [{"id": 1}]}) == given


def test_a_transform_sees_no_secret() -> None:
    seen = {"records": [], "context": {"api_key": "s3cret", "site": "x"}, "api_key": "s3cret"}

    (found,) = computations.transform_records(transform("{'all': $string($)}"), seen)

    assert "s3cret" not in found["all"]
    assert "site" in found["all"]


@pytest.mark.parametrize(("expression", "error"), [("5", TransformError), ("$uppercase(5)", ExpressionError)])
def test_a_transform_that_gives_no_records_is_an_error(expression: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        computations.transform_records(transform(expression), {"records": [{"id": 1}]})


def transform(expression: str) -> ResourceItem:
    raw = {"type": "transform", "name": "t", "depends_on": "folders", "config": {"expression": expression}}
    items, failures = parse_resources([FOLDERS, raw])
    assert failures == []
    return items[1]


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"depends_on": None}, "depends_on"),
        ({"config": {}}, "config.expression"),
        ({"config": {"expression": "("}}, "config.expression"),
        ({"config": 5}, "config"),
        ({"query": {}}, "query"),
        ({"loop_on": "args.x"}, "loop_on"),
        ({"recurse": {}}, "recurse"),
        ({"name": None}, "name"),
        ({"type": "spool", "persist": True}, "persist"),
    ],
)
def test_a_wrong_node_is_refused_with_its_path(changes: JsonObject, path: str) -> None:
    raw = {"type": "transform", "name": "t", "depends_on": "folders", "config": {"expression": "records"}, **changes}

    _, failures = parse_resources([FOLDERS, raw])

    assert [failure.path for failure in failures] == [f"resources.1.{path}"]


def test_two_of_a_line_are_not_kept_under_one_resource() -> None:
    raw = {"type": "transform", "name": "t", "depends_on": "folders", "config": {"expression": "records"}}

    _, failures = parse_resources([{**FOLDERS, "persist": True}, {**raw, "persist": True}])
    _, none = parse_resources([{**FOLDERS, "persist": True}, {**raw, "persist": True, "resource": "own"}])

    assert [failure.path for failure in failures] == ["resources.1.persist"]
    assert none == []


def test_nobody_reads_the_objects_behind_a_spool_or_a_changed_batch() -> None:
    child = {"resource": "files", "method": "list", "query": {"of": "{{resources.folders.id}}"}}
    spool = {"type": "spool", "name": "s", "depends_on": "folders", "resource": "other"}

    _, failures = parse_resources([FOLDERS, spool, {**child, "depends_on": "s"}])

    assert [failure.path for failure in failures] == ["resources.2"]
