from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.engine.config.paths import MarkedPath
from app.engine.config.secrets import redact_config
from app.engine.integrations.authorization import BasicAuthorization, BearerAuthorization, HeaderAuthorization
from app.engine.integrations.config import IntegrationConfig, MethodConfig, check_new_config, parse_config
from app.engine.integrations.pagination import (
    CursorPagination,
    EndRules,
    LinkHeaderPagination,
    OffsetPagination,
    PagePagination,
)
from app.engine.jsonata.expressions import Expression
from app.engine.record_errors import SourceError
from app.engine.records.keys import BY_ID
from app.engine.templating.placeholders import Template

BASE = {"base_url": "https://api.example.com"}


def config(**changes: Any) -> IntegrationConfig:
    read, failures = parse_config({**BASE, **changes})
    assert failures == []
    assert read is not None
    return read


def method(own: dict[str, Any], **changes: Any) -> MethodConfig:
    return config(resources={"tickets": {"list": own}}, **changes).find_method("tickets", "list")


def faults(raw: Any) -> dict[str, str]:
    read, failures = parse_config(raw)
    assert (read is None) == bool(failures)
    return {failure.path: failure.message for failure in failures}


@pytest.mark.parametrize(
    ("name", "http_method", "path"),
    [
        ("list", "GET", "/tickets"),
        ("get", "GET", "/tickets/7"),
        ("create", "POST", "/tickets"),
        ("update", "PATCH", "/tickets/7"),
        ("delete", "DELETE", "/tickets/7"),
    ],
)
def test_a_resource_that_is_not_listed_has_the_usual_routes(name: str, http_method: str, path: str) -> None:
    found = config(headers={"X": "1"}, response_path="data.items").find_method("tickets", name)

    assert (found.http_method, found.path.resolve({"id": 7})) == (http_method, path)
    assert found.headers and found.headers.resolve({}) == {"X": "1"}
    assert str(found.response_path) == "data.items"


def test_a_listed_method_defaults_to_its_usual_route() -> None:
    found = config(resources={"tickets": {"update": {}, "archive": {}}})

    assert found.find_method("tickets", "update").http_method == "PATCH"
    assert found.find_method("tickets", "update").path.resolve({"id": 7}) == "/tickets/7"
    assert found.find_method("tickets", "archive").http_method == "GET"
    assert found.find_method("tickets", "archive").path.resolve({}) == "/tickets"


def test_a_custom_method_that_is_not_listed_is_an_error() -> None:
    with pytest.raises(SourceError, match="resource 'tickets' has no method 'archive'") as caught:
        config().find_method("tickets", "archive")

    assert caught.value.code == "unknown_method"


def test_a_method_overrides_what_it_inherits() -> None:
    found = method(
        {
            "base_url": "https://{{subdomain}}.example.com",
            "path": "/tickets/{{query.ticket_id}}/comments/{{query.kind}}/{{query}}",
            "method": "post",
            "query": {"sort": "{{query.sort?:id}}"},
            "body": {"q": "{{body.q}}"},
            "response_path": "data.-1.items",
            "id_path": "meta.key",
            "timeout_seconds": 5,
        },
        response_path="results",
        id_path="uid",
    )

    assert found.base_url.resolve({"subdomain": "acme"}) == "https://acme.example.com"
    assert found.http_method == "POST"
    assert found.query_keys_in_path == {"ticket_id", "kind"}
    assert isinstance(found.query, Template)
    assert found.query.resolve({"query": {}}) == {"sort": "id"}
    assert found.body and found.body.resolve({"body": {"q": 1}}) == {"q": "1"}
    assert str(found.response_path) == "data.-1.items"
    assert found.key.paths == (("meta", "key"),)
    assert found.timeout_seconds == 5


def test_a_methods_query_may_be_an_expression() -> None:
    raw = {**BASE, "resources": {"tickets": {"list": {"query": "{'q': }"}}}}

    assert isinstance(method({"query": "{'q': query.text}"}).query, Expression)
    assert list(faults(raw)) == ["config.resources.tickets.list.query"]


@pytest.mark.parametrize("path", ["boards[0].page ? boards[0].page.items : next.items", "[data.edges.node]", "$.items"])
def test_a_response_path_that_is_no_path_is_jsonata(path: str) -> None:
    assert isinstance(method({"response_path": path}).response_path, Expression)


