"""A slice of a delivery unit: what is sent, what counts as delivered, and how the unit is left."""

import pytest
from service_fakes import PENDING, FakeReceiver
from service_setting import Setting, setting
from service_tables import NOON, webhook
from service_world import DELIVERY_UNIT

from app.engine import events
from app.engine.errors import DeliveryError
from app.engine.status import ErrorHandling, RunStatus, UnitStatus
from app.engine.work import EventDraft, UnitDraft
from app.services.delivering import RETRY_BASE_SECONDS


def delivery(*answers: int | Exception | None, run_fields: dict[str, object] | None = None, **limits: float) -> Setting:
    made = setting(run_fields={"webhook_id": "webhook", **(run_fields or {})}, **limits)
    made.add_delivery_unit()
    made.receiver = FakeReceiver(*answers)
    return made


def event(id: str, kind: str = events.RECORD) -> EventDraft:
    return EventDraft(id=id, webhook_id="webhook", event=kind, body=id.encode(), records=int(kind == events.RECORD))


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
    assert here.bell.unit_ids == ["unit"]


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
    assert here.bell.rings == []


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


def test_slow_receiver_keeps_the_lease() -> None:
    here = delivery(PENDING, lease_seconds=0.004)
    here.deliveries.add(event("a"))
    here.units.on_hold = lambda: here.receiver.futures[0].set_result(200)

    here.deliver()

    assert here.units.holds == 1
    assert here.deliveries.delivered == {"a": 200}


def test_sending_is_cancelled_when_the_lease_is_lost_meanwhile() -> None:
    here = delivery(PENDING, lease_seconds=0.004)
    here.deliveries.add(event("a"))
    claim = here.claim(DELIVERY_UNIT)
    here.units.lose(DELIVERY_UNIT)

    outcome = here.delivering().work(claim)

    assert here.receiver.futures[0].cancelled()
    assert here.deliveries.delivered == {}
    assert outcome.may_settle


def test_stopping_daemon_leaves_a_receiver_that_takes_too_long_and_rings() -> None:
    here = delivery(PENDING, lease_seconds=0.004, stop_grace_seconds=0.01)
    here.deliveries.add(event("a"))
    here.is_stopping = True

    here.deliver()

    assert here.receiver.futures[0].cancelled()
    assert [waiting.id for waiting in here.deliveries.waiting] == ["a"]
    assert (here.deliveries.delivered, here.deliveries.dead) == ({}, {})
    assert here.bell.unit_ids == [DELIVERY_UNIT]
    assert here.units.rows[DELIVERY_UNIT].status is UnitStatus.READY


def test_time_out_of_the_sender_itself_is_no_slow_answer() -> None:
    here = delivery(TimeoutError("not a DeliveryError"))
    here.deliveries.add(event("a"))

    with pytest.raises(TimeoutError):
        here.deliver()

    assert here.units.holds == 0


def test_slice_of_a_run_that_is_gone_ends_silently() -> None:
    here = delivery(200)
    here.deliveries.add(event("a"))
    here.runs.rows.clear()

    here.deliver()

    assert here.receiver.sent == []
    assert here.bell.rings == []


def test_stopping_daemon_yields_after_the_event_and_rings() -> None:
    here = delivery(200)
    here.deliveries.add(event("a"), event("b"))
    here.stop_daemon()

    here.deliver()

    assert here.receiver.event_ids == ["a"]
    assert here.units.rows[DELIVERY_UNIT].status is UnitStatus.READY
    assert [(ring.unit_id, ring.queue) for ring in here.bell.rings] == [(DELIVERY_UNIT, "rapid-bridge")]


def test_slice_that_is_over_yields() -> None:
    here = delivery(200, slice_seconds=0.0)
    here.deliveries.add(event("a"), event("b"), created_at=NOON)

    here.deliver()

    assert here.receiver.event_ids == ["a"]
    assert here.bell.unit_ids == [DELIVERY_UNIT]


def test_slice_of_one_event_yields_after_it() -> None:
    here = delivery(200, slice_pages=1)
    here.deliveries.add(event("a"), event("b"))

    here.deliver()

    assert here.receiver.event_ids == ["a"]
    assert here.bell.unit_ids == [DELIVERY_UNIT]


def test_lease_lost_when_the_slice_yields_rings_for_nobody() -> None:
    here = delivery(200)
    here.deliveries.add(event("a"), event("b"))
    here.stop_daemon()
    here.deliveries.after_settle = lambda: here.units.lose(DELIVERY_UNIT)

    here.deliver()

    assert here.bell.rings == []


def test_run_that_is_gone_when_the_slice_yields_rings_for_nobody() -> None:
    here = delivery(200)
    here.deliveries.add(event("a"), event("b"))
    here.stop_daemon()
    here.deliveries.after_settle = here.runs.rows.clear

    here.deliver()

    assert here.deliveries.delivered == {"a": 200}
    assert here.bell.rings == []


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
