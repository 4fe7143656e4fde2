"""A slice of a fetching unit: what it asks for, what it writes, and how it leaves the unit."""

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from app.engine.json_types import JsonObject
from app.engine.record_errors import RateLimitedError, SourceError, TransientSourceError, UnwritablePageError
from app.engine.status import ErrorHandling, UnitStatus
from app.engine.webhooks import events
from app.services.units import fetch_worker
from app.services.units.unit_worker import MAX_ATTEMPTS
from tests.unit.services.service_fakes import PENDING, page
from tests.unit.services.service_setting import Setting, setting
from tests.unit.services.service_tables import NOON
from tests.unit.services.service_world import DELIVERY_UNIT

FAR_FUTURE = 10.0**12
LOOP = {"resource": "tickets", "method": "get", "id": "{{args.ids}}", "loop_on": "args.ids"}


@pytest.fixture(autouse=True)
def short_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look for answers again at once: here they are there at once, or never come."""
    monkeypatch.setattr(fetch_worker, "_WAIT_SECONDS", 0.001)


def looped(*ids: str, run_fields: JsonObject | None = None, **limits: float) -> Setting:
    made = setting([LOOP], run_fields=run_fields, **limits)
    made.add_unit(*({"loop": id} for id in ids))
    return made


def webhook_run(**limits: Any) -> Setting:
    made = setting(run_fields={"webhook_id": "webhook"}, **limits)
    made.add_unit()
    made.add_delivery_unit(UnitStatus.IDLE)
    return made


def test_unit_is_done_after_its_last_page() -> None:
    here = setting()
    here.add_unit()
    here.source.script(page({"id": 1}, cursor={"page": 2}), page({"id": 2}, {"id": 3}))

    outcome = here.fetch()

    assert here.source.asked == [(None, None), (None, {"page": 2})]
    assert here.pages.record_ids == ["1", "2", "3"]
    assert here.units.rows["unit"].status is UnitStatus.DONE
    assert outcome.may_settle


def test_single_element_asks_for_its_next_page_only_after_the_write() -> None:
    here = setting()
    here.add_unit()
    here.source.script(page(cursor={"page": 2}), page(cursor={"page": 3}), page())

    here.fetch()

    assert here.journal == ["ask tickets", "write", "ask tickets", "write", "ask tickets", "write"]


def test_unit_goes_on_at_the_cursor_that_was_written() -> None:
    here = setting()
    here.add_unit(frontier={"next": 1, "open": {"0": {"page": 7}}})
    here.source.script(page({"id": 1}))

    here.fetch()

    assert here.source.asked == [(None, {"page": 7})]


def test_many_elements_are_asked_for_side_by_side() -> None:
    here = looped("a", "b", "c", requests_per_account=2)
    for id in "abc":
        here.source.script(page({"id": id}), id=id)

    here.fetch()

    assert here.journal[:2] == ["ask a", "ask b"]
    assert here.journal.index("ask c") < here.journal.index("write")
    assert sorted(here.pages.record_ids) == ["a", "b", "c"]
    assert here.units.rows["unit"].status is UnitStatus.DONE


def test_unresolvable_placeholder_is_an_error_of_its_element_alone() -> None:
    here = setting([{**LOOP, "id": "{{args.ids.key}}"}])
    here.add_unit({"loop": {"key": 1}}, {"loop": {"kee": 2}}, {"loop": {"key": 3}})
    here.source.script(page({"id": 1}), id="1").script(page({"id": 3}), id="3")

    here.fetch()

    assert [(error.code, error.details) for error in here.pages.errors] == [
        ("placeholder", {"path": "args.ids.key", "loop": {"kee": 2}})
    ]
    assert sorted(here.pages.record_ids) == ["1", "3"]
    assert here.units.rows["unit"].status is UnitStatus.DONE


def test_unit_of_nothing_but_unresolvable_elements_asks_for_nothing() -> None:
    here = setting([{"resource": "tickets", "id": "{{args.missing:int}}"}])
    here.add_unit()

    here.fetch()

    assert here.source.calls == []
    assert len(here.pages.errors) == 1
    assert here.units.rows["unit"].status is UnitStatus.DONE


def test_failed_request_is_an_error_of_its_element_alone() -> None:
    here = looped("a", "b")
    here.source.script(SourceError("http_500", "broke", status=500, excerpt="oops"), id="a")
    here.source.script(page({"id": "b"}), id="b")

    here.fetch()

    assert [(error.code, error.details) for error in here.pages.errors] == [
        ("http_500", {"status": 500, "excerpt": "oops", "loop": "a"})
    ]
    assert here.pages.record_ids == ["b"]


def test_request_is_filled_in_from_the_runs_args() -> None:
    query, body = {"since": "{{args.since}}"}, "{{args.body:any:undefined}}"
    item = {"resource": "tickets", "id": "{{args.id}}", "query": query, "body": body}
    here = setting([item], run_fields={"args": {"id": 7, "since": "today"}})
    here.add_unit()
    here.source.script(page(), id="7")

    here.fetch()

    (call,) = here.source.calls
    assert (call.id, call.query, call.body) == ("7", {"since": "today"}, None)
    assert (call.account_id, call.context) == ("account", {"subdomain": "acme"})


def test_rate_limit_parks_the_unit_with_its_cursors_kept() -> None:
    here = setting()
    here.add_unit()
    here.source.script(page({"id": 1}, cursor={"page": 2}), RateLimitedError(30))

    outcome = here.fetch()

    unit = here.units.rows["unit"]
    assert (unit.status, unit.wake_seconds) == (UnitStatus.READY, 30)
    assert unit.frontier == {"next": 1, "open": {"0": {"page": 2}}}
    assert here.dispatcher.wake_ups == []
    assert outcome.may_settle


def test_rate_limit_lets_answers_in_flight_come_and_asks_for_nothing_more() -> None:
    here = looped("a", "b", "c", requests_per_account=2)
    here.source.script(RateLimitedError(9), id="a").script(page({"id": "b"}), id="b")

    here.fetch()

    assert [id for id, _ in here.source.asked] == ["a", "b"]
    assert here.pages.record_ids == ["b"]
    assert here.units.rows["unit"].frontier == {"next": 2, "open": {"0": None}}


def test_stopping_daemon_yields_after_the_page_and_rings_for_a_successor() -> None:
    here = setting()
    here.add_unit()
    here.source.script(page({"id": 1}, cursor={"page": 2}))
    here.pages.after_write = here.stop_daemon

    here.fetch()

    unit = here.units.rows["unit"]
    assert here.pages.record_ids == ["1"]
    assert (unit.status, unit.wake_seconds, unit.attempts) == (UnitStatus.READY, 0, 0)
    assert [(dispatch.unit_id, dispatch.queue) for dispatch in here.dispatcher.wake_ups] == [
        ("unit", "daemon-group.blue")
    ]


def test_slice_that_is_over_yields_and_rings() -> None:
    here = setting(slice_seconds=0.0)
    here.add_unit()

    here.fetch()

    assert here.source.calls == []
    assert here.dispatcher.unit_ids == ["unit"]


def test_slice_goes_on_while_a_worker_is_idle_and_at_most_six_times_as_long() -> None:
    here = setting(slice_seconds=0.02)
    here.fairness.has_idle_worker = lambda: True
    here.add_unit()
    here.source.script(*(page({"id": number}, cursor={"page": number}) for number in range(1, 20_000)))

    begun = time.monotonic()
    here.fetch()
    took = time.monotonic() - begun

    assert here.units.rows["unit"].status is UnitStatus.READY
    assert took >= 6 * 0.02
    assert here.dispatcher.unit_ids == ["unit"]


def test_slice_that_is_over_ends_when_the_last_worker_is_taken() -> None:
    here = setting(slice_seconds=0.0)
    here.fairness.has_idle_worker = lambda: False
    here.add_unit()

    here.fetch()

    assert here.source.calls == []


def test_list_may_ask_ahead_for_what_its_account_has_room_for() -> None:
    here = setting(requests_per_account=9)
    here.add_unit()
    here.source.waiting = 0
    here.source.script(page({"id": 1}, cursor={"page": 2}), page({"id": 2}))

    here.fetch()

    assert [(ahead.told, ahead.is_closed) for ahead in here.source.lists] == [([9, 9], True)]


def test_lists_of_a_unit_share_the_room() -> None:
    here = looped("a", "b", "c", requests_per_account=9)
    here.source.waiting = 0
    for id in "abc":
        here.source.script(page({"id": id}), id=id)

    here.fetch()

    assert [ahead.told for ahead in here.source.lists] == [[9], [4], [3]]
    assert all(ahead.is_closed for ahead in here.source.lists)


def test_slice_that_is_over_takes_in_what_was_asked_for_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    here = setting()
    here.add_unit()
    here.source.waiting = 2
    here.source.script(*(page({"id": number}, cursor={"page": number}) for number in range(9)))
    here.pages.after_write = lambda: monkeypatch.setattr(time, "monotonic", lambda: FAR_FUTURE)

    here.fetch()

    assert here.pages.record_ids == ["0", "1", "2"]
    assert [ahead.told for ahead in here.source.lists] == [[64, 64, 0]]
    assert (here.units.rows["unit"].status, here.dispatcher.unit_ids) == (UnitStatus.READY, ["unit"])


@pytest.mark.parametrize(
    "refusal", [RateLimitedError(9), TransientSourceError(SourceError("http_503", "busy", status=503), 9)], ids=str
)
def test_list_that_is_asked_to_wait_drops_what_was_asked_for_ahead(refusal: SourceError) -> None:
    here = setting()
    here.add_unit()
    here.source.waiting = 9
    here.source.script(page({"id": 1}, cursor={"page": 2}), refusal)

    here.fetch()

    assert here.source.asked == [(None, None), (None, {"page": 2})]
    assert here.source.lists[0].is_closed
    assert here.units.rows["unit"].wake_seconds == 9


@pytest.mark.parametrize(
    ("is_parallel", "first"), [(True, ["ask tickets", "ask tickets"]), (False, ["ask tickets", "write"])]
)
def test_next_page_in_turn_is_taken_during_a_write_only_of_a_list_that_is_read_in_parallel(
    is_parallel: bool, first: list[str]
) -> None:
    here = setting()
    here.add_unit()
    here.source.waiting, here.source.is_parallel = 9, is_parallel
    here.source.script(page({"id": 1}, cursor={"page": 2}), page({"id": 2}))

    here.fetch()

    assert here.journal[:2] == first


def test_pages_that_have_come_are_written_together() -> None:
    here = setting()
    here.add_unit()
    here.source.waiting, here.source.is_fast = 9, True
    pages = [page({"id": number}, cursor={"page": number}) for number in range(4)]
    here.source.script(*pages, page({"id": 4}))

    here.fetch()

    assert [len(write.records) for write in here.pages.writes] == [5]
    assert here.pages.record_ids == ["0", "1", "2", "3", "4"]


def test_pages_are_written_together_up_to_a_number_of_records(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch_worker, "_RECORDS_AT_ONCE", 2)
    here = setting()
    here.add_unit()
    here.source.waiting, here.source.is_fast = 9, True
    here.source.script(*(page({"id": number}, cursor={"page": number}) for number in range(4)), page({"id": 4}))

    here.fetch()

    assert [len(write.records) for write in here.pages.writes] == [2, 2, 1]


def test_several_pages_of_a_list_that_can_not_be_written_fail_where_the_first_is() -> None:
    here = setting()
    here.add_unit()
    here.source.waiting, here.source.is_fast = 1, True
    here.source.script(page({"id": 1}, cursor={"page": 2}), page({"id": 2}, cursor={"page": 3}), page({"id": 3}))
    refuse_once(here)

    here.fetch()

    assert here.units.rows["unit"].frontier == {"next": 1, "open": {}, "failed": {"0": None}}


def test_stopping_daemon_takes_in_what_was_asked_for_ahead() -> None:
    here = setting()
    here.add_unit()
    here.source.waiting = 2
    here.source.script(*(page({"id": number}, cursor={"page": number}) for number in range(9)))
    here.pages.after_write = here.stop_daemon

    here.fetch()

    assert here.pages.record_ids == ["0", "1", "2"]
    assert here.source.lists[0].is_closed


def test_slice_that_has_its_pages_takes_in_what_was_asked_for_ahead() -> None:
    here = setting(slice_pages=1)
    here.add_unit()
    here.source.waiting = 2
    here.source.script(*(page({"id": number}, cursor={"page": number}) for number in range(9)))

    here.fetch()

    assert here.pages.record_ids == ["0", "1", "2"]
    assert here.dispatcher.unit_ids == ["unit"]


def test_parts_of_a_list_become_elements_of_its_resource() -> None:
    here = looped("a")
    found = [{"lower": None, "upper": 5, "depth": 1}, {"lower": 5, "upper": None, "depth": 1}]
    here.source.script(replace(page(), parts=found), id="a")

    here.fetch()

    (write,) = here.pages.writes
    (child,) = write.children
    assert child.resource_id == "id-of-tickets"
    assert child.elements == [{"loop": "a", "part": part} for part in found]
    assert (write.counters.pages, write.exchanges.requests) == (0, 1)
    assert here.units.rows["unit"].status is UnitStatus.DONE


def test_parts_that_are_known_before_cost_no_request() -> None:
    here = looped("a")
    here.source.script(replace(page(), parts=[{"value": 1}, {"value": 2}], is_requested=False), id="a")

    here.fetch()

    assert here.pages.writes[0].exchanges.requests == 0


def test_an_error_names_its_part() -> None:
    here = setting([LOOP])
    here.add_unit({"loop": "a", "part": {"value": 7}})
    here.source.script(SourceError("http_500", "broke", status=500), id="a")

    here.fetch()

    assert here.pages.errors[0].details["part"] == {"value": 7}
    assert here.source.calls[0].part == {"value": 7}


def test_slice_of_one_page_yields_after_it_and_rings() -> None:
    here = setting(slice_pages=1)
    here.add_unit()
    here.source.script(page({"id": 1}, cursor={"page": 2}), page({"id": 2}))

    here.fetch()

    assert here.pages.record_ids == ["1"]
    assert (here.units.rows["unit"].status, here.dispatcher.unit_ids) == (UnitStatus.READY, ["unit"])


@pytest.mark.parametrize(("slice_pages", "asked"), [(1, 1), (2, 2), (3, 3), (0, 3)])
def test_slice_asks_for_no_more_pages_than_it_may(slice_pages: int, asked: int) -> None:
    here = looped("a", "b", "c", run_fields={"args": {"ids": []}}, slice_pages=slice_pages)
    for id in "abc":
        here.source.script(page({"id": id}), id=id)

    here.fetch()

    assert len(here.source.calls) == len(here.pages.records) == asked
    assert here.units.rows["unit"].status is (UnitStatus.DONE if asked == 3 else UnitStatus.READY)


def test_late_answers_are_abandoned_after_the_stop_grace() -> None:
    here = looped("a", "b", stop_grace_seconds=0.01)
    here.source.script(PENDING, id="a").script(page({"id": "b"}), id="b")
    here.pages.after_write = here.stop_daemon

    here.fetch()

    assert here.source.futures[0].cancelled()
    assert here.units.rows["unit"].frontier == {"next": 2, "open": {"0": None}}
    assert here.units.rows["unit"].status is UnitStatus.READY
    assert here.dispatcher.unit_ids == ["unit"]


def test_slow_upstream_keeps_the_lease() -> None:
    here = setting(lease_seconds=0.0)
    here.add_unit()
    here.source.script(PENDING)
    here.units.on_hold = lambda: here.source.futures[0].set_result(page({"id": 1}))

    here.fetch()

    assert here.units.holds == 1
    assert here.pages.record_ids == ["1"]


def test_slice_ends_silently_when_the_lease_is_lost_before_a_write() -> None:
    here = setting()
    here.add_unit()
    here.source.script(page({"id": 1}))
    here.pages.before_write = lambda: here.units.lose("unit")

    outcome = here.fetch()

    assert here.pages.writes == []
    assert here.dispatcher.wake_ups == []
    assert outcome.may_settle


def test_answers_under_way_are_cancelled_when_the_lease_is_lost_while_waiting() -> None:
    here = setting(lease_seconds=0.0)
    here.add_unit()
    here.source.script(PENDING)
    claim = here.claim("unit")
    here.units.lose("unit")

    here.fetching().work(claim, here.context())

    assert here.source.futures[0].cancelled()


def test_lease_lost_when_the_slice_ends_rings_for_nobody() -> None:
    here = setting(slice_seconds=0.0)
    here.add_unit()
    claim = here.claim("unit")
    here.units.lose("unit")

    here.fetching().work(claim, here.context())

    assert here.dispatcher.wake_ups == []


def test_run_that_fails_fast_asks_for_nothing_after_an_error() -> None:
    here = looped("a", "b", "c", run_fields={"error_handling": ErrorHandling.FAIL_FAST}, requests_per_account=1)
    here.source.script(SourceError("http_404", "gone"), id="a").script(page({"id": "b"}), id="b")

    here.fetch()

    # The second was asked for while the first one's error was written.
    assert [id for id, _ in here.source.asked] == ["a", "b"]
    assert here.units.rows["unit"].frontier == {"next": 2, "open": {}, "failed": {"0": None}}


def test_children_are_written_with_their_parents_page_and_rung() -> None:
    here = setting([{"resource": "tickets"}, {"resource": "comments", "depends_on": "tickets"}])
    here.add_unit()
    here.source.script(page({"id": 1}, {"id": 2}))

    here.fetch()

    (children,) = [unit.draft for id, unit in here.units.rows.items() if id != "unit"]
    assert len(children.elements) == 2
    assert here.dispatcher.unit_ids == [children.id]


def test_webhook_run_queues_its_records_and_rings_the_delivery_unit() -> None:
    here = webhook_run()
    here.source.script(page({"id": 1}))

    here.fetch()

    assert here.pages.records == []
    assert [event.event for event in here.deliveries.waiting] == [events.RECORD]
    assert here.dispatcher.unit_ids == [DELIVERY_UNIT]
    assert here.units.rows["unit"].status is UnitStatus.DONE


def test_backlog_of_deliveries_blocks_the_unit() -> None:
    here = webhook_run(delivery_backlog=2)
    here.source.script(page({"id": 1}, cursor={"page": 2}))

    here.fetch()

    unit = here.units.rows["unit"]
    assert len(here.deliveries.waiting) == 2
    assert unit.status is UnitStatus.BLOCKED
    assert unit.frontier == {"next": 1, "open": {"0": {"page": 2}}}
    assert here.dispatcher.unit_ids == [DELIVERY_UNIT, DELIVERY_UNIT]


def test_unit_stays_ready_when_the_backlog_shrank_meanwhile() -> None:
    here = webhook_run(delivery_backlog=1)
    here.source.script(page({"id": 1}, cursor={"page": 2}))
    is_long = here.deliveries.is_long
    here.deliveries.is_long = _answered_then(is_long, then=here.deliveries.waiting.clear)  # type: ignore[method-assign]

    here.fetch()

    assert here.units.rows["unit"].status is UnitStatus.READY
    assert here.dispatcher.unit_ids == [DELIVERY_UNIT, "unit"]


def test_empty_page_of_a_webhook_run_rings_nobody() -> None:
    here = webhook_run()
    here.source.script(page())

    here.fetch()

    assert here.dispatcher.wake_ups == []


def _answered_then(question: Callable[..., bool], *, then: Callable[[], object]) -> Callable[..., bool]:
    """Answer as ever, then do something."""

    def answer(run_id: str, *, limit: int) -> bool:
        found = question(run_id, limit=limit)
        then()
        return found

    return answer


def test_the_first_date_of_the_upstream_freezes_the_runs_upper_bound_once() -> None:
    here = setting()
    here.add_unit()
    here.source.script(page({"id": 1}, cursor={"at": "2"}, server_date=NOON), page({"id": 2}, server_date=NOON))

    here.fetch()

    assert here.runs.frozen == [NOON]


def test_query_may_be_made_by_an_expression_and_one_that_fails_is_an_error_of_its_request() -> None:
    resources = [{"resource": "tickets", "loop_on": "args.ids", "query": "{'of': args.ids, 'n': $number(args.ids)}"}]
    here = setting(resources, run_fields={"args": {"ids": ["1", "x"]}})
    here.add_unit({"loop": "1"}, {"loop": "x"})
    here.source.script(page())

    here.fetch()

    assert [call.query for call in here.source.calls] == [{"of": "1", "n": 1}]
    assert len(here.pages.errors) == 1


def test_body_may_be_made_by_an_expression_and_one_that_fails_is_an_error_of_its_request() -> None:
    resources = [{"resource": "tickets", "method": "create", "loop_on": "args.ids", "body": "{'n': $number(args.ids)}"}]
    here = setting(resources, run_fields={"args": {"ids": ["1", "x"]}})
    here.add_unit({"loop": "1"}, {"loop": "x"})
    here.source.script(page())

    here.fetch()

    assert [call.body for call in here.source.calls] == [{"n": 1}]
    assert len(here.pages.errors) == 1


FAULT = SourceError("http_500", "broke", status=500, retryable=True, excerpt="oops")


def test_fault_that_tells_its_end_parks_the_unit_and_counts_its_claim() -> None:
    here = setting()
    here.add_unit()
    here.source.script(page({"id": 1}, cursor={"page": 2}), TransientSourceError(FAULT, 6))
    here.source.script(TransientSourceError(FAULT, 7), page({"id": 2}))
    unit = here.units.rows["unit"]

    slices = [(here.fetch(), unit.wake_seconds, unit.attempts, unit.frontier["open"])[1:] for _ in range(2)]
    here.fetch()

    # A written page begins the count anew.
    assert slices == [(6, 0, {"0": {"page": 2}}), (7, 1, {"0": {"page": 2}})]
    assert here.pages.record_ids == ["1", "2"]
    assert here.pages.errors == []


def test_fault_that_never_ends_is_an_error_after_a_few_claims() -> None:
    here = setting()
    here.add_unit()
    claims = 0

    while here.units.rows["unit"].status is UnitStatus.READY:
        here.source.script(TransientSourceError(FAULT, 6))
        here.fetch()
        claims += 1

    assert claims == fetch_worker.CLAIMS_FOR_FAULTS < MAX_ATTEMPTS
    assert [(error.code, error.details) for error in here.pages.errors] == [
        ("http_500", {"status": 500, "excerpt": "oops"})
    ]
    assert here.units.rows["unit"].status is UnitStatus.DONE


def test_refusal_for_the_rate_is_waited_for_as_long_as_it_takes() -> None:
    here = setting()
    here.add_unit()

    for _ in range(MAX_ATTEMPTS + 2):
        here.source.script(RateLimitedError(6))
        here.fetch()

    unit = here.units.rows["unit"]
    assert (unit.status, unit.attempts) == (UnitStatus.READY, 0)
    assert here.pages.errors == []


def refuse_once(here: Setting) -> None:
    """Have Postgres refuse the next write for what it holds."""

    def refuse() -> None:
        here.pages.before_write = lambda: None
        raise UnwritablePageError("refused")

    here.pages.before_write = refuse


def test_page_that_can_not_be_written_is_an_error_of_its_request_and_asked_for_once() -> None:
    here = setting()
    here.add_unit()
    here.source.script(page({"id": 1}, cursor={"page": 2}), page({"id": 2}, cursor={"page": 3}))
    here.pages.after_write = lambda: refuse_once(here) if len(here.pages.writes) == 1 else None

    here.fetch()

    assert here.source.asked == [(None, None), (None, {"page": 2})]
    assert here.pages.record_ids == ["1"]
    assert [(error.code, error.message, error.resource) for error in here.pages.errors] == [
        ("unwritable_page", "refused", "tickets")
    ]
    assert here.units.rows["unit"].frontier == {"next": 1, "open": {}, "failed": {"0": {"page": 2}}}
    assert here.units.rows["unit"].status is UnitStatus.DONE


def test_requests_that_failed_beside_a_page_that_can_not_be_written_keep_their_own_errors() -> None:
    here = looped("a", "b", "c")
    here.source.script(page({"id": "a"}), id="a").script(SourceError("http_500", "broke"), id="b")
    here.source.script(page({"id": "c"}), id="c")
    refuse_once(here)

    here.fetch()

    assert sorted((error.details["loop"], error.code) for error in here.pages.errors) == [
        ("a", "unwritable_page"),
        ("b", "http_500"),
        ("c", "unwritable_page"),
    ]
    assert here.pages.record_ids == []
    assert here.units.rows["unit"].frontier["failed"] == {"0": None, "1": None, "2": None}


def test_given_up_transform_stands_at_its_beginning() -> None:
    transform = {"type": "transform", "name": "renamed", "depends_on": "tickets", "config": {"expression": "records"}}
    here = setting([{"resource": "tickets"}, {**transform, "resource": "renamed"}])
    here.add_unit({"parents": {}, "records": [{"id": 1}]}, resource="renamed")
    refuse_once(here)

    here.fetch()

    assert [error.code for error in here.pages.errors] == ["unwritable_page"]
    assert here.units.rows["unit"].frontier["failed"] == {"0": None}
