"""Where records are, and which lists that are not there are empty."""

from typing import Any

import pytest

from app.engine.config import paths
from app.engine.integrations.request_formats import ResponseFormat
from app.engine.jsonata.expressions import parse
from app.engine.record_errors import SourceError
from app.engine.records.keys import RecordKey
from app.sources.answers.record_lists import RecordPlace, find_records


def place(path: str | None = None, method: str = "list", **fields: Any) -> RecordPlace:
    return RecordPlace(method=method, path=None if path is None else paths.parse(path), **fields)


def fault(document: Any, path: str | None = None, **fields: Any) -> str:
    with pytest.raises(SourceError) as caught:
        find_records(document, place(path, **fields))
    assert caught.value.code == "no_records"
    assert not caught.value.retryable
    return caught.value.message


@pytest.mark.parametrize(
    ("document", "method", "path", "expected"),
    [
        ([1], "list", None, [1]),
        ({"a": {"b": [1]}}, "list", "a.b", [1]),
        ({"a": {"b": [1]}}, "list", "a?.b?", [1]),
        ({"id": 1}, "get", None, [{"id": 1}]),
        ({"data": {"id": 1}}, "get", "data", [{"id": 1}]),
        ([1, 2], "search", None, [1, 2]),
        ({"id": 1}, "search", None, [{"id": 1}]),
        ({}, "search", None, [{}]),
        (None, "create", None, []),
        ({"data": None, "message": "archived"}, "archive", "data", []),
    ],
)
def test_records_are_found(document: Any, method: str, path: str | None, expected: list[Any]) -> None:
    assert find_records(document, place(path, method)) == expected


@pytest.mark.parametrize(
    ("document", "path"),
    [
        (None, None),
        ({}, None),
        ({"items": None}, "items"),
        ({"items": {}}, "items"),
        ({"items": None, "rows": [{"id": 1}]}, "items"),
        ({}, "items"),
        ({}, "data.items"),
        ({"total": 0, "warnings": [], "tags": ["a"]}, "items"),
        ({"data": {}, "message": "done", "errors": [], "error": None, "success": True, "code": 0}, "data.items"),
        ({"data": {"total": 0}, "status": 200, "errcode": 0, "errmsg": "ok"}, "data.items"),
        ({"data": None, "errors": []}, "data.items"),
        ({"data": []}, "data.items"),
        ({"links": [{"rel": "self"}], "count": 0}, "items"),
        ({"_links": {"self": {"href": "/"}}, "page": {"totalElements": 0}}, "_embedded?.things"),
        ({"facets": [{"name": "state"}], "message": "nothing found"}, "items?"),
    ],
)
@pytest.mark.parametrize("is_first_page", [True, False])
def test_an_empty_list_is_no_error(document: Any, path: str | None, is_first_page: bool) -> None:
    assert find_records(document, place(path, is_first_page=is_first_page)) == []


@pytest.mark.parametrize(
    ("document", "path", "words"),
    [
        ({"itemz": [{"id": 1}]}, "items", "at response_path 'items', found nothing (it has arrays at: itemz)"),
        ({"data": {"items": [{"id": 1}]}}, "items", "it has arrays at: data.items"),
        ({"data": {"itemz": [{"id": 1}]}}, "data.items", "it has arrays at: data.itemz"),
        ({"date": {"items": []}}, "data.items", "found nothing (it has arrays at: date.items)"),
        ({"meta": {"total": 0}}, "data.items", "found nothing"),
    ],
)
def test_a_mistyped_path_is_told_on_the_first_page_and_no_later(document: Any, path: str, words: str) -> None:
    assert words in fault(document, path)
    assert find_records(document, place(path, is_first_page=False)) == []


