"""Each list of each shipped connector is read to the end that its vendor documents, and that end is proven."""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from app.engine.integrations.config import parse_config
from app.engine.record_errors import RateLimitedError, SourceError
from app.engine.records.outcomes import ListEnd
from app.services.ports import FetchedPage
from tests.integration.sources.connector_lists import LISTS, ConnectorList, Script, breaking, ending
from tests.integration.sources.list_kind import Answer
from tests.integration.sources.raw_upstream import Client, Upstream, reply
from tests.integration.sources.test_shipped_connectors import (
    CONNECTORS,
    SAMPLES,
    asked,
    call_of,
    cases,
    numbered,
    read,
    told,
)

DOCUMENT = Path(__file__).parents[3] / "docs" / "connectors.md"
SIZES = (2, 1, 2)
LASTS = [(one, last) for one in LISTS for last in one.kind.lasts]
BROKEN = [(one, form, sizes) for one in LISTS for form in one.kind.broken for sizes in ((2,), (2, 1))]
BROKEN += [(one, form, (2,)) for one in LISTS for form in one.kind.strange]
PAGED = [one for one in LISTS if one.kind.more is not None]


def named(given: Sequence[tuple[Any, ...]]) -> list[str]:
    return ["-".join(str(part) for part in parts) for parts in given]


def place(one: ConnectorList, upstream: Upstream) -> dict[str, Any]:
    """Give where a list is asked for and where its records are."""
    config, _ = parse_config(read(CONNECTORS / one.connector / "integration.json")["config"])
    assert config is not None
    pages = read(CONNECTORS / one.connector / "pages" / f"{one.resource}.list.json")
    path = str(config.find_method(one.resource, "list").response_path or "")
    return {"first": {"method": "GET", "body": None, **pages[0]["request"]}, "path": path, "url": upstream.url}


def script(one: ConnectorList, last: str, upstream: Upstream, sizes: tuple[int, ...] = SIZES) -> Script:
    return ending(one, last, **place(one, upstream), sizes=sizes if one.kind.more else sizes[:1])


def raw(answers: list[Answer]) -> list[bytes]:
    return [reply(answer.body, headers=dict(answer.headers)) for answer in answers]


def read_all(client: Client, *, cursor: Any = None, **call: Any) -> list[FetchedPage]:
    pages: list[FetchedPage] = []
    while not pages or cursor is not None:
        pages.append(client.fetch(**call, cursor=json.loads(json.dumps(cursor))))
        if pages[-1].fault is not None:
            raise pages[-1].fault
        cursor = pages[-1].next_cursor
    return pages


def call(one: ConnectorList, upstream: Upstream) -> dict[str, Any]:
    return call_of(CONNECTORS / one.connector, upstream, one.resource, "list")


@pytest.mark.parametrize(("one", "last"), LASTS, ids=named(LASTS))
def test_a_list_ends_where_its_vendor_says(one: ConnectorList, last: str, client: Client, upstream: Upstream) -> None:
    due = script(one, last, upstream)
    upstream.in_turn(*raw(due.answers))

    *pages, final = read_all(client, **call(one, upstream))

    assert [record for page in (*pages, final) for record in page.records] == due.records
    assert [asked(request) for request in upstream.received] == due.requests
    assert [page.end for page in pages] == [None] * len(pages)
    assert final.end is not None
    assert (final.end.reason, final.end.is_proven) == (one.kind.lasts[last][0], True)


@pytest.mark.parametrize(("one", "last"), LASTS, ids=named(LASTS))
def test_an_empty_list_is_proven_too(one: ConnectorList, last: str, client: Client, upstream: Upstream) -> None:
    upstream.in_turn(*raw(script(one, last, upstream, sizes=(0,)).answers))

    *pages, final = read_all(client, **call(one, upstream))

    assert [page.records for page in (*pages, final)] == [[]] * (len(pages) + 1)
    assert len(pages) <= 1
    assert final.end is not None
    assert final.end.is_proven


