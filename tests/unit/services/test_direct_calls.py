"""Direct calls end in time, tell what is wrong, and hand out cursors that nobody can read or change."""

from concurrent.futures import Future
from typing import Any

import orjson
import pytest
from service_fakes import FakeSource, page
from service_tables import CONFIG, ENVIRONMENT, FakeTable, account, integration, unified

from app.engine.errors import (
    InvalidInputError,
    MappingError,
    NotFoundError,
    ProviderAnswer,
    SourceError,
    UnreadableSecretError,
)
from app.engine.json_types import JSON
from app.services.direct_calls import DirectCalls, DirectPage, DirectRequest
from app.services.ports import FetchedPage, PageCall
from app.services.unified_mappings import MappingLayers

ACCOUNT = "7b3a0000-0000-4000-8000-000000000001"


class PlainSeal:
    """Marks what it sealed."""

    def seal(self, value: JSON) -> bytes:
        return b"sealed:" + orjson.dumps(value)

    def open(self, sealed: bytes) -> JSON:
        if not sealed.startswith(b"sealed:"):
            raise UnreadableSecretError
        return orjson.loads(sealed.removeprefix(b"sealed:"))


class SlowSource(FakeSource):
    """Never answers."""

    def submit(self, call: PageCall) -> "Future[FetchedPage]":
        self.futures.append(Future())
        return self.futures[-1]


def calls(source: FakeSource, config: Any = CONFIG, mapping: JSON = None) -> DirectCalls:
    layers = MappingLayers(resources={"contacts": {}}, base=mapping or {}, environment=None)
    return DirectCalls(
        accounts=FakeTable(account, account(id=ACCOUNT), account(id="lost", integration_id="gone")),
        integrations=FakeTable(integration, integration(config=config)),
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
    gone._integrations = FakeTable(integration)
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
