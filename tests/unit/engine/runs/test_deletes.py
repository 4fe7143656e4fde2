"""When records that a run did not see count as deleted."""

from datetime import UTC, datetime
from typing import Any

import pytest

from app.engine.jobs import definition, planning
from app.engine.jobs.planning import RunPlan
from app.engine.json_types import JsonObject
from app.engine.runs import deletes
from app.engine.runs.books import Counters
from app.engine.runs.settling import ResourceState
from app.engine.status import ResourceStatus

TICKETS = {"resource": "tickets", "method": "list", "persist": True, "delete_tracking": "soft"}
COMMENTS = {**TICKETS, "resource": "comments", "depends_on": "tickets", "query": {"of": "{{resources.tickets.id}}"}}
YESTERDAY = datetime(2026, 2, 28, tzinfo=UTC)
SINCE = {"since": "{{previous_run_date:undefined}}"}


def plan_of(*resources: JsonObject) -> RunPlan:
    items, failures = definition.parse_resources(list(resources))
    assert not failures
    return planning.plan(items)


def state(name: str, *, since: datetime | None = None, **counters: Any) -> ResourceState:
    return ResourceState(
        id=name,
        name=name,
        resource=name,
        method="list",
        parent_name=None,
        persist=True,
        status=ResourceStatus.COMPLETED,
        started_at=None,
        counters=Counters(**counters),
        live_units=0,
        parked_units=0,
        previous_run_date=since,
    )


def test_only_resources_that_all_their_writers_track_are_tracked() -> None:
    untracked = {key: value for key, value in TICKETS.items() if key != "delete_tracking"}

    assert deletes.list_tracked(plan_of(TICKETS, COMMENTS)) == ["tickets", "comments"]
    assert deletes.list_tracked(plan_of(TICKETS, {**untracked, "name": "others"})) == []


@pytest.mark.parametrize(
    ("tickets", "comments", "is_complete"),
    [
        ({}, {}, True),
        ({}, {"errors": 1}, False),
        ({"errors": 1}, {}, False),
        ({}, {"skipped": 1}, False),
    ],
)
def test_an_error_anywhere_on_the_way_keeps_what_was_not_seen(
    tickets: JsonObject, comments: JsonObject, is_complete: bool
) -> None:
    states = {"tickets": state("tickets", **tickets), "comments": state("comments", **comments)}

    complete = deletes.was_complete("comments", plan_of(TICKETS, COMMENTS), states)

    assert complete is is_complete


@pytest.mark.parametrize(
    ("resources", "since", "is_complete"),
    [
        ([{**TICKETS, "query": SINCE}], YESTERDAY, False),
        ([{**TICKETS, "query": SINCE}], None, True),
        ([TICKETS], YESTERDAY, True),
    ],
)
def test_an_increment_is_complete_only_where_it_asks_for_everything(
    resources: list[JsonObject], since: datetime | None, is_complete: bool
) -> None:
    states = {"tickets": state("tickets", since=since)}

    assert deletes.was_complete("tickets", plan_of(*resources), states) is is_complete


def test_children_of_an_increment_are_incomplete_too() -> None:
    states = {"tickets": state("tickets", since=YESTERDAY), "comments": state("comments", since=YESTERDAY)}
    plan = plan_of({**TICKETS, "query": SINCE}, COMMENTS)

    assert not deletes.was_complete("comments", plan, states)


def test_each_resource_is_an_increment_by_its_own_bound() -> None:
    states = {"tickets": state("tickets"), "comments": state("comments", since=YESTERDAY)}
    plan = plan_of({**TICKETS, "query": SINCE}, {**COMMENTS, "query": SINCE})

    assert deletes.was_complete("tickets", plan, states)
    assert not deletes.was_complete("comments", plan, states)


@pytest.mark.parametrize(
    ("between", "fields"),
    [
        ({"config": {"expression": "records[changed > previous_run_date]"}}, {}),
        (
            {"config": {"expression": "records"}},
            {"recurse": {"if": "{{resources.comments.id}}", "config": {"query": SINCE}}},
        ),
    ],
)
def test_a_transform_or_a_recursion_may_make_an_increment_too(between: JsonObject, fields: JsonObject) -> None:
    names = ("tickets", "some", "comments")
    some = {"type": "transform", "name": "some", "depends_on": "tickets", **between}
    plan = plan_of(TICKETS, some, {**COMMENTS, "depends_on": "some", **fields})

    assert not deletes.was_complete("comments", plan, {name: state(name, since=YESTERDAY) for name in names})
    assert deletes.was_complete("comments", plan, {name: state(name) for name in names})


@pytest.mark.parametrize(
    ("vanished", "held", "refused"), [(0, 0, False), (2, 10, False), (3, 10, True), (1, 1, True), (0, 5, False)]
)
def test_a_fifth_may_vanish_at_once(vanished: int, held: int, refused: bool) -> None:
    assert deletes.is_too_many(vanished, held, limit_percent=20.0) is refused


@pytest.mark.parametrize(
    ("fields", "path"),
    [({"delete_tracking": "maybe"}, "delete_tracking"), ({"persist": False}, "delete_tracking")],
)
def test_delete_tracking_is_checked(fields: JsonObject, path: str) -> None:
    _, failures = definition.parse_resources([{**TICKETS, **fields}])

    assert [failure.path for failure in failures] == [f"resources.0.{path}"]