@pytest.mark.parametrize(("one", "form", "sizes"), BROKEN, ids=named(BROKEN))
def test_an_answer_that_promises_more_and_leads_nowhere_is_no_end(
    one: ConnectorList, form: str, sizes: tuple[int, ...], client: Client, upstream: Upstream
) -> None:
    upstream.in_turn(*raw(breaking(one, form, **place(one, upstream), sizes=sizes).answers))

    with pytest.raises(SourceError) as caught:
        read_all(client, **call(one, upstream))

    assert caught.value.code in ("pagination", "expression")
    assert len(upstream.received) == len(sizes)


@pytest.mark.parametrize(("name", "case"), cases("nothing_here"), ids=numbered(cases("nothing_here")))
def test_what_is_not_there_for_one_parent_is_a_list_without_records(
    name: str, case: dict[str, Any], client: Client, upstream: Upstream
) -> None:
    upstream.in_turn(told(case["answer"]))

    page = client.fetch(**call_of(CONNECTORS / name, upstream, case["resource"], "list"))

    assert (page.records, page.next_cursor, page.end) == ([], None, ListEnd("stop_when"))


def test_conversation_parts_that_intercom_does_not_give_are_warned_of(client: Client, upstream: Upstream) -> None:
    (one,) = (one for one in LISTS if one.resource == "conversation_parts")
    upstream.in_turn(*raw(script(one, "the 500 that are given", upstream).answers))

    page = client.fetch(**call(one, upstream))

    assert page.expected == 501
    assert [warning.code for warning in page.warnings] == ["total_mismatch"]


def test_companies_that_intercom_refuses_to_page_to_are_an_error(client: Client, upstream: Upstream) -> None:
    (one,) = (one for one in LISTS if one.resource == "companies" and one.connector == "intercom")
    first, *_ = raw(script(one, "next is null", upstream).answers)
    upstream.in_turn(first, reply({"errors": [{"code": "page_limit", "message": "too deep"}]}, status=400))

    with pytest.raises(SourceError, match="page_limit"):
        read_all(client, **call(one, upstream))

    assert len(upstream.received) == 2


@pytest.mark.parametrize("one", PAGED, ids=str)
def test_a_refusal_in_the_middle_is_waited_out_and_loses_nothing(
    one: ConnectorList, client: Client, upstream: Upstream
) -> None:
    due = script(one, next(iter(one.kind.lasts)), upstream)
    first, *others = raw(due.answers)
    asks = call(one, upstream)

    for number, case in enumerate(read(CONNECTORS / one.connector / "sample.json")["limits"]):
        upstream.received.clear()
        upstream.in_turn(first, told(case["answer"]), *others)
        begun = client.fetch(**asks, account_id=f"{number}")
        with pytest.raises(RateLimitedError):
            client.fetch(**asks, account_id=f"{number}", cursor=begun.next_cursor)
        # As after the wait: another account's gate is open.
        rest = read_all(client, **asks, account_id=f"{number} later", cursor=begun.next_cursor)

        assert [record for page in (begun, *rest) for record in page.records] == due.records
        assert [asked(request) for request in upstream.received] == [*due.requests[:2], *due.requests[1:]]


def test_every_list_of_every_connector_is_in_the_table_once() -> None:
    held = [
        (sample.parent.name, resource)
        for sample in SAMPLES
        for resource, methods in read(sample.parent / "integration.json")["config"]["resources"].items()
        if "list" in methods
    ]

    assert sorted((one.connector, one.resource) for one in LISTS) == sorted(held)


def test_the_document_names_every_list_with_the_proof_of_its_end() -> None:
    section = DOCUMENT.read_text().partition("## How each list ends\n")[2].partition("\n## ")[0]
    told_proofs: dict[str, set[str]] = {}
    for line in section.splitlines():
        if (row := re.fullmatch(r"\| (\w+) \| (.+?) \| .+ \| (.+?) \|", line)) and row[1] != "connector":
            connector = row[1].lower()
            names = re.findall(r"`(\w+)`", row[2])
            told_proofs |= {f"{connector}-{name}": set(re.findall(r"`(\w+)`", row[3])) for name in names}

    assert told_proofs == {str(one): one.proofs for one in LISTS}
