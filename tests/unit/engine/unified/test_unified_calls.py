"""One call of a unified API: its request before, its records and its error after."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.engine.json_types import JSON, JsonObject
from app.engine.record_errors import MappingError, ProviderAnswer, SourceError
from app.engine.records.keys import BY_ID
from app.engine.unified.calls import CallMapping, UnifiedRequest, prepare_call
from app.engine.unified.mapping import UnifiedMapping, check_overrides, parse_mapping
from app.engine.unified.requests import build_integration_request

ID = BY_ID


class Clock:
    """Goes on by so many seconds at each look."""

    def __init__(self, step: float = 0.0) -> None:
        self.now, self._step = 0.0, step

    def __call__(self) -> float:
        self.now += self._step
        return self.now


def mapping(**config: JSON) -> UnifiedMapping:
    made, faults = parse_mapping(config, resource="contacts", method="list")
    assert faults == []
    assert made is not None
    return made


def call(config: JsonObject | None = None, *, clock: Clock | None = None, **asked: Any) -> CallMapping:
    context = {"subdomain": "acme"}
    return prepare_call(mapping(**(config or {})), UnifiedRequest(**asked), context, monotonic=clock or Clock())


def test_without_a_mapping_request_and_records_stay_as_they_are() -> None:
    made = call(id="7", query={"a": 1}, body={"b": 2})

    request = build_integration_request(made)

    assert (request.resource, request.method, request.path, request.id) == ("contacts", "list", None, "7")
    assert (request.query, request.body) == ({"a": 1}, {"b": 2})
    assert made.map_page([{"id": 2**60}, {"name": "x"}], ID).records == [{"id": 2**60}, {"name": "x"}]


def test_request_is_mapped_from_what_was_asked() -> None:
    config = {
        "resource": {"expression": "rawQuery.old ? 'old' : 'people'", "resources": ["old", "people"]},
        "method": {"expression": "'search'", "methods": []},
        "path_mapping": "'/of/' & context.subdomain & '/' & id",
        "query": {"page_of": "{{context.subdomain}}", "size": 10},
        "query_mapping": "{'since': query.after, 'size': 20, 'seen': $exists(query.remote_query)}",
        "body": {"source": {"name": "ferryman"}},
        "request_body_mapping": "{'source': {'id': body.id}}",
    }
    query = {"after": "2024", "remote_query": {"raw": 1}, "truto_exclude_fields": "x"}

    request = build_integration_request(call(config, id="7", query=query, body={"id": 5}))

    assert (request.resource, request.method, request.path) == ("people", "search", "/of/acme/7")
    assert request.query == {"page_of": "acme", "since": "2024", "size": 20, "seen": False, "raw": 1}
    assert request.body == {"source": {"name": "ferryman", "id": 5}}


def test_a_mapping_that_gives_nothing_asks_for_nothing() -> None:
    config = {"path_mapping": "missing", "query_mapping": "missing", "request_body_mapping": "missing"}

    request = build_integration_request(call(config, query={"a": 1}, body={}))

    assert (request.path, request.query, request.body) == (None, {}, None)


@pytest.mark.parametrize(
    ("config", "query", "path"),
    [
        ({"resource": {"expression": "5"}}, {}, "resource"),
        ({"method": {"expression": "'get'", "methods": ["list"]}}, {}, "method"),
        ({"path_mapping": "[1]"}, {}, "path_mapping"),
        ({"query_mapping": "5"}, {}, "query_mapping"),
        ({"query_mapping": "$uppercase(5)"}, {}, "query_mapping"),
        ({"query": {"a": "{{query.missing}}"}}, {}, "query"),
        ({"body": {}, "request_body_mapping": "'text'"}, {}, "request_body_mapping"),
        ({}, {"remote_query": "a=b"}, "remote_query"),
        ({}, {"truto_ignore_remote_data": "perhaps"}, "query.truto_ignore_remote_data"),
        ({}, {"truto_exclude_fields": 5}, "query.truto_exclude_fields"),
        ({}, {"truto_exclude_fields": [5]}, "query.truto_exclude_fields"),
        ({}, {"truto_unheard_of": "1"}, "query.truto_unheard_of"),
    ],
)
def test_a_request_that_can_not_be_mapped_names_the_part(config: JsonObject, query: JsonObject, path: str) -> None:
    with pytest.raises(MappingError) as raised:
        build_integration_request(call(config, query=query))

    assert raised.value.path == path
    assert raised.value.message.startswith(f"{path}: ")


def test_records_that_can_not_be_mapped_are_errors_and_the_others_go_on() -> None:
    made = call({"response_mapping": "response.x = 'none' ? missing : response.{'id': key, 'x': $uppercase(x)}"})

    page = made.map_page([{"id": 1, "key": "k1", "x": "a"}, {"id": 2, "x": 5}, {"id": 3, "x": "none"}, {"id": 4}], ID)

    assert page.records == [{"id": "k1", "x": "A"}, {"id": "4"}]
    assert [error.record_id for error in page.errors] == ["2", "3"]
    assert "nothing" in page.errors[1].message
    assert page.quarantined == 2


def test_a_record_that_is_no_object_is_an_error_without_an_id() -> None:
    page = call().map_page(["text", {"id": 1}], ID)

    assert (page.records, [error.record_id for error in page.errors]) == ([{"id": 1}], [None])


def test_a_page_whose_time_is_used_up_quarantines_the_rest() -> None:
    made = call({"response_mapping": "response"}, clock=Clock(5.0))

    page = made.map_page([{"id": 1}, {"id": 2}, {"id": 3}], ID)

    assert [record["id"] for record in page.records] == [1]
    assert [error.record_id for error in page.errors] == ["2", "3"]
    assert "8 s" in page.errors[0].message


def test_a_whole_page_may_become_fewer_records() -> None:
    made = call({"response_mapping": "response[n > 1].{'id': n}", "response_mapping_method": "array"})

    assert made.map_page([{"n": 1}, {"n": 2}, {"n": 3}], ID).records == [{"id": 2}, {"id": 3}]
    assert made.map_page([{"n": 2}], ID).records == [{"id": 2}]
    assert made.map_page([{"n": 1}], ID).records == []


@pytest.mark.parametrize("expression", ["$error('no')", "['text']"])
def test_a_whole_page_that_fails_is_one_error(expression: str) -> None:
    made = call({"response_mapping": expression, "response_mapping_method": "array"})

    page = made.map_page([{"n": 1}, {"n": 2}], ID)

    assert (page.records, len(page.errors), page.quarantined) == ([], 1, 2)


@pytest.mark.parametrize("method", ["item", "array"])
def test_an_id_of_many_digits_stays_whole(method: str) -> None:
    config = {"response_mapping": "response.{'id': $string(id), 'same': id}", "response_mapping_method": method}

    assert call(config).map_page([{"id": 2**63 - 1}], ID).records == [
        {"id": "9223372036854775807", "same": "9223372036854775807"}
    ]


def test_wanted_fields_are_added_and_left_out() -> None:
    query = {"truto_ignore_remote_data": "false", "truto_exclude_fields": "b, c"}
    mapped = {"response_mapping": "{'a': response.x, 'b': 2, 'c': 3}"}

    item = call(mapped, query=query).map_page([{"id": 1, "x": 5}], ID)
    array = call({**mapped, "response_mapping_method": "array"}, query=query).map_page([{"id": 1, "x": 5}], ID)

    assert item.records == [{"id": "1", "a": 5, "remote_data": {"id": 1, "x": 5}}]
    assert array.records == [{"a": 5}]


@pytest.mark.parametrize(
    ("expression", "is_partial"),
    [
        (None, False),
        ("response[missing]", True),
        ("$count(response) < $number(headers.`x-total`)", True),
        ("$count(response) = $number(headers.`x-total`)", False),
        ("nothing", False),
        ("query.all = 'no'", True),
    ],
)
def test_a_page_is_partial_when_the_mapping_says_so(expression: JSON, is_partial: bool) -> None:
    made = call({"is_partial_expression": expression}, query={"all": "no"})

    assert made.is_partial([{"id": 1, "missing": True}], {"x-total": "2"}) is is_partial
    assert made.reads_headers is (expression is not None and "headers" in str(expression))


def test_an_expression_for_partial_pages_that_fails_is_told() -> None:
    with pytest.raises(MappingError, match="is_partial_expression"):
        call({"is_partial_expression": "$error('no')"}).is_partial([], {})


def refused(body: str) -> SourceError:
    answer = ProviderAnswer(status=400, headers={"retry-after": "1"}, body=body)
    return SourceError("http_400", "was answered 400", status=400, answer=answer)


@pytest.mark.parametrize(
    ("expression", "message", "code", "status"),
    [
        (None, "was answered 400", "http_400", 400),
        ("'no: ' & response.why", "no: taken", "http_400", 400),
        ("{'message': message & headers.`retry-after`, 'code': 'dup', 'status': 409}", "was answered 4001", "dup", 409),
        ("{'message': 5, 'code': 5, 'status': 'x'}", "was answered 400", "http_400", 400),
        ("missing", "was answered 400", "http_400", 400),
        ("$error('broken')", "was answered 400 (error_mapping: broken (D3137))", "http_400", 400),
    ],
)
def test_an_error_is_put_into_the_mappings_words(expression: JSON, message: str, code: str, status: int) -> None:
    error = call({"error_mapping": expression}).map_error(refused('{"why": "taken"}'))

    assert (error.message, error.code, error.status) == (message, code, status)


def test_an_error_that_is_no_json_is_seen_as_text_and_one_without_an_answer_is_not_mapped() -> None:
    made = call({"error_mapping": "$uppercase(response)"})

    assert made.map_error(refused("<html>")).message == "<HTML>"
    assert call({"error_mapping": "response.why"}).map_error(refused(r'{"why": "a\u0000"}')).message == "a\ufffd"
    assert made.map_error(SourceError("timeout", "too late")).message == "too late"


@pytest.mark.parametrize(
    ("config", "paths"),
    [
        ([], ["config"]),
        ({"resource": 5}, ["config.resource"]),
        ({"resource": {}}, ["config.resource.expression"]),
        ({"method": {"expression": "1 +"}}, ["config.method.expression"]),
        ({"method": {"expression": "1", "methods": "list"}}, ["config.method.methods"]),
        ({"response_mapping": ["a"], "resource": 5}, ["config.resource", "config.response_mapping"]),
        ({"side_load": [], "before": None, "description": "x"}, []),
    ],
)
def test_every_fault_of_a_mapping_is_told(config: JSON, paths: list[str]) -> None:
    _, faults = parse_mapping(config, resource="contacts", method="list")

    assert [fault.path for fault in faults] == paths


def test_overrides_are_checked_down_to_their_expressions() -> None:
    raw = {"crm": {"contacts": {"list": {"query_mapping": "1 +"}}, "deals": 5}, "hr": []}

    assert [fault.path for fault in check_overrides(raw, "o")] == [
        "o.crm.contacts.list.query_mapping",
        "o.crm.deals",
        "o.hr",
    ]


MAPPING_KEYS = st.sampled_from(
    ["resource", "method", "query", "query_mapping", "response_mapping", "body", "error_mapping", "path_mapping"]
)
MAPPING_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(["response", "{{id", "$x(", "{{a:b:c}}"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(MAPPING_KEYS | st.text(max_size=5), inner, max_size=5),
    max_leaves=10,
)


@given(MAPPING_VALUES | st.dictionaries(MAPPING_KEYS, MAPPING_VALUES))
def test_no_input_breaks_the_parser(raw: Any) -> None:
    made, faults = parse_mapping(raw, resource="contacts", method="list")

    assert (made is None) == bool(faults)
