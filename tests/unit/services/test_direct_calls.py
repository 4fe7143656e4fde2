"""Direct calls end in time, tell what is wrong, and hand out cursors that nobody can read or change."""

from concurrent.futures import Future
from typing import Any

import pytest
from service_fakes import FakeSource, PlainSeal, call_limits, page
from service_tables import CONFIG, ENVIRONMENT, FakeTable, account, integration, unified

from app.engine.errors import (
    InvalidInputError,
    MappingError,
    NotFoundError,
    ProviderAnswer,
    SourceError,
    TooManyRequestsError,
)
from app.engine.json_types import JSON
from app.services.called_accounts import CalledAccounts
from app.services.custom_calls import CustomCalls, CustomRequest
from app.services.direct_calls import DirectCalls, DirectPage, DirectRequest
from app.services.ports import FetchedPage, PageCall
from app.services.unified_mappings import MappingLayers

ACCOUNT = "7b3a0000-0000-4000-8000-000000000001"
OTHER = "7b3a0000-0000-4000-8000-000000000002"


class SlowSource(FakeSource):
    """Never answers."""

    def submit(self, call: PageCall) -> "Future[FetchedPage]":
        self.futures.append(Future())
        return self.futures[-1]


def called(config: Any = CONFIG, most: int = 0) -> CalledAccounts:
    return CalledAccounts(
        accounts=FakeTable(account, account(id=ACCOUNT), account(id=OTHER), account(id="lost", integration_id="gone")),
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
    assert call.config.method(call.resource, call.method).http_method == "PUT"


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