def test_an_empty_response_path_takes_an_inherited_one_away() -> None:
    assert method({"response_path": None}, response_path="data").response_path is None
    assert method({"response_path": ""}, response_path="data").response_path is None
    assert method({}, response_path="data").response_path == MarkedPath(("data",))


def test_a_records_id_is_at_id_unless_told() -> None:
    assert method({}).key == BY_ID
    assert method({}, id_path="uid").key.paths == (("uid",),)


def test_headers_are_merged_and_null_takes_one_away() -> None:
    found = method({"headers": {"B": None, "C": "{{context.c}}"}}, headers={"A": "{{a}}", "B": "2"})

    assert found.headers and found.headers.resolve({"a": "1", "context": {"c": "3"}}) == {"A": "1", "B": None, "C": "3"}


@pytest.mark.parametrize("nested", [False, True])
@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({"format": "page"}, PagePagination(page_param="page", limit_param=None, limit=None, first_page=1)),
        (
            {"format": "page", "page_param": "p", "limit_param": "per_page", "limit": "50", "first_page": 0},
            PagePagination(page_param="p", limit_param="per_page", limit=50, first_page=0),
        ),
        (
            {"format": "cursor", "cursor_path": "data.-1.id", "cursor_param": "after", "has_more_path": "has_more"},
            CursorPagination(
                cursor_path=MarkedPath(("data", "-1", "id")),
                cursor_param="after",
                limit_param=None,
                limit=None,
                end_rules=EndRules(has_more_path=MarkedPath(("has_more",))),
            ),
        ),
        (
            {"format": "link_header", "limit_param": "per_page", "page_size": 30},
            LinkHeaderPagination(limit_param="per_page", limit=30),
        ),
        ({"format": "offset"}, OffsetPagination(offset_param="offset", limit_param="limit", limit=None)),
        (
            {"format": "offset", "offset_param": "skip", "limit_param": "take"},
            OffsetPagination(offset_param="skip", limit_param="take", limit=100),
        ),
    ],
    ids=lambda value: str(value.get("format")) if isinstance(value, dict) else "",
)
def test_every_pagination_is_read_flat_and_nested(keys: dict[str, Any], expected: Any, nested: bool) -> None:
    rest = {key: value for key, value in keys.items() if key != "format"}
    raw = {"format": keys["format"], "config": rest} if nested else keys

    assert method({}, pagination=raw).pagination == expected


def test_null_pagination_takes_the_inherited_one_away() -> None:
    assert method({"pagination": None}, pagination={"format": "page"}).pagination is None
    assert isinstance(method({}, pagination={"format": "page"}).pagination, PagePagination)
    assert isinstance(method({"pagination": {"format": "offset"}}).pagination, OffsetPagination)


@pytest.mark.parametrize("nested", [False, True])
def test_every_authorization_is_read_flat_and_nested(nested: bool) -> None:
    def read(format: str, **keys: str) -> Any:
        raw = {"format": format, "config": keys} if nested else {"format": format, **keys}
        return method({}, authorization=raw).authorization

    bearer, header, basic = (
        read("bearer", token="{{context.token}}"),
        read("header", header_name="x-api-key", header_value="{{api_key}}"),
        read("basic", username="{{context.user}}"),
    )

    assert isinstance(bearer, BearerAuthorization)
    assert bearer.token.resolve({"context": {"token": "t"}}) == "t"
    assert isinstance(header, HeaderAuthorization)
    assert (header.name.resolve({}), header.value.resolve({"api_key": "k"})) == ("x-api-key", "k")
    assert isinstance(basic, BasicAuthorization)
    assert (basic.username.resolve({"context": {"user": "u"}}), basic.password.resolve({})) == ("u", "")


def test_a_bearer_token_is_found_where_accounts_keep_it() -> None:
    bearer = method({}, authorization={"format": "bearer"}).authorization

    assert isinstance(bearer, BearerAuthorization)
    assert bearer.token.resolve({"context": {"access_token": "t"}}) == "t"


