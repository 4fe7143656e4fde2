"""Books that balance, and each way in which they may not."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from app.engine.json_types import JsonObject
from app.engine.objects.runs import SyncJobRun
from app.engine.runs.audit import EventCount, Recount, RunRecount
from app.engine.runs.books import Counters
from app.engine.status import RunStatus
from app.services.runs.runs import Verification, verify_run
from tests.unit.services.service_recounts import recounted
from tests.unit.services.service_tables import run

RESOURCES = [
    {"resource": "tickets", "method": "list", "persist": True},
    {"resource": "notes", "method": "list", "persist": True, "depends_on": "tickets"},
    {"resource": "tags", "method": "list", "persist": True, "depends_on": "tickets", "loop_on": "resources.tickets.t"},
]
PARENT = recounted(
    counters=Counters(pages=2, fetched=5, created=2, updated=1, unchanged=2, errors=2, retried=1),
    unit_pages=2,
    elements=2,
    failed_elements=1,
    errors=2,
)
CHILD = recounted(
    "notes",
    parent_name="tickets",
    counters=Counters(pages=6, fetched=7, created=7, skipped=1, errors=1, retried=1),
    unit_pages=6,
    elements=6,
    errors=1,
)
LOOPED = recounted(
    "tags", parent_name="tickets", counters=Counters(skipped=3, errors=2), elements=9, errors=2, loop_errors=2
)
SENT = recounted(
    counters=Counters(pages=1, fetched=9, queued=9, delivered=3, dead_lettered=2),
    unit_pages=1,
    elements=1,
    events=EventCount(pending=1, delivered=3, dead_lettered=2, cancelled=3),
)


def verify(
    *recounts: Recount,
    to_webhook: bool = False,
    status: RunStatus = RunStatus.COMPLETED,
    resources: Sequence[JsonObject] = RESOURCES,
) -> Verification:
    def recount(run: SyncJobRun) -> RunRecount:
        kept = {} if to_webhook else {"tickets": 3}
        return RunRecount(status=status, to_webhook=to_webhook, resources=recounts, kept=kept)

    return verify_run(run(resources=resources), recount)


def broken(found: Verification) -> list[tuple[str, str, int, int]]:
    return [(check.resource, check.equation, check.left, check.right) for check in found.checks if not check.holds]


def test_books_of_parents_and_children_balance() -> None:
    found = verify(PARENT, CHILD, LOOPED)

    assert (found.is_balanced, broken(found), found.status) == (True, [], RunStatus.COMPLETED)


def test_records_in_quarantine_lead_to_no_requests() -> None:
    parent = replace(PARENT, counters=replace(PARENT.counters, unchanged=1, quarantined=1))

    assert broken(verify(parent, replace(CHILD, elements=5), LOOPED)) == []


def test_requests_of_a_parent_whose_deletions_are_told_are_not_counted() -> None:
    resources = [{**RESOURCES[0], "deleted_when": "gone"}, *RESOURCES[1:]]
    parent = replace(PARENT, counters=replace(PARENT.counters, created=1, deleted=1, tombstones=1))

    found = verify(parent, replace(CHILD, elements=5), LOOPED, resources=resources)

    assert broken(found) == []
    assert "fetched = created + updated + tombstones + unchanged + repeated + quarantined" in [
        one.equation for one in found.checks
    ]


def test_books_of_a_webhook_run_balance_while_events_wait_and_after_they_were_cancelled() -> None:
    assert verify(SENT, to_webhook=True).is_balanced


def test_what_is_not_persisted_has_no_fate() -> None:
    assert broken(verify(recounted(persist=False, counters=Counters(fetched=3, created=3)))) == []


@pytest.mark.parametrize(
    ("change", "equation", "left", "right"),
    [
        ({"unit_pages": 1}, "pages = pages of its units", 2, 1),
        ({"errors": 3}, "errors = errors that are listed", 2, 3),
        ({"unfinished_units": 1}, "unfinished units = 0", 1, 0),
        ({"failed_elements": 2}, "requests that failed <= errors - retried", 2, 1),
    ],
)
def test_what_a_resource_holds_otherwise_is_named(change: dict[str, Any], equation: str, left: int, right: int) -> None:
    assert ("tickets", equation, left, right) in broken(verify(replace(PARENT, **change), CHILD, LOOPED))


@pytest.mark.parametrize(
    ("change", "equation", "left", "right"),
    [
        ({"unchanged": 1}, "fetched = created + updated + unchanged + repeated + quarantined", 5, 4),
        ({"created": 0, "unchanged": 4}, "records of this run <= created + updated + deleted", 3, 1),
    ],
)
def test_records_that_were_miscounted_are_noticed(change: dict[str, int], equation: str, left: int, right: int) -> None:
    miscounted = replace(PARENT, counters=replace(PARENT.counters, **change))

    assert broken(verify(miscounted, CHILD, LOOPED)) == [("tickets", equation, left, right)]


@pytest.mark.parametrize(
    ("change", "equation"),
    [
        ({"elements": 5}, "requests = objects of tickets + retried"),
        (
            {"counters": replace(CHILD.counters, skipped=0)},
            "skipped = failed requests of tickets + its own loop errors",
        ),
    ],
)
def test_child_request_that_is_missing_is_noticed(change: dict[str, Any], equation: str) -> None:
    assert [name for _, name, _, _ in broken(verify(PARENT, replace(CHILD, **change), LOOPED))] == [equation]


@pytest.mark.parametrize(
    ("change", "equation"),
    [
        ({"fetched": 8}, "fetched + deleted = queued + quarantined + unchanged + repeated + withheld"),
        ({"fetched": 10, "queued": 10}, "queued = records in its events"),
        ({"delivered": 4}, "delivered = records in delivered events"),
        ({"dead_lettered": 1}, "dead_lettered = records in dead-lettered events"),
    ],
)
def test_event_that_was_miscounted_is_noticed(change: dict[str, int], equation: str) -> None:
    found = verify(replace(SENT, counters=replace(SENT.counters, **change)), to_webhook=True)

    assert [name for _, name, _, _ in broken(found)] == [equation]


def test_run_that_is_under_way_may_have_unfinished_units() -> None:
    under_way = replace(PARENT, unfinished_units=4)

    assert verify(under_way, CHILD, LOOPED, status=RunStatus.RUNNING).is_balanced
