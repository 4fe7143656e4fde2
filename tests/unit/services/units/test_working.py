"""One slice of any unit: who may work on it, and what becomes of one that breaks."""

import pytest

from app.engine.json_types import JsonObject
from app.engine.record_errors import RateLimitedError, SourceError
from app.engine.runs.work import NOTHING_DONE, EventDraft
from app.engine.status import RunStatus, UnitStatus
from app.engine.webhooks import events
from app.services.ports import FetchedPage
from app.services.units.working import MAX_ATTEMPTS
from tests.unit.services.service_fakes import FakeReceiver, FakeSource, page
from tests.unit.services.service_setting import Setting, setting
from tests.unit.services.service_tables import account, integration
from tests.unit.services.service_world import DELIVERY_UNIT


@pytest.fixture
def here() -> Setting:
    made = setting()
    made.add_unit()
    made.source.script(page({"id": 1}))
    return made


def test_unit_is_claimed_and_fetched(here: Setting) -> None:
    outcome = here.worker().work("unit")

    assert here.pages.record_ids == ["1"]
    assert (outcome.run_id, outcome.may_settle) == ("run", True)


def test_two_workers_never_share_an_owner(here: Setting) -> None:
    here.worker().work("unit")
    first = here.units.rows["unit"].owner
    here.units.rows["unit"].status = UnitStatus.READY
    here.worker().work("unit")

    assert here.units.rows["unit"].owner != first


def test_unit_that_is_taken_is_left_alone(here: Setting) -> None:
    here.claim("unit")

    assert here.worker().work("unit") is NOTHING_DONE
    assert here.source.calls == []


def test_next_free_unit_of_a_resource_is_worked_on(here: Setting) -> None:
    here.worker().work_on_resource("id-of-tickets")

    assert here.pages.record_ids == ["1"]


def test_resource_without_a_free_unit_is_left_alone(here: Setting) -> None:
    here.claim("unit")

    assert here.worker().work_on_resource("id-of-tickets") is NOTHING_DONE


def test_delivery_unit_is_delivered() -> None:
    here = setting(run_fields={"webhook_id": "webhook"})
    here.add_delivery_unit()
    here.deliveries.add(EventDraft(id="a", webhook_id="webhook", event=events.RECORD, body=b""))

    here.worker().work(DELIVERY_UNIT)

    assert here.deliveries.delivered == {"a": 200}


def test_rate_limited_run_goes_on_once_a_unit_of_it_is_worked_on() -> None:
    here = setting(run_fields={"status": RunStatus.RATE_LIMITED})
    here.add_unit()
    here.source.script(page())

    here.worker().work("unit")

    assert here.runs.rows["run"].status is RunStatus.RUNNING


def test_unit_of_an_account_at_rest_sleeps_and_asks_nothing(here: Setting) -> None:
    here.accounts.rows["account"] = account(status="inactive")

    outcome = here.worker().work("unit")

    unit = here.units.rows["unit"]
    assert (here.source.calls, unit.status, unit.wake_seconds, unit.attempts) == ([], UnitStatus.READY, 60, 0)
    assert (outcome.run_id, outcome.may_settle) == ("run", True)
    assert here.runs.rows["run"].status is RunStatus.RUNNING


def test_run_that_can_not_be_carried_out_fails(here: Setting) -> None:
    here.integrations.rows["integration"] = integration(config={})

    outcome = here.worker().work("unit")

    run = here.runs.rows["run"]
    assert run.status is RunStatus.FAILED
    assert run.error is not None
    assert run.error["code"] == "unworkable"
    assert here.units.rows["unit"].status is UnitStatus.CANCELLED
    assert outcome.run_id == "run"


def test_broken_slice_hands_its_unit_back_for_later_each_time(here: Setting) -> None:
    here.pages.before_write = _break
    worker = here.worker()
    pauses = []

    for _ in range(MAX_ATTEMPTS):
        with pytest.raises(ZeroDivisionError):
            worker.work("unit")
        pauses.append(here.units.rows["unit"].wake_seconds)

    assert pauses == [1, 3, 7, 15, 29, 29]
    assert here.units.rows["unit"].attempts == MAX_ATTEMPTS


def test_unit_that_never_got_a_page_done_fails_the_run_after_six_claims(here: Setting) -> None:
    here.units.rows["unit"].attempts = MAX_ATTEMPTS

    here.worker().work("unit")

    run = here.runs.rows["run"]
    assert here.source.calls == []
    assert run.status is RunStatus.FAILED
    assert run.error is not None
    assert run.error["code"] == "lost_worker"
    assert run.error["resource"] == "tickets"
    assert run.error["message"].startswith(
        "a unit of work was taken up 6 times and never got a page done: unit unit of 'tickets' stands at its beginning."
    )
    assert "FERRYMAN_RESPONSE_LIMIT_BYTES (104857600)" in run.error["message"]


