"""The APIs of shipped connectors, as far as their lists can be limited to a range: what tests read in parts."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from tests.integration.sources.raw_upstream import Received, reply

PAGE: Final = 10
"""What these servers give at once, whatever they are asked for: less than the real ones."""
DAY: Final = 86400


@dataclass
class Vendor:
    """One vendor's server; ``created`` are the seconds at which its records were created, by their numbers from 1."""

    created: Sequence[int]
    pages: dict[tuple[str, str], int] = field(default_factory=dict)
    """How many pages each range was asked for, by its bounds as they were written."""

    def find(self, bounds: tuple[str, str], kept: Callable[[int, int], bool]) -> list[int]:
        """Return the numbers of the records within a range."""
        self.pages[bounds] = self.pages.get(bounds, 0) + 1
        return [number for number, moment in enumerate(self.created, 1) if kept(number, moment)]


def answer_as_stripe(vendor: Vendor, request: Received) -> bytes:
    query = dict(request.query)
    assert set(query) <= {"limit", "starting_after", "created[gte]", "created[lt]", "status"}
    lower, upper = query.get("created[gte]", ""), query.get("created[lt]", "")
    found = vendor.find((lower, upper), _between(lower, upper))
    start = found.index(int(query["starting_after"])) + 1 if "starting_after" in query else 0
    data = [{"id": number} for number in found[start : start + PAGE]]
    return reply({"object": "list", "data": data, "has_more": start + PAGE < len(found)})


def answer_as_hubspot(vendor: Vendor, request: Received) -> bytes:
    body = json.loads(request.body)
    changed, after, before = body["filterGroups"][0]["filters"]
    assert body["sorts"] == [{"propertyName": "hs_object_id", "direction": "ASCENDING"}]
    assert [one["propertyName"] for one in (after, before)] == ["hs_object_id"] * 2
    assert all(isinstance(one["value"], str) for one in (changed, after, before))
    lower, upper = int(after["value"]) + (after["operator"] == "GT"), int(before["value"])
    found = vendor.find(("", before["value"]), lambda number, _: lower <= hubspot_id(number) < upper)
    results = [{"id": str(hubspot_id(number)), "number": number} for number in found[:PAGE]]
    paging = {"paging": {"next": {"after": str(PAGE)}}} if len(found) > PAGE else {}
    return reply({"total": len(found), "results": results, **paging})


def hubspot_id(number: int) -> int:
    """Return an id as in an account that began when ids were short."""
    return number if number < 100 else 60_000_000_000 + number * 10_000_019


def answer_as_intercom(vendor: Vendor, request: Received) -> bytes:
    """Compare as Intercom does: of contacts the days, of what else is searched the seconds."""
    unit = DAY if "contacts" in request.path else 1
    body = json.loads(request.body)
    fields = [(one["field"], one["operator"]) for one in body["query"]["value"]]
    assert (body["query"]["operator"], fields) == (
        "AND",
        [("updated_at", ">"), ("created_at", ">"), ("created_at", "<")],
    )
    _, lower, upper = (one["value"] for one in body["query"]["value"])
    found = vendor.find((str(lower), str(upper)), lambda _, moment: lower // unit < moment // unit < upper // unit)
    start = int(body["pagination"].get("starting_after", 0))
    more = {"starting_after": str(start + PAGE)} if start + PAGE < len(found) else None
    records = [{"id": number} for number in found[start : start + PAGE]]
    lists = dict.fromkeys(("data", "conversations", "tickets"), records)
    return reply({**lists, "total_count": len(found), "pages": {"type": "pages", "next": more}})


def answer_as_salesforce(vendor: Vendor, request: Received) -> bytes:
    """Answer a query, or what a locator of one stands for."""
    text, start = dict(request.query).get("q", ""), 0
    if "/query/" in request.path:
        locator, _, end = request.path.rpartition("/")[2].partition("-")
        text, start = bytes.fromhex(locator).decode(), int(end)
    lower, upper = (_find(rf"CreatedDate {sign} (\S+)", text) for sign in (">=", "<"))
    found = vendor.find((lower, upper), _between(*(_seconds(bound, "%Y-%m-%dT%H:%M:%SZ") for bound in (lower, upper))))
    end_of_page = start + PAGE
    locator = f"/services/data/v62.0/query/{text.encode().hex()}-{end_of_page}"
    more = {"done": False, "nextRecordsUrl": locator} if end_of_page < len(found) else {"done": True}
    records = [{"Id": str(number), "number": number} for number in found[start:end_of_page]]
    return reply({"totalSize": len(found), "records": records, **more})


def answer_as_jira(vendor: Vendor, request: Received) -> bytes:
    query = dict(request.query)
    lower, upper = (_find(rf'created {sign} "([^"]+)"', query["jql"]) for sign in (">=", "<"))
    found = vendor.find((lower, upper), _between(*(_seconds(bound, "%Y-%m-%d %H:%M") for bound in (lower, upper))))
    start = int(query.get("nextPageToken", 0))
    more = {"isLast": False, "nextPageToken": str(start + PAGE)} if start + PAGE < len(found) else {"isLast": True}
    return reply({"issues": [{"id": number} for number in found[start : start + PAGE]], **more})


def _between(lower: str, upper: str) -> Callable[[int, int], bool]:
    return lambda _, moment: (not lower or int(lower) <= moment) and (not upper or moment < int(upper))


def _find(pattern: str, text: str) -> str:
    found = re.search(pattern, text)
    return found[1] if found else ""


def _seconds(text: str, form: str) -> str:
    return str(round(datetime.strptime(text, form).replace(tzinfo=UTC).timestamp())) if text else ""


@dataclass(frozen=True)
class Cut:
    """The lists of a connector that are cut into parts, and how its vendor answers."""

    answer: Callable[[Vendor, Received], bytes]
    resources: Sequence[str]


_HUBSPOT = ("contacts", "companies", "deals", "tickets", "notes", "calls", "products", "line_items")
CUT: Final[Mapping[str, Cut]] = {
    "stripe": Cut(
        answer_as_stripe,
        (
            *("customers", "products", "prices", "plans", "coupons", "subscriptions", "invoices", "invoice_items"),
            *("credit_notes", "charges", "payment_intents", "refunds", "disputes", "payouts", "balance_transactions"),
            *("tax_rates", "events"),
        ),
    ),
    "hubspot": Cut(answer_as_hubspot, tuple(f"changed_{name}" for name in _HUBSPOT)),
    "intercom": Cut(answer_as_intercom, ("changed_contacts", "changed_conversations", "changed_tickets")),
    "salesforce": Cut(
        answer_as_salesforce, ("contacts", "accounts", "opportunities", "leads", "tasks", "cases", "users")
    ),
    "jira": Cut(answer_as_jira, ("issues",)),
}
