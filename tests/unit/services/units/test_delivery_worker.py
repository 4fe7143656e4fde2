"""A slice of a delivery unit: what is sent, what counts as delivered, and how the unit is left."""

import json
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import replace

import pytest

from app.engine.errors import DeliveryError, StoreUnavailableError
from app.engine.runs.work import NOTHING_DONE, EventDraft, UnitDraft, UnitKind
from app.engine.status import DeliveryStatus, ErrorHandling, RunStatus, UnitStatus
from app.engine.webhooks import events
from app.services.units.batch_merging import BatchMerging
from app.services.units.delivery_outcomes import RETRY_BASE_SECONDS
from tests.unit.services.service_fakes import PENDING, FakeReceiver
from tests.unit.services.service_setting import Setting, setting
from tests.unit.services.service_tables import NOON, webhook
from tests.unit.services.service_world import ANY_TERMS, DELIVERY_UNIT


def delivery(*answers: int | Exception | None, run_fields: dict[str, object] | None = None, **limits: float) -> Setting:
    made = setting(run_fields={"webhook_id": "webhook", **(run_fields or {})}, **limits)
    made.add_delivery_unit()
    made.receiver = FakeReceiver(*answers)
    return made


def event(id: str, kind: str = events.RECORD) -> EventDraft:
    return EventDraft(id=id, webhook_id="webhook", event=kind, body=id.encode(), records=int(kind == events.RECORD))


def batch(id: str, *record_ids: int) -> EventDraft:
    payload = {"resource": "tickets", "records": [{"id": id} for id in record_ids], "meta": {}}
    body = json.dumps({"id": id, "event": events.RECORD, "payload": payload}).encode()
    return EventDraft(id=id, webhook_id="webhook", event=events.RECORD, body=body, records=len(record_ids))


def test_events_are_sent_in_order_and_the_unit_goes_idle() -> None:
    here = delivery(200, 202, 204)
    here.deliveries.add(event("a", events.STARTED), event("b"), event("c"))

    outcome = here.deliver()

    assert here.receiver.sent == [("a", b"a"), ("b", b"b"), ("c", b"c")]
    assert here.deliveries.delivered == {"a": 200, "b": 202, "c": 204}
    assert here.units.rows[DELIVERY_UNIT].status is UnitStatus.IDLE
    assert outcome.may_settle


def test_unit_is_done_when_nothing_waits_and_the_run_has_ended() -> None:
    here = delivery(200, run_fields={"status": RunStatus.COMPLETED})

    here.deliver()

    assert here.units.rows[DELIVERY_UNIT].status is UnitStatus.DONE


def test_event_that_comes_while_the_unit_goes_idle_is_sent() -> None:
    here = delivery(200)
    here.deliveries.late = [event("late")]

    here.deliver()

    assert here.receiver.event_ids == ["late"]


def test_delivered_event_lets_blocked_units_go_and_rings_them() -> None:
    here = delivery(200)
    here.units.add(UnitDraft(id="unit", resource_id="id-of-tickets", status=UnitStatus.BLOCKED))
    here.deliveries.add(event("a", events.STARTED))

    here.deliver()

    assert here.units.rows["unit"].status is UnitStatus.READY
    assert here.dispatcher.unit_ids == ["unit"]


def test_units_wait_for_started_though_another_event_is_delivered() -> None:
    here = delivery(200, DeliveryError("busy", status=503))
    here.units.add(UnitDraft(id="unit", resource_id="id-of-tickets", status=UnitStatus.BLOCKED))
    here.deliveries.add(event("a", events.CREATED), event("b", events.STARTED))

    here.deliver()

    assert here.deliveries.delivered == {"a": 200}
    assert here.units.rows["unit"].status is UnitStatus.BLOCKED


def test_created_that_is_answered_400_is_tried_again() -> None:
    here = delivery(DeliveryError("no", status=400))
    here.deliveries.add(event("a", events.CREATED), event("b", events.STARTED))

    here.deliver()

    assert here.runs.rows["run"].status is RunStatus.RUNNING
    assert [(waiting.id, waiting.attempts) for waiting in here.deliveries.waiting] == [("a", 1), ("b", 0)]


