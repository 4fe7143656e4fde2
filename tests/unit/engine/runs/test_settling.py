"""What a run has come to."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from app.engine.runs.books import Counters
from app.engine.runs.settling import Exchanges, Progress, ResourceState, judge
from app.engine.status import ResourceStatus, RunStatus

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def resource(name: str = "tickets", **changes: object) -> ResourceState:
    state = ResourceState(
        id=f"id-of-{name}",
        name=name,
        resource=name,
        method="list",
        parent_name=None,
        persist=True,
        status=ResourceStatus.RUNNING,
        started_at=None,
        counters=Counters(pages=1, fetched=3, created=2, unchanged=1),
        live_units=0,
        parked_units=0,
    )
    return replace(state, **changes)  # type: ignore[arg-type]


def verdict_of(*resources: ResourceState, fails_fast: bool = False, to_webhook: bool = False, pending: int = 0):
    return judge(Progress(resources, pending), fails_fast=fails_fast, to_webhook=to_webhook)


def test_run_completes_when_no_unit_is_left_and_the_books_balance():
    verdict = verdict_of(resource())

    assert verdict.status is RunStatus.COMPLETED
    assert verdict.ended == {"id-of-tickets": ResourceStatus.COMPLETED}


def test_run_fails_when_a_record_is_missing_from_its_books():
    verdict = verdict_of(resource(counters=Counters(fetched=3, created=2)))

    assert verdict.status is RunStatus.FAILED
    assert verdict.reason == "tickets: fetched (3) is not created + updated + unchanged + repeated + quarantined (2)"


def test_child_does_not_end_before_its_parent():
    parent = resource("tickets", live_units=1)
    child = resource("comments", parent_name="tickets")

    verdict = verdict_of(parent, child)

    assert verdict.ended == {}
    assert verdict.status is RunStatus.RUNNING


def test_child_ends_in_the_same_look_as_its_parent():
    verdict = verdict_of(resource("tickets"), resource("comments", parent_name="tickets"))

    assert set(verdict.ended) == {"id-of-tickets", "id-of-comments"}


def test_resource_that_got_nothing_but_errors_has_failed_and_the_run_completes():
    verdict = verdict_of(resource(counters=Counters(errors=1)))

    assert verdict.ended == {"id-of-tickets": ResourceStatus.FAILED}
    assert verdict.status is RunStatus.COMPLETED


REFUSED = resource(counters=Counters(errors=2), exchanges=Exchanges(requests=2))
SERVED = Exchanges(requests=1, answered=1)
FRUITLESS = {
    "refused": [REFUSED],
    "refused with a child": [REFUSED, resource("comments", parent_name="tickets", counters=Counters(skipped=2))],
    "refused beside one that was never sent": [REFUSED, resource("users", counters=Counters(errors=1))],
    "refused beside one that had nothing to ask": [REFUSED, resource("users", counters=Counters())],
    "refused again after a resume": [
        resource(counters=Counters(errors=2, retried=1), exchanges=Exchanges(requests=2)),
    ],
}
FRUITFUL = {
    "nothing to ask": [resource(counters=Counters())],
    "never sent": [resource(counters=Counters(errors=1))],
    "an empty list": [resource(counters=Counters(pages=1), exchanges=SERVED)],
    "a page that could not be kept": [resource(counters=Counters(errors=1), exchanges=SERVED)],
    "every record quarantined": [
        resource(counters=Counters(pages=1, fetched=2, quarantined=2, errors=2), exchanges=SERVED)
    ],
    "one root of two": [REFUSED, resource("users", exchanges=SERVED)],
    "one request of two": [resource(counters=Counters(errors=1), exchanges=Exchanges(requests=2, answered=1))],
    "a child refused": [
        resource(exchanges=SERVED),
        resource("comments", parent_name="tickets", counters=Counters(errors=1), exchanges=Exchanges(requests=1)),
    ],
    "mended by a resume": [
        resource(counters=Counters(errors=1, retried=1), exchanges=Exchanges(requests=2, answered=1)),
    ],
    "pages of before this was counted": [
        resource(counters=Counters(pages=1, errors=1), exchanges=Exchanges(requests=1)),
    ],
}


@pytest.mark.parametrize("resources", FRUITLESS.values(), ids=FRUITLESS.keys())
def test_run_fails_when_all_that_its_roots_asked_for_was_refused(resources: list[ResourceState]):
    verdict = verdict_of(*resources)

    assert (verdict.status, verdict.reason, verdict.blamed) == (RunStatus.FAILED, None, ["tickets"])
    assert verdict.ended["id-of-tickets"] is ResourceStatus.FAILED


@pytest.mark.parametrize("resources", FRUITFUL.values(), ids=FRUITFUL.keys())
def test_run_completes_when_a_root_was_served_or_asked_nobody(resources: list[ResourceState]):
    assert verdict_of(*resources).status is RunStatus.COMPLETED


def test_refused_run_with_a_webhook_fails_once_its_events_are_delivered():
    assert verdict_of(REFUSED, to_webhook=True, pending=1).status is RunStatus.RUNNING
    assert verdict_of(REFUSED, to_webhook=True).status is RunStatus.FAILED


def test_one_error_ends_a_run_that_fails_fast():
    verdict = verdict_of(resource(counters=Counters(errors=1), live_units=2), fails_fast=True)

    assert verdict.status is RunStatus.FAILED
    assert verdict.reason is None


@pytest.mark.parametrize(("parked", "status"), [(2, RunStatus.RATE_LIMITED), (1, RunStatus.RUNNING)])
def test_run_is_rate_limited_when_every_unit_waits_for_its_timer(parked: int, status: RunStatus):
    assert verdict_of(resource(live_units=2, parked_units=parked)).status is status


def test_rate_limited_run_goes_on_with_the_unit_that_wakes_first():
    later = resource(name="later", live_units=1, parked_units=1, wakes_at=NOON + timedelta(seconds=9))
    first = resource(name="first", live_units=1, parked_units=1, wakes_at=NOON)

    parked = verdict_of(later, first).parked

    assert parked is not None
    assert (parked.name, parked.wakes_at) == ("first", NOON)


def test_webhook_run_waits_for_its_last_delivery():
    delivered = Counters(fetched=3, queued=3, delivered=3)

    assert verdict_of(resource(counters=delivered), to_webhook=True, pending=1).status is RunStatus.RUNNING
    assert verdict_of(resource(counters=delivered), to_webhook=True).status is RunStatus.COMPLETED


def test_error_whose_request_was_made_again_neither_ends_a_run_that_fails_fast_nor_fails_its_resource():
    mended = resource(counters=Counters(errors=2, retried=2))

    verdict = verdict_of(mended, fails_fast=True)

    assert (verdict.status, verdict.ended) == (RunStatus.COMPLETED, {"id-of-tickets": ResourceStatus.COMPLETED})


def test_run_that_left_work_out_never_completes():
    verdict = verdict_of(resource(left_out=2), resource("comments", left_out=1))

    assert (verdict.status, verdict.code) == (RunStatus.FAILED, "unfinished")
    assert verdict.reason == "3 units of work that the run had not finished were left out by errors_only"