@pytest.mark.parametrize("is_first_page", [True, False])
@pytest.mark.parametrize(
    ("document", "path", "words"),
    [
        ({"error": "invalid_token"}, "items", "its 'error' describes an error"),
        ({"items": None, "errors": [{"message": "x"}]}, "items", "'errors'"),
        ({"items": {}, "Error-Code": 17}, "items", "'Error-Code'"),
        ({"errors": [{"message": "x"}], "data": None}, "data.items", "'errors'"),
        ({"errors": [{"message": "x"}], "data": {}}, "data.items", "'errors'"),
        ({"data": {"fault": {"faultstring": "x"}}}, "data.items", "'fault'"),
        ({"message": "try later"}, "items", "'message'"),
        ({"data": None, "msg": "token expired"}, "data.items", "'msg'"),
        ({"data": None, "message": "token expired"}, "data", "'message'"),
        ({"data": {"detail": "denied"}}, "data.items", "'detail'"),
        ({"ok": False}, "items", "'ok'"),
        ({"data": {}, "success": "false"}, "data.items", "'success'"),
        ({"data": {}, "status": "fail"}, "data.items", "'status'"),
        ({"data": {}, "code": 401}, "data.items", "'code'"),
        ({"error": "x"}, "items?", "'error'"),
        ({"data": "x"}, "data", "'data', found a text"),
        ({"data": True}, "data", "'data', found a boolean"),
        ({"data": 1}, "data", "'data', found a number"),
        ({"data": 1}, "data.items", "found nothing"),
        ("text", "data.items", "found nothing"),
        ([{"id": 1}], "items", "found nothing (the answer is itself an array)"),
        ({"data": {"id": 1}}, "data", "response_format: 'map'"),
        ({"rows": [], "total": 0}, None, "set response_path to where the array is (it has arrays at: rows)"),
        ({"error": "x"}, None, "found an object"),
    ],
)
def test_what_is_no_empty_list_is_told(document: Any, path: str | None, words: str, is_first_page: bool) -> None:
    assert words in fault(document, path, is_first_page=is_first_page)


def test_a_key_that_may_be_missing_can_be_marked() -> None:
    assert fault({"page": {}}, "_embedded.things").endswith("leave it out of an empty list, write '_embedded?.things'")
    assert fault({"rows": [{}]}, "data").endswith("write 'data?'")
    assert "leave it out" not in fault({"id": 1}, "data", method="get")


def test_other_methods_need_what_they_ask_for() -> None:
    assert "found null" in fault(None, method="get")
    assert "found nothing" in fault({}, "data", method="get")
    assert "found nothing" in fault({"id": 1}, "data", method="create")
    assert "'error' describes" in fault({"error": "x"}, "data", method="search")
    assert "'error' describes" in fault({"data": None, "error": "x"}, "data", method="search", is_paged=True)


@pytest.mark.parametrize("path", [None, "data"])
def test_an_object_of_objects_is_a_list_of_its_values_by_their_keys(path: str | None) -> None:
    found = {"a": {"id": "own"}, "b": {"name": "x"}, "c": {"id": None}}
    document = found if path is None else {path: found}

    assert find_records(document, place(path, form=ResponseFormat.MAP)) == [
        {"id": "own"},
        {"name": "x", "id": "b"},
        {"id": "c"},
    ]


def test_a_key_becomes_the_id_where_ids_are() -> None:
    where = place(form=ResponseFormat.MAP, key=RecordKey(paths=(("meta", "key"),)))

    assert find_records({"a": {"meta": {"x": 1}}, "b": {"meta": {"key": 7}}, "c": {"meta": None}}, where) == [
        {"meta": {"x": 1, "key": "a"}},
        {"meta": {"key": 7}},
        {"meta": {"key": "c"}},
    ]


@pytest.mark.parametrize(
    ("document", "form", "expected"),
    [
        ({"id": 1}, ResponseFormat.OBJECT, [{"id": 1}]),
        ([{"id": 1}, {"id": 2}], ResponseFormat.OBJECT, [{"id": 1}, {"id": 2}]),
        ([], ResponseFormat.MAP, []),
        ({}, ResponseFormat.MAP, []),
        ({}, ResponseFormat.OBJECT, []),
        (None, ResponseFormat.OBJECT, []),
    ],
)
def test_a_declared_form_takes_arrays_and_nothing_too(document: Any, form: ResponseFormat, expected: Any) -> None:
    assert find_records(document, place(form=form)) == expected
    assert find_records({"data": document}, place("data", "search", is_paged=True, form=form)) == expected