@pytest.mark.parametrize("own", [{"no_auth": True}, {"authorization": None}])
def test_a_method_may_be_called_without_authorization(own: dict[str, Any]) -> None:
    assert method(own, authorization={"format": "bearer"}).authorization is None


def test_a_method_may_have_its_own_authorization() -> None:
    own = {"authorization": {"format": "basic", "username": "u"}, "no_auth": False}

    assert isinstance(method(own, authorization={"format": "bearer"}).authorization, BasicAuthorization)


@pytest.mark.parametrize(
    ("changes", "path", "words"),
    [
        ({"base_url": None}, "base_url", "expected a text, found nothing"),
        ({"base_url": ""}, "base_url", "found an empty one"),
        ({"base_url": "ftp://x"}, "base_url", "expected an address"),
        ({"base_url": "https:///x"}, "base_url", "expected an address"),
        ({"base_url": "https://{sub}.x.com"}, "base_url", "no other braces"),
        ({"headers": []}, "headers", "expected an object"),
        ({"headers": {"X": "{{x:date}}"}}, "headers.X", "'date' is no cast"),
        ({"query": "a=b"}, "query", "expected an object"),
        ({"response_path": "data..items"}, "response_path", "dotted path"),
        ({"id_path": 5}, "id_path", "dotted path"),
        ({"authorization": "x"}, "authorization", "expected an object"),
        ({"authorization": {"format": "oauth2"}}, "authorization.format", "expected one of bearer, header, basic"),
        ({"authorization": {"format": "bearer", "config": "x"}}, "authorization.config", "expected an object"),
        ({"authorization": {"format": "basic"}}, "authorization.username", "expected a text"),
        (
            {"pagination": {"format": "scroll"}},
            "pagination.format",
            "page, cursor, link_header, offset, range, dynamic",
        ),
        ({"pagination": {"format": []}}, "pagination.format", "an array"),
        ({"pagination": {"format": "page", "limit": 0}}, "pagination.limit", "at least 1"),
        ({"pagination": {"format": "page", "limit": True}}, "pagination.limit", "a boolean"),
        ({"pagination": {"format": "page", "limit": "9" * 5000}}, "pagination.limit", "integer"),
        ({"pagination": {"format": "cursor", "config": {"cursor_path": 1}}}, "pagination.config.cursor_path", "dotted"),
        ({"resources": []}, "resources", "expected an object"),
        ({"resources": {"a": []}}, "resources.a", "expected an object"),
        ({"resources": {"a": {"list": None}}}, "resources.a.list", "expected an object"),
        ({"resources": {"a": {"list": {"path": 5}}}}, "resources.a.list.path", "expected a text, found a number"),
        ({"resources": {"a": {"get": {"path": "/a/{id}"}}}}, "resources.a.get.path", "'{{id}}' and no other braces"),
        ({"resources": {"{{a:date}}": {"list": {}}}}, "resources.{{a:date}}.list.path", "'date' is no cast"),
        ({"resources": {"a": {"list": {"method": "FETCH"}}}}, "resources.a.list.method", "'FETCH'"),
        ({"resources": {"a": {"list": {"headers": 5}}}}, "resources.a.list.headers", "expected an object"),
        ({"resources": {"a": {"list": {"base_url": "x"}}}}, "resources.a.list.base_url", "expected an address"),
        (
            {"resources": {"a": {"list": {"body_format": "yaml"}}}},
            "resources.a.list.body_format",
            "json, form, multipart",
        ),
        ({"body_format_config": []}, "body_format_config", "expected an object"),
        ({"query_array_format": "pipes"}, "query_array_format", "repeat, brackets, indices, comma"),
        ({"api_response_format": "csv"}, "api_response_format", "auto, json, xml, ndjson"),
        ({"response_format": "list"}, "response_format", "array, map, object"),
        ({"resources": {"a": {"list": {"response_format": 1}}}}, "resources.a.list.response_format", "array, map"),
        ({"error_expression": "response.("}, "error_expression", "at character 10"),
        ({"resources": {"a": {"list": {"error_expression": 5}}}}, "resources.a.list.error_expression", "JSONata"),
        ({"authorization": {"format": "header", "config": {"expression": "{"}}}, "authorization.config.expression", ""),
        ({"pagination": {"format": "range", "limit": 0}}, "pagination.limit", "at least 1"),
        (
            {"pagination": {"format": "dynamic", "get_pagination_values_expression": "("}},
            "pagination.get_pagination_values_expression",
            "end of expression",
        ),
        ({"pagination": {"format": "dynamic"}}, "pagination.get_pagination_values_expression", "found nothing"),
        ({"rate_limit": {"is_rate_limited": "status ="}}, "rate_limit.is_rate_limited", ""),
        ({"credentials": {"format": "magic"}}, "credentials.format", "oauth2"),
        ({"credentials": {"magic": {}}}, "credentials.magic", "oauth2"),
        ({"credentials": {"oauth2": {"auth": {}}}}, "credentials.oauth2.auth.tokenHost", "expected a text"),
        (
            {"credentials": {"format": "oauth2", "config": {"auth": {"tokenHost": "https://x"}, "scope": [1]}}},
            "credentials.config.scope",
            "array of texts",
        ),
        (
            {"credentials": {"oauth2": {"auth": {"tokenHost": "x"}, "options": {"bodyFormat": "xml"}}}},
            "credentials.oauth2.options.bodyFormat",
            "form, json",
        ),
        ({"resources": {"a": {"list": {"no_auth": "yes"}}}}, "resources.a.list.no_auth", "true or false"),
        ({"resources": {"a": {"list": {"timeout_seconds": 0}}}}, "resources.a.list.timeout_seconds", "at least 1"),
    ],
    ids=lambda value: str(value)[:50],
)
def test_a_wrong_field_is_refused_with_its_path(changes: dict[str, Any], path: str, words: str) -> None:
    found = faults({**BASE, **changes})

    assert list(found) == [f"config.{path}"]
    assert words in found[f"config.{path}"]


