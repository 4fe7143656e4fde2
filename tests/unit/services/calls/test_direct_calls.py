"""Direct calls end in time, tell what is wrong, and hand out cursors that nobody can read or change."""

from concurrent.futures import Future
from dataclasses import replace
from typing import Any

import pytest

from app.engine.errors import InvalidInputError, NotFoundError, TooManyRequestsError
from app.engine.json_types import JSON
from app.engine.record_errors import MappingError, ProviderAnswer, SourceError
from app.services.calls.accounts import CalledAccounts
from app.services.calls.custom import CustomCalls, CustomRequest
from app.services.calls.direct import DirectCalls, DirectPage, DirectRequest
from app.services.ports import FetchedPage, PageCall, PlainAnswer, RawBody
from app.services.unified.mappings import MappingLayers
from tests.unit.services.service_fakes import FakeSource, PlainSeal, call_limits, page
from tests.unit.services.service_tables import CONFIG, ENVIRONMENT, FakeTable, account, integration, unified

ACCOUNT = "7b3a0000-0000-4000-8000-000000000001"
OTHER = "7b3a0000-0000-4000-8000-000000000002"


class SlowSource(FakeSource):
    """Never answers."""

    def submit(self, call: PageCall) -> "Future[FetchedPage]":
        self.futures.append(Future())
        return self.futures[-1]


def called(config: Any = CONFIG, most: int = 0) -> CalledAccounts:
    accounts = FakeTable(account, account(id=ACCOUNT), account(id=OTHER), account(id="lost", integration_id="gone"))
    return CalledAccounts(
        accounts=accounts,
        record_origins=accounts.record_origins,
        integrations=FakeTable(integration, integration(config=config)),
        limits=call_limits(most),
    )


def calls(source: FakeSource, config: Any = CONFIG, mapping: JSON = None) -> DirectCalls:
    layers = MappingLayers(resources={"contacts": {}}, base=mapping or {}, environment=None)
    return DirectCalls(
        called=called(config),
        unified=unified({"crm/contacts": {"list": layers, "get": layers}}),
        source=source,
        seal=PlainSeal(),
        timeout_seconds=0.01,
    )


def call(source: FakeSource, **fields: Any) -> DirectPage:
    request = {"account_id": ACCOUNT, "resource": "tickets", "method": "list", **fields}
    return calls(source).call(ENVIRONMENT, DirectRequest(**request))


def test_a_cursor_leads_to_the_next_page_of_its_own_list_only() -> None:
    source = FakeSource().script(page({"id": 1}, cursor={"page": 2}), page({"id": 2}))

    first = call(source)
    second = call(source, next_cursor=first.next_cursor)

    assert (first.records, second.records, second.next_cursor) == ([{"id": 1}], [{"id": 2}], None)
    assert source.asked == [(None, None), (None, {"page": 2})]
    for other in ({"resource": "users", "next_cursor": first.next_cursor}, {"next_cursor": "made up"}):
        with pytest.raises(InvalidInputError, match="next_cursor"):
            call(source, **other)


def test_a_call_that_takes_too_long_is_given_up() -> None:
    source = SlowSource()

    with pytest.raises(SourceError) as raised:
        call(source)

    assert raised.value.code == "timeout"
    assert source.futures[0].cancelled()


def test_a_method_that_the_integration_does_not_have_is_told() -> None:
    with pytest.raises(MappingError, match="merge"):
        call(FakeSource(), method="merge")


def test_the_integration_must_be_there_and_be_valid() -> None:
    request = DirectRequest(account_id=ACCOUNT, resource="tickets", method="list")
    broken = calls(FakeSource(), config={"base_url": 5})

    with pytest.raises(InvalidInputError) as raised:
        broken.call(ENVIRONMENT, request)

    assert raised.value.failures[0].path == "integration.config.base_url"
    gone = calls(FakeSource())
    gone._called._integrations = FakeTable(integration)
    with pytest.raises(NotFoundError, match="helpdesk"):
        gone.call(ENVIRONMENT, request)