def test_blocked_units_wait_while_the_backlog_is_long() -> None:
    here = delivery(200, DeliveryError("busy", status=503), delivery_backlog=1)
    here.units.add(UnitDraft(id="unit", resource_id="id-of-tickets", status=UnitStatus.BLOCKED))
    here.deliveries.add(event("a"), event("b"))

    here.deliver()

    assert here.units.rows["unit"].status is UnitStatus.BLOCKED


def test_refused_started_event_fails_the_run_before_its_units_are_let_go() -> None:
    here = delivery(DeliveryError("no", status=400))
    here.units.add(UnitDraft(id="unit", resource_id="id-of-tickets", status=UnitStatus.BLOCKED))
    here.deliveries.add(event("a", events.STARTED))

    here.deliver()

    run = here.runs.rows["run"]
    assert run.status is RunStatus.FAILED
    assert run.error is not None
    assert run.error["code"] == "aborted_by_receiver"
    assert here.units.rows["unit"].status is UnitStatus.CANCELLED
    assert here.deliveries.dead == {"a": (400, "no")}


def test_refused_record_event_is_tried_again() -> None:
    here = delivery(DeliveryError("no", status=400))
    here.deliveries.add(event("a"))

    here.deliver()

    assert here.runs.rows["run"].status is RunStatus.RUNNING
    assert here.deliveries.waiting[0].attempts == 1


def test_failed_attempt_is_tried_again_after_a_backoff_in_order() -> None:
    here = delivery(DeliveryError("busy", status=503))
    here.deliveries.add(event("a"), event("b"))

    here.deliver()

    unit = here.units.rows[DELIVERY_UNIT]
    assert here.receiver.event_ids == ["a"]
    assert [(event.id, event.attempts) for event in here.deliveries.waiting] == [("a", 1), ("b", 0)]
    assert unit.status is UnitStatus.READY
    assert 0.1 <= unit.wake_seconds <= RETRY_BASE_SECONDS
    assert here.dispatcher.wake_ups == []


def test_retry_waits_as_long_as_the_receiver_asks() -> None:
    here = delivery(DeliveryError("busy", status=429, retry_after_seconds=60))
    here.deliveries.add(event("a"))

    here.deliver()

    assert here.units.rows[DELIVERY_UNIT].wake_seconds == 60


def test_event_older_than_the_retention_is_given_up_and_recorded() -> None:
    here = delivery(DeliveryError("busy", status=503), 200, delivery_retention_seconds=60)
    here.deliveries.add(event("old"))
    here.clock.advance(61)
    here.deliveries.add(event("new"), created_at=here.clock.now())

    here.deliver()

    assert here.deliveries.dead == {"old": (503, "busy")}
    assert here.deliveries.delivered == {"new": 200}
    assert [(error.code, error.message) for error in here.moves.errors] == [
        ("undelivered", "sync_job_run:record was given up after 61 s: busy")
    ]
    assert here.runs.rows["run"].status is RunStatus.RUNNING


@pytest.mark.parametrize(
    ("kind", "error_handling"),
    [(events.RECORD, ErrorHandling.FAIL_FAST), (events.STARTED, ErrorHandling.IGNORE)],
    ids=["the run fails fast", "it is the started event"],
)
def test_event_given_up_ends_the_run_when(kind: str, error_handling: ErrorHandling) -> None:
    here = delivery(
        DeliveryError("busy"), 200, run_fields={"error_handling": error_handling}, delivery_retention_seconds=60
    )
    here.deliveries.add(event("old", kind))
    here.clock.advance(60)

    here.deliver()

    run = here.runs.rows["run"]
    assert run.status is RunStatus.FAILED
    assert run.error is not None
    assert run.error["code"] == "undelivered"
    assert here.deliveries.dead == {"old": (None, "busy")}