def test_a_value_of_a_map_that_is_no_object_is_told_by_its_key() -> None:
    assert "found a number at its key 'b'" in fault({"a": {}, "b": 1}, form=ResponseFormat.MAP)


@pytest.mark.parametrize(
    ("document", "path", "expected"),
    [
        ({"a": {"b": {"id": 1}}}, "a.b", [{"id": 1}]),
        ({"a": {"b": [{"id": 1}, {"id": 2}]}}, "a.b", [{"id": 1}, {"id": 2}]),
        ({"a": {"b": "x"}}, "a.b", ["x"]),
        ({"a": {"b": None}}, "a.b", []),
        ({"a": None}, "a.b", []),
        ({"a": {"@n": "0"}}, "a.b", []),
    ],
)
def test_in_xml_a_list_of_one_is_no_array(document: Any, path: str, expected: list[Any]) -> None:
    assert find_records(document, place(path, is_xml=True)) == expected
    assert find_records(document, place(path, "get", is_xml=True)) == expected


def test_in_xml_too_a_list_that_is_not_there_may_be_an_error() -> None:
    assert "'error' describes" in fault({"a": {"error": {"code": "7"}}}, "a.b", is_xml=True)
    assert "arrays at: a.c" in fault({"a": {"c": [{"id": 1}, {"id": 2}]}}, "a.b", is_xml=True)
    assert "found nothing" in fault({"error": None}, "a.b", is_xml=True)
    assert "found an object" in fault({"a": {"b": {}}}, None, is_xml=True)


@pytest.mark.parametrize(
    ("document", "expression", "expected"),
    [
        ({"a": [{"k": 1}, {"k": 2}]}, "a[k = 2]", [{"k": 2}]),
        ({"a": [{"k": 1}, {"k": 2}]}, "a[k = 3]", []),
        ({"a": {"x": {"id": 1}, "y": {"id": 2}}}, "$each(a, function($one) {$one})", [{"id": 1}, {"id": 2}]),
        ({"a": [{"b": [1]}, {"b": [2]}]}, "a.b[]", [1, 2]),
        ({"id": 2**60}, "$[id != 0]", [{"id": str(2**60)}]),
    ],
)
def test_an_expression_finds_records(document: Any, expression: str, expected: list[Any]) -> None:
    assert find_records(document, place(expression=parse(expression))) == expected


@pytest.mark.parametrize(
    ("document", "expression", "method", "told"),
    [
        ({"error": "gone"}, "a[k = 3]", "list", "its 'error' describes an error"),
        ({}, "a[k = 3]", "get", "response_path 'a[k = 3]' gives nothing"),
        ({"a": "x"}, "$number(a)[k = 1]", "list", "response_path can not be evaluated"),
    ],
)
def test_an_expression_that_finds_none_may_be_a_fault(document: Any, expression: str, method: str, told: str) -> None:
    assert told in fault(document, expression=parse(expression), method=method)


@pytest.mark.parametrize(
    ("path", "written"),
    [("data.edges.node", "[data.edges.node]"), ("data.edges.some-node", "[data.edges.`some-node`]")],
)
def test_path_through_an_array_is_told_the_expression_that_works(path: str, written: str) -> None:
    document = {"data": {"edges": [{path.rpartition(".")[2]: {"id": 1}}]}}

    message = fault(document, path)

    assert f"(there is an array at 'data.edges'): to collect what is in each of its items, write '{written}'" in message
    assert "?" not in message
    assert find_records(document, RecordPlace(method="list", expression=parse(written))) == [{"id": 1}]


def test_index_beyond_an_array_is_told_no_expression() -> None:
    assert "[data" not in fault({"data": [{"items": []}]}, "data.3.items")