@pytest.mark.parametrize("account_id", ["", "no uuid"])
def test_an_account_must_be_named(account_id: str) -> None:
    with pytest.raises(InvalidInputError, match="integrated_account_id"):
        call(FakeSource(), account_id=account_id)


def test_an_account_and_a_mapping_must_be_there() -> None:
    with pytest.raises(NotFoundError):
        call(FakeSource(), account_id=ACCOUNT.replace("7b3a", "0000"))
    with pytest.raises(InvalidInputError, match="Unified Model not found"):
        call(FakeSource(), resource="hr/people")


def test_an_error_of_the_upstream_is_told_in_the_mappings_words() -> None:
    answer = ProviderAnswer(status=400, headers={}, body="why")
    source = FakeSource().script(SourceError("http_400", "answered 400", status=400, answer=answer))
    mapped = calls(source, mapping={"error_mapping": "response & '!'"})

    with pytest.raises(SourceError, match="why!"):
        mapped.call(ENVIRONMENT, DirectRequest(account_id=ACCOUNT, resource="crm/contacts", method="list"))


def test_limit_is_asked_for_as_the_integration_says() -> None:
    pagination = {"format": "page", "config": {"limit_param": "size"}}
    source = FakeSource().script(page())
    limited = calls(source, config={**CONFIG, "pagination": pagination})

    for query in ({}, {"size": 5}):
        request = DirectRequest(account_id=ACCOUNT, resource="tickets", method="list", limit=2, query=query)
        limited.call(ENVIRONMENT, request)

    assert [call.query for call in source.calls] == [{"size": 2}, {"size": 5}]


@pytest.mark.parametrize(
    ("query", "body", "id", "left"),
    [
        ({"id": "5", "a": "b"}, {"id": "6"}, "5", {"a": "b"}),
        ({}, {"id": 6}, "6", {}),
        ({}, {"id": True}, None, {}),
        ({}, [1], None, {}),
        ({"id": ["1", "2"]}, {}, None, {"id": ["1", "2"]}),
    ],
)
def test_a_method_whose_path_holds_an_id_finds_it_in_the_query_or_the_body(
    query: JSON, body: JSON, id: str | None, left: JSON
) -> None:
    source = FakeSource().script(page({}), id=id)
    resources = {"notes": {"pin": {"method": "post", "path": "/notes/{{id}}/pin"}, "find": {"path": "/notes"}}}
    direct = calls(source, config={**CONFIG, "resources": resources})

    pin = DirectRequest(account_id=ACCOUNT, resource="notes", method="pin", query=query, body=body)
    direct.call(ENVIRONMENT, pin)

    assert [(call.id, call.query, call.body) for call in source.calls] == [(id, left, body)]
    find = DirectRequest(account_id=ACCOUNT, resource="notes", method="find", query={"id": "5"})
    source.script(page({}))
    assert (direct.call(ENVIRONMENT, find).is_list, source.calls[-1].query) == (False, {"id": "5"})


@pytest.mark.parametrize(("query", "body"), [({"id": "../x"}, {}), ({}, {"id": ".."})])
def test_an_id_that_leads_elsewhere_is_never_called(query: JSON, body: JSON) -> None:
    resources = {"notes": {"pin": {"method": "post", "path": "/notes/{{id}}"}}}
    direct = calls(FakeSource(), config={**CONFIG, "resources": resources})

    with pytest.raises(InvalidInputError, match="id"):
        request = DirectRequest(account_id=ACCOUNT, resource="notes", method="pin", query=query, body=body)
        direct.call(ENVIRONMENT, request)


def test_a_method_with_pages_of_its_own_lists() -> None:
    pagination = {"format": "page", "config": {"limit_param": "size"}}
    resources = {"notes": {"search": {"pagination": pagination}}}
    direct = calls(FakeSource().script(page({})), config={**CONFIG, "resources": resources})

    request = DirectRequest(account_id=ACCOUNT, resource="notes", method="search")

    assert direct.call(ENVIRONMENT, request).is_list


def test_a_file_is_handed_on_as_it_is() -> None:
    file = PlainAnswer(status=200, content_type="image/png", body=b"\x89PNG")
    source = FakeSource().script(replace(page(), file=file), id="7")

    assert call(source, method="get", id="7").file is file