def test_event_of_a_webhook_that_is_switched_off_waits_unsent() -> None:
    here = delivery(200)
    here.webhooks.rows["webhook"] = webhook(is_active=False)
    here.deliveries.add(event("a"))

    here.deliver()

    assert here.receiver.sent == []
    assert here.deliveries.waiting[0].attempts == 1
    assert here.units.rows[DELIVERY_UNIT].wake_seconds > 0


def test_deleted_webhook_fails_the_run_and_empties_the_line() -> None:
    here = delivery(200)
    del here.webhooks.rows["webhook"]
    here.deliveries.add(event("a"), event("b"))

    here.deliver()

    run = here.runs.rows["run"]
    assert run.status is RunStatus.FAILED
    assert run.error is not None
    assert run.error["message"] == "webhook 'webhook' was deleted"
    assert {"a", "b"} < set(here.deliveries.dead)
    assert here.deliveries.waiting == []
    assert here.units.rows[DELIVERY_UNIT].status is UnitStatus.DONE


def under_way(**limits: float) -> Setting:
    """Have the first of two events under way at a receiver that takes its time."""
    here = delivery(PENDING, 200, **limits)
    here.deliveries.add(event("a"), event("b"))
    assert here.deliver() is NOTHING_DONE
    return here


def answer(here: Setting, act: Callable[["Future[int]"], object]) -> None:
    """Do something about the answer that is waited for, and wait until the slice has gone on with it."""
    act(here.receiver.futures[0])
    assert here.pool.join(30)


def test_slow_receiver_holds_no_thread_and_keeps_the_lease() -> None:
    here = under_way(lease_seconds=0.0)

    here.keeper.prolong_due()

    assert DELIVERY_UNIT in here.units.kept
    assert here.units.rows[DELIVERY_UNIT].status is UnitStatus.LEASED
    assert (here.receiver.event_ids, here.deliveries.delivered) == (["a"], {})


def test_slice_goes_on_in_order_when_its_receiver_answers_and_looks_whether_the_run_is_over() -> None:
    here = under_way()

    answer(here, lambda future: future.set_result(202))

    assert here.deliveries.delivered == {"a": 202, "b": 200}
    assert here.units.rows[DELIVERY_UNIT].status is UnitStatus.IDLE
    assert here.settled == ["run"]


def test_answer_that_comes_late_may_be_a_refusal() -> None:
    here = under_way()

    answer(here, lambda future: future.set_exception(DeliveryError("busy", status=503)))

    assert [(waiting.id, waiting.attempts) for waiting in here.deliveries.waiting] == [("a", 1), ("b", 0)]
    assert here.units.rows[DELIVERY_UNIT].status is UnitStatus.READY


def test_sending_is_cancelled_when_the_lease_is_lost_meanwhile() -> None:
    here = under_way(lease_seconds=0.0)
    here.units.lose(DELIVERY_UNIT)

    here.keeper.prolong_due()

    assert here.pool.join(30)
    assert here.receiver.futures[0].cancelled()
    assert (here.deliveries.delivered, here.dispatcher.wake_ups) == ({}, [])


def test_answer_that_comes_after_the_lease_was_lost_counts_for_nothing() -> None:
    here = under_way()
    here.units.lose(DELIVERY_UNIT)

    answer(here, lambda future: future.set_result(200))

    assert (here.deliveries.delivered, here.receiver.event_ids) == ({}, ["a"])


def test_stopping_daemon_leaves_a_receiver_that_takes_too_long_and_rings() -> None:
    here = under_way()
    here.stop_daemon()

    here.pool.stop_within(0.0)

    assert here.pool.join(30)
    assert here.dispatcher.unit_ids == [DELIVERY_UNIT]
    assert here.receiver.futures[0].cancelled()
    assert [(waiting.id, waiting.attempts) for waiting in here.deliveries.waiting] == [("a", 0), ("b", 0)]
    assert (here.deliveries.delivered, here.deliveries.dead) == ({}, {})
    assert here.units.rows[DELIVERY_UNIT].status is UnitStatus.READY


