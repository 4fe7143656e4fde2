"""Lists of shipped connectors that are cut into parts: every record comes once, by what the vendor documents."""

import re
from pathlib import Path
from typing import Any, Final

import pytest

from app.services.ports import FetchedPage, PageCall
from app.sources.http_source import HttpSource
from tests.integration.sources.ranged_vendors import CUT, DAY, PAGE, Vendor
from tests.integration.sources.raw_upstream import Upstream
from tests.integration.sources.test_partitioned_lists import read as read_in_parts
from tests.integration.sources.test_shipped_connectors import CONNECTORS, SAMPLES, call_of, read

DOCUMENT: Final = Path(__file__).parents[3] / "docs" / "connectors.md"
LISTS: Final = [(name, resource) for name, cut in CUT.items() for resource in cut.resources]
FIRST_OF_EACH: Final = [(name, cut.resources[0]) for name, cut in CUT.items()]
BEGIN: Final = 1_500_000_000
COUNT: Final = 600
EVEN: Final = [BEGIN + number * DAY * 3000 // COUNT for number in range(COUNT)]
IMPORTED: Final = [BEGIN + 7] * COUNT


def read_all(
    source: HttpSource, upstream: Upstream, vendor: Vendor, name: str, resource: str, **query: Any
) -> list[FetchedPage]:
    """Read a list as a run does, and its parts."""
    upstream.answer = lambda request: CUT[name].answer(vendor, request)
    call = call_of(CONNECTORS / name, upstream, resource, "list", is_handed_on=False)
    call["query"] = {**call["query"], **query}
    return read_in_parts(source, PageCall(account_id=resource, **call))


def numbers_of(pages: list[FetchedPage]) -> list[int]:
    return sorted(
        int(record["number"] if "number" in record else record["id"]) for page in pages for record in page.records
    )


@pytest.mark.parametrize(("name", "resource"), LISTS)
def test_a_long_list_is_read_in_parts_and_each_record_once(
    name: str, resource: str, source: HttpSource, upstream: Upstream
) -> None:
    vendor = Vendor(EVEN)

    pages = read_all(source, upstream, vendor, name, resource)

    assert numbers_of(pages) == list(range(1, COUNT + 1))
    assert all(page.fault is None for page in pages)
    ends = [page.end for page in pages if not page.leads_on and not page.parts]
    assert all(end is not None and end.is_proven for end in ends)
    assert len(ends) >= 7
    assert max(vendor.pages.values()) <= 25


@pytest.mark.parametrize(("name", "resource"), FIRST_OF_EACH)
def test_a_short_list_is_read_as_it_is(name: str, resource: str, source: HttpSource, upstream: Upstream) -> None:
    vendor = Vendor(EVEN[:PAGE])

    pages = read_all(source, upstream, vendor, name, resource)

    assert numbers_of(pages) == list(range(1, PAGE + 1))
    assert len(upstream.received) == 1


@pytest.mark.parametrize(("name", "resource"), FIRST_OF_EACH)
def test_what_was_created_at_once_can_not_be_cut_and_is_read_page_by_page(
    name: str, resource: str, source: HttpSource, upstream: Upstream
) -> None:
    pages = read_all(source, upstream, Vendor(IMPORTED), name, resource)

    assert numbers_of(pages) == list(range(1, COUNT + 1))


def test_salesforce_needs_no_locators_for_parts_since_a_user_may_have_ten(
    source: HttpSource, upstream: Upstream
) -> None:
    vendor = Vendor(EVEN)

    read_all(source, upstream, vendor, "salesforce", "contacts")

    assert [request.path for request in upstream.received if "/query/" in request.path] == []
    assert len(upstream.received) <= 4 * COUNT / PAGE


@pytest.mark.parametrize(
    ("query", "lower", "upper"),
    [
        ({"created_since": EVEN[300]}, 300, COUNT),
        ({"created_since": "2020-01-01T00:00:00Z"}, next(at for at in range(COUNT) if EVEN[at] >= 1577836800), COUNT),
        ({"created": {"gte": EVEN[100], "lt": EVEN[400]}}, 100, 400),
        ({"created": {"gt": EVEN[100], "lte": str(EVEN[400])}}, 101, 401),
        ({"created[gte]": EVEN[100], "created[lt]": EVEN[400]}, 100, 400),
        ({"created": EVEN[100]}, 100, 101),
    ],
)
def test_stripe_cuts_the_range_that_a_job_asks_for(
    query: dict[str, Any], lower: int, upper: int, source: HttpSource, upstream: Upstream
) -> None:
    vendor = Vendor(EVEN)

    pages = read_all(source, upstream, vendor, "stripe", "charges", **query)

    assert numbers_of(pages) == list(range(lower + 1, upper + 1))
    assert all(int(begin) > EVEN[lower - 1] for begin, _ in vendor.pages)


def test_every_list_that_is_cut_is_tested_here() -> None:
    cut = [
        (sample.parent.name, resource)
        for sample in SAMPLES
        for resource, methods in read(sample.parent / "integration.json")["config"]["resources"].items()
        if methods.get("list", {}).get("partition")
    ]

    assert sorted(cut) == sorted(LISTS)


def test_the_document_says_of_every_list_whether_it_is_cut() -> None:
    section = DOCUMENT.read_text().partition("## Which lists are read in parts\n")[2].partition("\n## ")[0]
    rows = [row for line in section.splitlines() if (row := re.fullmatch(r"\| (\w+) \| (.+?) \| (.+) \|", line))]

    told = {
        (row[1].lower(), name): not row[3].startswith("no") for row in rows for name in re.findall(r"`(\w+)`", row[2])
    }
    held = {
        (sample.parent.name, resource): (sample.parent.name, resource) in LISTS
        for sample in SAMPLES
        for resource, methods in read(sample.parent / "integration.json")["config"]["resources"].items()
        if "list" in methods and methods["list"].get("pagination", {}) is not None
    }
    assert told == held