def test_all_faults_come_at_once_and_an_inherited_one_only_where_it_stands() -> None:
    found = faults(
        {
            "headers": {"X": "{{x:date}}"},
            "pagination": {"format": "scroll"},
            "resources": {"a": {"list": {"method": 5, "headers": {"Y": "{{y:date}}"}}, "get": {}}},
        }
    )

    assert list(found) == [
        "config.base_url",
        "config.headers.X",
        "config.pagination.format",
        "config.resources.a.list.headers.Y",
        "config.resources.a.list.method",
    ]


@pytest.mark.parametrize("raw", [None, [], "x", 5, True])
def test_a_config_is_an_object(raw: Any) -> None:
    assert list(faults(raw)) == ["config"]


def test_a_secret_of_the_wrong_kind_is_not_shown() -> None:
    found = faults({**BASE, "authorization": {"format": "bearer", "token": 123456789}})

    assert found == {"config.authorization.token": "expected a text, found a number"}


TOP_KEYS = st.sampled_from(["base_url", "headers", "query", "authorization", "pagination", "resources", "id_path"])
INNER_KEYS = st.sampled_from(["format", "config", "list", "path", "method", "token", "limit", "cursor_path", "no_auth"])
KEYS = TOP_KEYS | INNER_KEYS
TEXTS = (
    st.sampled_from(["page", "cursor", "offset", "bearer", "header", "https://x", "{{a:b:c}}", "{", "5"]) | st.text()
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXTS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(KEYS | st.text(max_size=5), inner, max_size=5),
    max_leaves=15,
)


@given(VALUES | st.dictionaries(KEYS, VALUES))
def test_no_input_breaks_the_parser(raw: Any) -> None:
    faults(raw)


def test_schema_of_a_resource_is_no_method_and_stays_readable() -> None:
    schema = {"type": "object", "properties": {"api_key": {"type": "string", "default": "no-secret-at-all"}}}
    raw = {"base_url": "https://up.test", "resources": {"users": {"schema": schema}}}

    assert check_new_config(raw) == []
    assert config(resources=raw["resources"]).methods == {}
    assert redact_config(raw) == raw


@pytest.mark.parametrize("schema", [7, {"type": "nothing"}])
def test_schema_of_a_resource_is_a_json_schema(schema: object) -> None:
    raw = {"base_url": "https://up.test", "resources": {"users": {"schema": schema}}}

    (failure,) = check_new_config(raw)

    assert failure.path.startswith("config.resources.users.schema")