@pytest.mark.parametrize("is_late", [False, True], ids=["at once", "later"])
def test_work_that_breaks_comes_back_by_its_timer_and_is_told(is_late: bool, caplog: pytest.LogCaptureFixture) -> None:
    here = delivery(PENDING if is_late else TimeoutError("not a DeliveryError"))
    here.deliveries.add(event("a"))

    here.deliver()
    if is_late:
        answer(here, lambda future: future.set_exception(TimeoutError("not a DeliveryError")))

    unit = here.units.rows[DELIVERY_UNIT]
    assert (unit.status, unit.attempts, unit.wake_seconds) == (UnitStatus.READY, 1, 1.0)
    assert here.broken == [("run", "TimeoutError")]
    assert [record.message for record in caplog.records] == ["work on a run's deliveries broke"]


def test_database_that_is_away_breaks_no_run() -> None:
    here = delivery(StoreUnavailableError())
    here.deliveries.add(event("a"))

    with pytest.raises(StoreUnavailableError):
        here.deliver()

    assert here.broken == []
    assert here.units.rows[DELIVERY_UNIT].status is UnitStatus.READY


def small(id: str) -> EventDraft:
    """A batch that may be merged with others."""
    return replace(event(id), log_sequence=1)


def test_batches_that_wait_are_merged_before_the_first_of_them_is_sent() -> None:
    here = delivery(200)
    here.deliveries.add(event("a", events.STARTED), small("b"), small("c"))

    here.deliver()

    assert here.receiver.event_ids == ["a", "c"]
    assert here.deliveries.delivered == {"a": 200, "c": 200}


@pytest.mark.parametrize("limits", [{"delivery_merge_records": 0}, {"delivery_batch_bytes": 1}], ids=str)
def test_batches_are_not_merged_beyond_the_settings(limits: dict[str, float]) -> None:
    here = delivery(200, **limits)
    here.deliveries.add(small("a"), small("b"))

    here.deliver()

    assert (here.receiver.event_ids, here.deliveries.looks) == (["a", "b"], 0)


def test_batch_waits_for_more_while_its_run_fetches_and_holds_no_thread() -> None:
    here = delivery(200, delivery_linger_seconds=60.0)
    here.deliveries.growing_looks = 2
    here.deliveries.add(small("a"))

    assert here.deliver() is NOTHING_DONE
    here.deliveries.add(small("b"))

    assert here.pool.join(30)
    assert (here.receiver.event_ids, here.deliveries.looks) == (["b"], 3)
    assert here.units.rows[DELIVERY_UNIT].status is UnitStatus.IDLE
    assert here.settled == ["run"]


@pytest.mark.parametrize("is_crowded", [True, False], ids=["others wait for their turn", "nobody lingers"])
def test_batch_is_sent_at_once_when(*, is_crowded: bool) -> None:
    here = delivery(200, delivery_linger_seconds=60.0 if is_crowded else 0.0)
    here.deliveries.growing_looks = 9
    here.deliveries.add(small("a"))

    here.delivering().work(replace(here.claim(DELIVERY_UNIT), is_crowded=is_crowded))

    assert (here.receiver.event_ids, here.deliveries.looks) == (["a"], 0)


def test_batch_that_has_vanished_or_waited_long_enough_waits_for_nothing() -> None:
    here = delivery(200, delivery_linger_seconds=1e-9)
    here.deliveries.growing_looks = 9
    here.deliveries.add(small("a"))
    merging, claim = BatchMerging(here.deliveries.look, here.deliveries.merge, here.settings), here.claim(DELIVERY_UNIT)

    assert 0.0 < merging.pause_seconds(claim, here.deliveries.waiting[0]) <= 1e-9
    waiting = here.deliveries.waiting.pop()
    assert merging.pause_seconds(claim, waiting) == 0.0


def test_stopping_daemon_waits_for_no_more_and_yields() -> None:
    here = delivery(200, delivery_linger_seconds=60.0)
    here.deliveries.growing_looks = 9
    here.deliveries.add(small("a"))
    here.stop_daemon()

    here.deliver()

    assert here.receiver.sent == []
    assert here.dispatcher.unit_ids == [DELIVERY_UNIT]
    assert here.units.rows[DELIVERY_UNIT].status is UnitStatus.READY