def test_lost_unit_of_a_run_whose_account_is_gone_fails_it_all_the_same(here: Setting) -> None:
    here.units.rows["unit"].attempts = MAX_ATTEMPTS
    here.accounts.rows.clear()

    here.worker().work("unit")

    run = here.runs.rows["run"]
    assert run.error is not None
    assert (run.status, run.error["code"], run.error["resource"]) == (RunStatus.FAILED, "lost_worker", None)


def empty_page(number: int) -> FetchedPage:
    return page(cursor={"page": number})


@pytest.mark.parametrize(
    ("frontier", "at"), [({"next": 1, "open": {"0": {"page": 7}}}, '{"page": 7}'), ({}, "its beginning")]
)
def test_unit_that_gets_nothing_for_too_many_slices_fails_the_run_as_stalled(frontier: JsonObject, at: str) -> None:
    here = setting(stalled_slices=3)
    here.add_unit(frontier=frontier)
    here.units.rows["unit"].idle_slices = 3

    here.worker().work("unit")

    run = here.runs.rows["run"]
    assert here.source.calls == []
    assert run.error is not None
    assert (run.status, run.error["code"], run.error["resource"]) == (RunStatus.FAILED, "stalled", "tickets")
    assert run.error["message"] == (
        "3 slices in a row brought no record of 'tickets' and no end of its pages; unit unit stands at " + at
    )


def test_slices_of_empty_pages_are_counted_until_a_record_comes() -> None:
    here = setting(slice_pages=1)
    here.add_unit()
    here.source.script(empty_page(1), empty_page(2), page({"id": 1}, cursor={"page": 3}), empty_page(4), page())
    worker, counts = here.worker(), []

    for _ in range(5):
        worker.work("unit")
        counts.append(here.units.rows["unit"].idle_slices)

    assert counts == [1, 2, 0, 1, 0]
    assert here.units.rows["unit"].status is UnitStatus.DONE


@pytest.mark.parametrize("excuse", ["rate limit", "daemon that goes", "nothing to ask with"])
def test_slice_that_had_no_chance_is_not_counted_as_idle(excuse: str) -> None:
    here = setting(slice_pages=1)
    here.add_unit()
    here.source.script(empty_page(1))
    match excuse:
        case "rate limit":
            here.source = FakeSource().script(RateLimitedError(9))
        case "daemon that goes":
            here.pages.before_write = here.stop_daemon
        case "nothing to ask with":
            here.source.useful = 0

    here.worker().work("unit")

    assert (here.units.rows["unit"].status, here.units.rows["unit"].idle_slices) == (UnitStatus.READY, 0)


def test_failed_request_is_progress(here: Setting) -> None:
    here.source = FakeSource().script(SourceError("http_404", "gone"))
    here.units.rows["unit"].idle_slices = 2

    here.worker().work("unit")

    assert here.units.rows["unit"].idle_slices == 0


def test_written_page_clears_the_count_of_claims(here: Setting) -> None:
    here.units.rows["unit"].attempts = MAX_ATTEMPTS - 1

    here.worker().work("unit")

    assert here.units.rows["unit"].attempts == 0


def test_broken_delivery_keeps_its_event() -> None:
    here = setting(run_fields={"webhook_id": "webhook"})
    here.receiver = FakeReceiver(RuntimeError("unforeseen"))
    here.add_delivery_unit()
    here.deliveries.add(EventDraft(id="a", webhook_id="webhook", event=events.RECORD, body=b""))

    here.worker().work(DELIVERY_UNIT)

    assert [event.id for event in here.deliveries.waiting] == ["a"]
    assert here.units.rows[DELIVERY_UNIT].status is UnitStatus.READY


def _break() -> None:
    raise ZeroDivisionError


def test_event_that_no_daemon_survives_sending_is_given_up_and_the_run_fails_with_the_rest_delivered() -> None:
    made = setting(run_fields={"webhook_id": "webhook"})
    made.add_delivery_unit()
    made.deliveries.add(event("poison"), event("next"))
    made.units.rows[DELIVERY_UNIT].attempts = MAX_ATTEMPTS

    made.worker().work(DELIVERY_UNIT)

    run = made.runs.rows["run"]
    assert run.error is not None
    assert (run.status, run.error["code"]) == (RunStatus.FAILED, "lost_worker")
    assert made.receiver.sent == []
    assert [waiting.id for waiting in made.deliveries.waiting][:1] == ["next"]
    assert made.units.rows[DELIVERY_UNIT].attempts == 0

    made.worker().work(DELIVERY_UNIT)

    assert made.receiver.event_ids[0] == "next"
    assert [waiting.id for waiting in made.deliveries.waiting] == []


def test_delivery_unit_that_is_poison_without_an_event_is_handed_back() -> None:
    made = setting(run_fields={"webhook_id": "webhook", "status": RunStatus.FAILED})
    made.add_delivery_unit()
    made.units.rows[DELIVERY_UNIT].attempts = MAX_ATTEMPTS

    made.worker().work(DELIVERY_UNIT)

    assert made.units.rows[DELIVERY_UNIT].status is UnitStatus.READY


def event(id: str) -> EventDraft:
    return EventDraft(id=id, webhook_id="webhook", event=events.RECORD, body=b"{}", records=1)