def test_a_body_that_is_no_json_is_sent_but_to_no_mapping() -> None:
    source, raw = FakeSource().script(page({})), RawBody(content=b"x", content_type="image/png")

    call(source, method="create", raw_body=raw)
    passing = custom(source)
    passing.call(ENVIRONMENT, passed_on(http_method="POST", raw_body=raw))

    assert [call.raw_body for call in source.calls] == [raw, raw]
    with pytest.raises(InvalidInputError, match="a unified model's methods take JSON"):
        call(source, resource="crm/contacts", raw_body=raw)


def test_an_account_at_rest_is_not_called() -> None:
    source = FakeSource()
    direct = calls(source)
    direct._called._accounts = FakeTable(account, account(id=ACCOUNT, status="inactive"))

    with pytest.raises(InvalidInputError, match="integrated_account_id: is inactive"):
        direct.call(ENVIRONMENT, DirectRequest(account_id=ACCOUNT, resource="tickets", method="list"))

    assert source.calls == []


def test_a_single_record_that_can_not_be_mapped_is_the_calls_error() -> None:
    source = FakeSource().script(page({"id": 1}), id="1").script(page({"id": 1}))
    mapped = calls(source, mapping={"response_mapping": "$uppercase(5)"})

    with pytest.raises(MappingError):
        mapped.call(ENVIRONMENT, DirectRequest(account_id=ACCOUNT, resource="crm/contacts", method="get", id="1"))

    listed = mapped.call(ENVIRONMENT, DirectRequest(account_id=ACCOUNT, resource="crm/contacts", method="list"))
    assert (listed.records, len(listed.errors)) == ([], 1)


def custom(source: FakeSource, *, most: int = 0) -> CustomCalls:
    return CustomCalls(called=called(most=most), source=source, timeout_seconds=0.01)


def passed_on(**fields: Any) -> CustomRequest:
    return CustomRequest(**{"account_id": ACCOUNT, "http_method": "GET", "path": "v1/ping", **fields})


def test_a_call_of_any_path_goes_as_it_is() -> None:
    source = FakeSource()

    answer = custom(source).call(ENVIRONMENT, passed_on(http_method="PUT", query={"a[]": ["1", "2"]}, body={"b": 1}))

    assert answer.body == b"pong"
    (call,) = source.calls
    assert (call.path, call.query, call.body, call.context) == (
        "v1/ping",
        {"a[]": ["1", "2"]},
        {"b": 1},
        {"subdomain": "acme"},
    )
    assert call.config.find_method(call.resource, call.method).http_method == "PUT"


def test_a_text_as_body_is_sent_as_json() -> None:
    source = FakeSource()

    custom(source).call(ENVIRONMENT, passed_on(http_method="POST", body="two words"))

    assert source.calls[0].body == '"two words"'


def test_a_path_that_leads_elsewhere_is_never_called() -> None:
    source = FakeSource()

    with pytest.raises(InvalidInputError, match="path"):
        custom(source).call(ENVIRONMENT, passed_on(path="../admin"))

    assert source.calls == []


def test_an_account_is_called_so_often_in_a_window_whoever_calls() -> None:
    source, counted = FakeSource().script(page()), called(most=3)
    direct = calls(source)
    direct._called = counted
    other = CustomCalls(called=counted, source=source, timeout_seconds=0.01)
    request = DirectRequest(account_id=ACCOUNT, resource="tickets", method="list")
    for _ in range(2):
        direct.call(ENVIRONMENT, request)
    other.call(ENVIRONMENT, passed_on())

    for refused in (lambda: direct.call(ENVIRONMENT, request), lambda: other.call(ENVIRONMENT, passed_on())):
        with pytest.raises(TooManyRequestsError, match="this integrated account has used up its 3 requests per 10 s"):
            refused()

    other.call(ENVIRONMENT, passed_on(account_id=OTHER))
    with pytest.raises(NotFoundError):
        other.call(ENVIRONMENT, passed_on(account_id=ACCOUNT.replace("7b3a", "0000")))
    assert len(source.calls) == 4