def test_unit_without_room_waits_and_is_rung_when_a_delivery_has_ended() -> None:
    here = delivery(PENDING)
    here.deliveries.add(event("a"))
    worker = here.delivering()
    places = list(iter(lambda: here.pool.reserve(webhook()), None))

    worker.work(here.claim(DELIVERY_UNIT))

    assert (here.receiver.sent, here.dispatcher.wake_ups) == ([], [])
    assert here.units.rows[DELIVERY_UNIT].status is UnitStatus.READY
    here.pool.leave(places[0])
    assert here.dispatcher.unit_ids == [DELIVERY_UNIT]


def test_slice_at_a_crowded_webhook_rings_for_those_who_wait_for_it() -> None:
    here = delivery(200, deliveries_per_webhook=1)
    here.deliveries.add(event("a"))
    here.units.waiting_for_webhook = ["next"]
    here.units.add(UnitDraft(id="next", resource_id=None, kind=UnitKind.DELIVERY))
    here.units.claim("next")

    here.worker().work(DELIVERY_UNIT)
    assert here.receiver.sent == []
    here.units.rows["next"].status = UnitStatus.DONE
    claim = here.units.claim_in_turn(DELIVERY_UNIT, replace(ANY_TERMS, most_of_webhook=1))
    assert claim is not None
    here.delivering().work(claim)

    assert here.deliveries.delivered == {"a": 200}
    assert here.dispatcher.unit_ids == ["next", DELIVERY_UNIT]


@pytest.mark.parametrize("error_handling", list(ErrorHandling), ids=str)
def test_batch_that_is_too_large_is_sent_in_parts_and_one_record_is_quarantined(error_handling: ErrorHandling) -> None:
    large, small = batch("large", 1, 2), batch("small", 3)
    refused = DeliveryError("too much", status=413)
    here = delivery(refused, 200, refused, 200, run_fields={"error_handling": error_handling})
    here.deliveries.add(large, small)

    here.deliver()

    _, first, second, *_ = here.receiver.event_ids
    assert [json.loads(body)["payload"]["records"] for _, body in here.receiver.sent[:4]] == [
        [{"id": 1}, {"id": 2}],
        [{"id": 1}],
        [{"id": 2}],
        [{"id": 3}],
    ]
    assert {id: here.deliveries.ends[id] for id in here.receiver.event_ids[:4]} == {
        "large": DeliveryStatus.SPLIT,
        first: DeliveryStatus.DELIVERED,
        second: DeliveryStatus.QUARANTINED,
        "small": DeliveryStatus.DELIVERED,
    }
    run = here.runs.rows["run"]
    if error_handling is ErrorHandling.FAIL_FAST:
        assert (run.status, run.error and run.error["code"]) == (RunStatus.FAILED, "too_large")
        return
    (error,) = here.moves.errors
    size = len(here.receiver.sent[2][1])
    assert (error.code, run.status) == ("too_large", RunStatus.RUNNING)
    assert error.details == {"delivery_id": second, "bytes": size, "resource": "tickets", "ids": [2]}
    assert f"of {size} bytes" in error.message
    assert here.webhooks.rows["webhook"].failing_since is None


@pytest.mark.parametrize("kind", [events.COMPLETED, events.STARTED])
def test_event_that_is_too_large_and_holds_nothing_to_part_blocks_nobody(kind: str) -> None:
    here = delivery(DeliveryError("too much", status=413), 200)
    here.deliveries.add(event("a", kind), event("b"))

    here.deliver()

    assert here.deliveries.dead == {"a": (413, "too much")} or kind == events.STARTED
    assert here.deliveries.delivered["b"] == 200
    assert (here.runs.rows["run"].status is RunStatus.FAILED) == (kind == events.STARTED)


def test_slice_of_a_run_that_is_gone_ends_silently() -> None:
    here = delivery(200)
    here.deliveries.add(event("a"))
    here.runs.rows.clear()

    here.deliver()

    assert here.receiver.sent == []
    assert here.dispatcher.wake_ups == []


def test_stopping_daemon_yields_after_the_event_and_rings() -> None:
    here = delivery(200)
    here.deliveries.add(event("a"), event("b"))
    here.stop_daemon()

    here.deliver()

    assert here.receiver.event_ids == ["a"]
    assert here.units.rows[DELIVERY_UNIT].status is UnitStatus.READY
    assert [(dispatch.unit_id, dispatch.queue) for dispatch in here.dispatcher.wake_ups] == [
        (DELIVERY_UNIT, "rapid-bridge")
    ]


def test_slice_that_is_over_yields() -> None:
    here = delivery(200, slice_seconds=0.0)
    here.deliveries.add(event("a"), event("b"), created_at=NOON)

    here.deliver()

    assert here.receiver.event_ids == ["a"]
    assert here.dispatcher.unit_ids == [DELIVERY_UNIT]


def test_slice_of_one_event_yields_after_it() -> None:
    here = delivery(200, slice_pages=1)
    here.deliveries.add(event("a"), event("b"))

    here.deliver()

    assert here.receiver.event_ids == ["a"]
    assert here.dispatcher.unit_ids == [DELIVERY_UNIT]


def test_lease_lost_when_the_slice_yields_rings_for_nobody() -> None:
    here = delivery(200)
    here.deliveries.add(event("a"), event("b"))
    here.stop_daemon()
    here.deliveries.after_settle = lambda: here.units.lose(DELIVERY_UNIT)

    here.deliver()

    assert here.dispatcher.wake_ups == []


def test_run_that_is_gone_when_the_slice_yields_rings_for_nobody() -> None:
    here = delivery(200)
    here.deliveries.add(event("a"), event("b"))
    here.stop_daemon()
    here.deliveries.after_settle = here.runs.rows.clear

    here.deliver()

    assert here.deliveries.delivered == {"a": 200}
    assert here.dispatcher.wake_ups == []


def test_webhook_is_disabled_when_its_patience_is_over_and_its_events_wait(caplog: pytest.LogCaptureFixture) -> None:
    here = delivery(DeliveryError("no", status=500))
    here.deliveries.add(event("a"))

    here.deliver()
    assert here.webhooks.rows["webhook"].failing_since == NOON
    assert here.webhooks.rows["webhook"].is_active
    here.deliver()

    assert here.webhooks.rows["webhook"].disabled_reason == "no"
    assert [(event.event, event.webhook_id) for event in here.webhooks.announced] == [("webhook:disabled", "other")]
    assert [record.message for record in caplog.records] == ["a webhook was disabled"]
    assert [waiting.id for waiting in here.deliveries.waiting] == ["a"]


def test_webhook_that_answers_that_it_is_gone_is_disabled_at_once() -> None:
    here = delivery(DeliveryError("gone", status=410))
    here.deliveries.add(event("a"))

    here.deliver()

    assert here.webhooks.rows["webhook"].disabled_reason == "gone"


def test_success_ends_a_webhooks_bad_time() -> None:
    here = delivery(DeliveryError("no", status=500), 200)
    here.deliveries.add(event("a"))

    here.deliver()
    here.deliver()

    assert here.webhooks.rows["webhook"].failing_since is None


def test_refused_start_says_nothing_against_the_webhook() -> None:
    here = delivery(DeliveryError("not today", status=400), 200)
    here.deliveries.add(event("a", events.STARTED))

    here.deliver()

    assert here.webhooks.rows["webhook"].failing_since is None


def test_event_to_an_address_that_is_not_allowed_is_given_up_at_once() -> None:
    here = delivery(DeliveryError("not public", code="blocked_address", is_final=True), 200)
    here.deliveries.add(event("a"), event("b"))

    here.deliver()

    assert here.deliveries.dead == {"a": (None, "not public")}
    assert here.deliveries.delivered == {"b": 200}
    assert [error.code for error in here.moves.errors] == ["blocked_address"]
