"""The life of a run: begun once, settled when its work is done, failed, stopped."""

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from app.engine.json_types import JsonObject
from app.engine.runs.books import Counters
from app.engine.runs.landing import AwaitedDestination
from app.engine.runs.work import ErrorDraft, EventDraft, UnitKind, Vanished
from app.engine.status import ErrorHandling, ResourceStatus, RunStatus, UnitStatus
from app.engine.webhooks import events
from tests.unit.services.service_moves import resource_state
from tests.unit.services.service_setting import Setting, setting
from tests.unit.services.service_tables import NOON, run
from tests.unit.services.service_world import DELIVERY_UNIT

WEBHOOK = {"webhook_id": "webhook"}
BROKEN_LOOP = {"resource": "users", "loop_on": "args.ids"}
ERROR = ErrorDraft(id="e", resource="tickets", method="list", code="http_500", message="broke", details={}, at=NOON)


def test_run_is_marked_running_with_its_daemon() -> None:
    here = setting(run_fields={"status": RunStatus.CREATED})

    assert here.lifecycle().mark_running("run", daemon_id="d1")
    assert (here.runs.rows["run"].status, here.runs.rows["run"].daemon_id) == (RunStatus.RUNNING, "d1")
    assert not here.lifecycle().mark_running("run", daemon_id="d2")


def test_run_that_waits_for_another_one_is_not_marked_running() -> None:
    here = setting(run_fields={"status": RunStatus.CREATED, "mutex_key": "k", "waiting_on": "other"})

    assert not here.lifecycle().mark_running("run", daemon_id="d1")
    assert here.runs.rows["run"].status is RunStatus.CREATED


@pytest.mark.parametrize("end", ["settle", "fail", "stop"])
def test_whoever_ends_a_run_starts_the_one_that_waited_for_its_mutex(end: str) -> None:
    here = setting(run_fields={"mutex_key": "k"})
    here.runs.add(run(id="next", status=RunStatus.CREATED, mutex_key="k", waiting_on="run"))
    here.moves.resources = [resource_state()]
    lifecycle = here.lifecycle()

    match end:
        case "settle":
            lifecycle.settle("run")
        case "fail":
            lifecycle.fail("run", ERROR)
        case "stop":
            lifecycle.stop("run")

    assert here.runs.rows["run"].status.is_final
    assert here.dispatcher.runs == [("next", "daemon-group.blue")]


def test_end_of_a_run_that_nobody_waits_for_starts_nothing() -> None:
    here = setting(run_fields={"mutex_key": "k"})

    here.lifecycle().stop("run")
    assert not here.lifecycle().stop("run")
    assert not here.lifecycle().stop("no such run")

    assert here.dispatcher.runs == []


def test_resumed_run_lets_its_units_go_when_it_starts() -> None:
    here = setting()
    here.add_unit()
    here.units.rows["unit"].status = UnitStatus.BLOCKED

    assert here.lifecycle().start("run") is None

    assert here.units.rows["unit"].status is UnitStatus.READY
    assert here.dispatcher.unit_ids == ["unit"]


def test_what_vanished_is_not_decided_again_when_a_resumed_run_completes_again() -> None:
    tracked = {"resource": "tickets", "delete_tracking": "soft"}
    here = setting([tracked], run_fields={"completed_at": NOON})
    here.moves.resources = [resource_state()]
    here.moves.vanished = Vanished(held=100, vanished=1)

    here.lifecycle().settle("run")

    assert here.runs.rows["run"].status is RunStatus.COMPLETED
    assert here.moves.deleted == {}


def test_rate_limited_run_is_resumed() -> None:
    here = setting(run_fields={"status": RunStatus.RATE_LIMITED})

    assert here.lifecycle().unpark(here.runs.rows["run"])
    assert here.runs.rows["run"].status is RunStatus.RUNNING
    assert not here.lifecycle().unpark(here.runs.rows["run"])


def test_webhook_is_told_once_that_its_rate_limited_run_goes_on() -> None:
    here = parked_run(webhook_id="webhook", status=RunStatus.RATE_LIMITED)
    here.add_delivery_unit(UnitStatus.IDLE)

    assert here.lifecycle().unpark(here.runs.rows["run"])
    assert not here.lifecycle().unpark(here.runs.rows["run"])

    (event,) = here.deliveries.waiting
    assert (event.event, json.loads(event.body)["payload"]["status"]) == (events.UPDATED, "running")
    assert here.dispatcher.unit_ids == [DELIVERY_UNIT]


def test_settling_tells_the_webhook_of_a_run_that_is_at_work_again() -> None:
    here = setting(run_fields={**WEBHOOK, "status": RunStatus.RATE_LIMITED})
    here.add_delivery_unit(UnitStatus.IDLE)
    here.moves.resources = [resource_state(live_units=2, parked_units=1)]

    here.lifecycle().settle("run")
    here.lifecycle().settle("run")

    assert [event.event for event in here.deliveries.waiting] == [events.UPDATED]
    assert here.dispatcher.unit_ids == [DELIVERY_UNIT]


def parked_run(**run_fields: object) -> Setting:
    here = setting(run_fields=run_fields)
    wakes_at = here.clock.now() + timedelta(seconds=29.5)
    here.moves.resources = [resource_state(live_units=1, parked_units=1, wakes_at=wakes_at)]
    return here


def test_run_whose_units_are_all_parked_is_rate_limited_until_the_first_wakes() -> None:
    here = parked_run()

    here.lifecycle().settle("run")

    run = here.runs.rows["run"]
    assert (run.status, run.retry_after) == (RunStatus.RATE_LIMITED, here.clock.now() + timedelta(seconds=29.5))
    assert here.deliveries.waiting == []


def test_webhook_is_told_once_per_parking() -> None:
    here = parked_run(webhook_id="webhook")
    here.add_delivery_unit(UnitStatus.IDLE)

    here.lifecycle().settle("run")
    here.lifecycle().settle("run")

    (event,) = here.deliveries.waiting
    assert event.event == events.RATE_LIMITED
    assert json.loads(event.body)["payload"] == {
        "id": "run",
        "status": "rate_limited",
        "resource": "tickets",
        "method": "list",
        "retryAfter": 30,
    }
    assert here.dispatcher.unit_ids == [DELIVERY_UNIT]
    here.lifecycle().unpark(here.runs.rows["run"])
    here.lifecycle().settle("run")
    assert [event.event for event in here.deliveries.waiting] == [
        *(events.RATE_LIMITED, events.UPDATED, events.RATE_LIMITED)
    ]


def test_run_that_goes_on_shows_no_retry_after() -> None:
    here = parked_run()
    here.lifecycle().settle("run")

    here.lifecycle().unpark(here.runs.rows["run"])

    assert here.runs.rows["run"].retry_after is None


def test_daemon_run_begins_with_the_units_of_its_roots() -> None:
    loop = {"resource": "users", "loop_on": "args.ids"}
    child = {"resource": "comments", "depends_on": "users"}
    here = setting([loop, child], run_fields={"args": {"ids": [1, 2, 3]}}, children_per_unit=2)

    start = here.lifecycle().start("run")

    assert start is not None
    assert (start.context.run.id, start.context.queue, start.delivery_unit_id) == ("run", "daemon-group.blue", None)
    assert start.context.resource_ids == {"users": "id-of-users", "comments": "id-of-comments"}
    assert [item.name for item in start.context.plan.order] == ["users", "comments"]
    drafts = [unit.draft for unit in here.units.rows.values()]
    assert [draft.elements for draft in drafts] == [[{"loop": 1}, {"loop": 2}], [{"loop": 3}]]
    assert {draft.status for draft in drafts} == {UnitStatus.READY}


def test_webhook_run_begins_blocked_behind_its_created_and_started_events() -> None:
    later = {"started_at": NOON + timedelta(seconds=5), "updated_at": NOON + timedelta(seconds=5), "daemon_id": "d1"}
    here = setting(run_fields={**WEBHOOK, **later})

    start = here.lifecycle().start("run")

    assert start is not None
    assert start.delivery_unit_id is not None
    statuses = {unit.draft.kind: unit.status for unit in here.units.rows.values()}
    assert statuses == {UnitKind.DELIVERY: UnitStatus.READY, UnitKind.FETCH: UnitStatus.BLOCKED}
    created, started = (json.loads(event.body) for event in here.deliveries.waiting)
    assert [body["event"] for body in (created, started)] == [events.CREATED, events.STARTED]
    assert {body["webhook_id"] for body in (created, started)} == {"webhook"}
    assert "sync_job" not in created["payload"]
    facts = ("id", "status", "daemon_id", "started_at", "updated_at")
    assert [created["payload"][name] for name in facts] == ["run", "created", None, None, "2026-03-01T12:00:00.000Z"]
    assert [started["payload"][name] for name in facts[:4]] == ["run", "running", "d1", "2026-03-01T12:00:05.000Z"]
    assert started["payload"]["resource_stats"] == created["payload"]["resource_stats"] != {}


def test_second_beginning_changes_nothing() -> None:
    here = setting(run_fields=WEBHOOK)
    here.lifecycle().start("run")
    units = dict(here.units.rows)

    assert here.lifecycle().start("run") is None
    assert here.units.rows == units
    assert len(here.deliveries.waiting) == 2


def test_beginning_of_an_unworkable_run_fails_it() -> None:
    here = setting()
    here.accounts.rows.clear()

    assert here.lifecycle().start("run") is None

    run = here.runs.rows["run"]
    assert run.status is RunStatus.FAILED
    assert run.error == {
        "code": "unworkable",
        "message": "integrated account 'account' was deleted",
        "resource": None,
        "at": "2026-03-01T12:00:00.000Z",
    }


def test_beginning_of_a_run_that_is_gone_does_nothing() -> None:
    assert setting().lifecycle().start("nowhere") is None


def test_loop_that_names_no_array_is_an_error_of_its_resource_alone() -> None:
    here = setting([BROKEN_LOOP, {"resource": "tickets"}])

    start = here.lifecycle().start("run")

    assert start is not None
    assert [(error.resource, error.code) for error in here.moves.errors] == [("users", "loop_on")]
    assert [unit.draft.resource_id for unit in here.units.rows.values()] == ["id-of-tickets"]
    assert here.runs.rows["run"].status is RunStatus.RUNNING


@pytest.mark.parametrize(("error_handling", "key"), [(ErrorHandling.IGNORE, "error"), (ErrorHandling.BATCH, "errors")])
def test_webhook_hears_of_the_errors_of_a_beginning(error_handling: ErrorHandling, key: str) -> None:
    here = setting([BROKEN_LOOP], run_fields={**WEBHOOK, "error_handling": error_handling})

    here.lifecycle().start("run")

    told = [event.event for event in here.deliveries.waiting]
    assert told == [events.CREATED, events.STARTED, events.RECORD_ERROR]
    payload = json.loads(here.deliveries.waiting[2].body)["payload"]
    assert payload["resource"] == "users"
    assert key in payload


def test_run_that_fails_fast_ends_with_the_first_error_of_its_beginning() -> None:
    here = setting([BROKEN_LOOP, {"resource": "t"}], run_fields={"error_handling": ErrorHandling.FAIL_FAST})

    here.lifecycle().start("run")

    run = here.runs.rows["run"]
    assert run.status is RunStatus.FAILED
    assert run.error is not None
    assert (run.error["code"], run.error["resource"]) == ("loop_on", "users")


def test_settling_completes_a_run_whose_books_balance() -> None:
    here = setting()
    here.moves.resources = [resource_state()]

    here.lifecycle().settle("run")

    assert here.runs.rows["run"].status is RunStatus.COMPLETED
    assert [resource.status for resource in here.moves.resources] == [ResourceStatus.COMPLETED]
    assert here.dispatcher.wake_ups == []


def test_settling_fails_a_run_whose_books_do_not_balance() -> None:
    here = setting()
    here.moves.resources = [resource_state(counters=Counters(fetched=3, created=2))]

    here.lifecycle().settle("run")

    run = here.runs.rows["run"]
    assert run.status is RunStatus.FAILED
    assert run.error is not None
    assert run.error["code"] == "books"
    assert run.error["message"].startswith("tickets: fetched (3) is not")


def test_settling_fails_a_run_that_fails_fast_with_its_first_error() -> None:
    here = setting(run_fields={"error_handling": ErrorHandling.FAIL_FAST})
    here.moves.resources = [resource_state(counters=Counters(errors=1), live_units=1)]
    here.moves.errors = [ERROR]

    here.lifecycle().settle("run")

    assert here.runs.rows["run"].status is RunStatus.FAILED
    assert here.runs.rows["run"].error == {"code": "http_500"}


@pytest.mark.parametrize(
    ("before", "parked", "after"),
    [
        (RunStatus.RUNNING, 0, RunStatus.RUNNING),
        (RunStatus.RUNNING, 1, RunStatus.RUNNING),
        (RunStatus.RUNNING, 2, RunStatus.RATE_LIMITED),
        (RunStatus.RATE_LIMITED, 2, RunStatus.RATE_LIMITED),
        (RunStatus.RATE_LIMITED, 1, RunStatus.RUNNING),
    ],
)
def test_settling_tells_a_parked_run_from_one_at_work(before: RunStatus, parked: int, after: RunStatus) -> None:
    here = setting(run_fields={"status": before})
    here.moves.resources = [resource_state(live_units=2, parked_units=parked)]

    here.lifecycle().settle("run")

    assert here.runs.rows["run"].status is after
    assert here.moves.resources[0].status is ResourceStatus.RUNNING


def test_settling_waits_for_the_webhook() -> None:
    here = setting(run_fields=WEBHOOK)
    here.moves.resources = [resource_state(counters=Counters(fetched=3, queued=3, delivered=3))]
    here.deliveries.add(EventDraft(id="a", webhook_id="webhook", event=events.RECORD, body=b""))

    here.lifecycle().settle("run")

    assert here.runs.rows["run"].status is RunStatus.RUNNING
    assert here.moves.resources[0].status is ResourceStatus.COMPLETED


def test_settling_a_webhook_run_queues_the_completed_event_and_rings() -> None:
    here = setting(run_fields=WEBHOOK)
    here.add_delivery_unit(UnitStatus.IDLE)
    here.moves.resources = [resource_state(counters=Counters(fetched=3, queued=3, delivered=3))]

    here.lifecycle().settle("run")

    (event,) = here.deliveries.waiting
    payload = json.loads(event.body)["payload"]
    assert event.event == events.COMPLETED
    assert (payload["status"], payload["finished_at"]) == ("completed", "2026-03-01T12:00:00.000Z")
    assert [(dispatch.unit_id, dispatch.queue) for dispatch in here.dispatcher.wake_ups] == [
        (DELIVERY_UNIT, "rapid-bridge")
    ]


@pytest.mark.parametrize("status", [RunStatus.CREATED, RunStatus.COMPLETED, RunStatus.FAILED, RunStatus.STOPPED])
def test_settling_leaves_alone_a_run_that_is(status: RunStatus) -> None:
    here = setting(run_fields={"status": status})
    here.moves.resources = [resource_state()]

    here.lifecycle().settle("run")

    assert here.runs.rows["run"].status is status
    assert here.moves.resources[0].status is ResourceStatus.RUNNING


def test_calls_for_a_run_that_is_gone_do_nothing() -> None:
    here = setting()
    lifecycle = here.lifecycle()
    here.runs.rows.clear()

    lifecycle.settle("run")
    lifecycle.fail("run", ERROR)
    lifecycle.record_error("run", ERROR)
    stopped = lifecycle.stop("run")

    assert not stopped
    assert here.moves.errors == []


def test_run_that_vanishes_before_its_lock_is_not_settled(monkeypatch: pytest.MonkeyPatch) -> None:
    here = setting()
    here.moves.resources = [resource_state()]
    monkeypatch.setattr(here.moves, "lock", _after(here.runs.rows.clear, here.moves.lock))

    here.lifecycle().settle("run")

    assert here.moves.resources[0].status is ResourceStatus.RUNNING


def test_failed_webhook_run_still_tells_its_receiver() -> None:
    here = setting(run_fields=WEBHOOK)
    here.add_delivery_unit()

    here.lifecycle().fail("run", ERROR)

    (event,) = here.deliveries.waiting
    payload = json.loads(event.body)["payload"]
    assert event.event == events.FAILED
    assert payload["error"] == {
        "code": "http_500",
        "message": "broke",
        "resource": "tickets",
        "at": "2026-03-01T12:00:00.000Z",
    }
    assert here.dispatcher.unit_ids == [DELIVERY_UNIT]


def test_webhook_run_that_fails_before_it_began_has_nobody_to_ring() -> None:
    here = setting(run_fields={**WEBHOOK, "status": RunStatus.CREATED})

    here.lifecycle().fail("run", ERROR)

    assert here.runs.rows["run"].status is RunStatus.FAILED
    assert here.dispatcher.wake_ups == []


def test_run_fails_once() -> None:
    here = setting(run_fields=WEBHOOK)
    here.add_delivery_unit()

    here.lifecycle().fail("run", ERROR)
    here.lifecycle().fail("run", ERROR)

    assert len(here.deliveries.waiting) == 1


@pytest.mark.parametrize("run_fields", [{}, WEBHOOK, {**WEBHOOK, "events_to_send": []}], ids=["daemon", "own", "mute"])
@pytest.mark.parametrize("kind", [events.COMPLETED, events.FAILED])
def test_webhooks_that_named_the_event_are_told_of_the_end_of_any_run(run_fields: JsonObject, kind: str) -> None:
    here = setting(run_fields=run_fields)
    here.add_delivery_unit(UnitStatus.IDLE)
    here.moves.watchers = ["watcher"]
    here.moves.resources = [resource_state(counters=Counters())]

    if kind == events.FAILED:
        here.lifecycle().fail("run", ERROR)
    else:
        here.lifecycle().settle("run")

    (told,) = here.moves.announced
    payload = json.loads(told.body)["payload"]
    assert (told.webhook_id, told.event) == ("watcher", kind)
    assert (payload["id"], payload["status"]) == ("run", kind.removeprefix("sync_job_run:"))
    assert [event.event for event in here.deliveries.waiting] == ([kind] if run_fields == WEBHOOK else [])


def test_nobody_is_told_that_a_run_was_stopped() -> None:
    here = setting(run_fields=WEBHOOK)
    here.moves.watchers = ["watcher"]

    here.lifecycle().stop("run")

    assert (here.moves.announced, here.deliveries.waiting) == ([], [])


def test_recorded_error_does_not_end_the_run() -> None:
    here = setting()

    here.lifecycle().record_error("run", ERROR)

    assert here.moves.errors == [ERROR]
    assert here.runs.rows["run"].status is RunStatus.RUNNING


@pytest.mark.parametrize(
    ("is_start", "has_begun", "before", "after"),
    [
        (True, False, RunStatus.RUNNING, RunStatus.FAILED),
        (True, True, RunStatus.RUNNING, RunStatus.RUNNING),
        (True, False, RunStatus.CREATED, RunStatus.CREATED),
        (True, True, RunStatus.COMPLETED, RunStatus.COMPLETED),
        (False, True, RunStatus.RUNNING, RunStatus.RUNNING),
    ],
)
def test_broken_task_is_noted_without_its_text_and_ends_a_run_that_can_not_begin(
    is_start: bool, has_begun: bool, before: RunStatus, after: RunStatus
) -> None:
    here = setting(run_fields={"status": before})
    here.moves.has_begun = has_begun

    here.lifecycle().record_broken_task("run", "KeyError", is_start=is_start)

    run = here.runs.rows["run"]
    noted = run.error["message"] if run.error else here.moves.errors[0].message
    assert run.status is after
    assert noted == "a task broke with KeyError; the daemon's log has the trace"


def test_broken_task_of_a_run_that_is_gone_is_not_noted() -> None:
    here = setting()

    here.lifecycle().record_broken_task("another", "KeyError", is_start=True)

    assert here.moves.errors == []


@pytest.mark.parametrize(
    ("before", "after"),
    [(RunStatus.CREATED, RunStatus.STOPPED), (RunStatus.RUNNING, RunStatus.RUNNING)],
)
def test_operator_who_revokes_a_start_stops_a_run_that_waits(before: RunStatus, after: RunStatus) -> None:
    here = setting(run_fields={"status": before})

    assert here.lifecycle().stop_created("run") is (before is RunStatus.CREATED)
    assert not here.lifecycle().stop_created("another")
    assert here.runs.rows["run"].status is after


def test_user_stops_a_run() -> None:
    here = setting()
    here.add_unit()

    assert here.lifecycle().stop("run")
    assert here.runs.rows["run"].status is RunStatus.STOPPED
    assert here.units.rows["unit"].status is UnitStatus.CANCELLED


def _after(first, then):  # type: ignore[no-untyped-def]  # any two functions, the second one with a run's id
    def both(run_id: str):  # type: ignore[no-untyped-def]
        first()
        return then(run_id)

    return both


TRACKED = {"resource": "tickets", "method": "list", "persist": True, "delete_tracking": "soft"}


def test_completing_deletes_what_a_tracked_pass_did_not_see() -> None:
    here = setting([TRACKED])
    here.moves.resources = [resource_state()]
    here.moves.vanished = Vanished(held=100, vanished=20)

    here.lifecycle().settle("run")

    assert here.runs.rows["run"].status is RunStatus.COMPLETED
    assert here.moves.deleted == {"tickets": 20}


@pytest.mark.parametrize(
    ("error_handling", "status"),
    [(ErrorHandling.IGNORE, RunStatus.COMPLETED), (ErrorHandling.FAIL_FAST, RunStatus.FAILED)],
)
def test_completing_refuses_to_delete_too_much(error_handling: ErrorHandling, status: RunStatus) -> None:
    here = setting([TRACKED], run_fields={"error_handling": error_handling})
    here.moves.resources = [resource_state()]
    here.moves.vanished = Vanished(held=100, vanished=21)

    here.lifecycle().settle("run")

    assert here.runs.rows["run"].status is status
    assert here.moves.deleted == {}
    assert [error.code for error in here.moves.errors] == ["delete_guard"]
    assert "21 of 100" in here.moves.errors[0].message


def test_run_that_has_not_begun_is_not_settled_though_nothing_of_it_is_left() -> None:
    here = setting()
    here.moves.has_begun = False

    here.lifecycle().settle("run")

    assert here.runs.rows["run"].status is RunStatus.RUNNING


def test_stuck_run_whose_units_wait_for_nothing_goes_on() -> None:
    here = setting()
    here.add_unit()
    here.units.rows["unit"].status = UnitStatus.BLOCKED
    here.moves.resources = [resource_state(live_units=1)]

    assert here.lifecycle().rescue("run")

    assert here.runs.rows["run"].status is RunStatus.RUNNING
    assert here.dispatcher.unit_ids == ["unit"]


def test_stuck_run_of_which_nothing_can_be_freed_ends_and_tells_what_was_tried() -> None:
    here = setting(run_fields={"mutex_key": "k"}, stuck_seconds=7.0)
    here.runs.add(run(id="next", status=RunStatus.CREATED, mutex_key="k", waiting_on="run"))
    here.moves.has_begun = False
    here.moves.left = "units: none at all; events that wait: 0"

    assert not here.lifecycle().rescue("run")
    here.lifecycle().fail_stuck("run", attempts=4)

    ended = here.runs.rows["run"]
    assert ended.error is not None
    assert (ended.status, ended.error["code"]) == (RunStatus.FAILED, "stuck")
    assert ended.error["message"] == (
        "nobody could work on the run for 7 s or more; 4 attempts to start, settle and free it have failed "
        "(units: none at all; events that wait: 0)"
    )
    assert here.dispatcher.runs == [("next", "daemon-group.blue")]


@pytest.mark.parametrize("status", [RunStatus.CREATED, RunStatus.STOPPED])
def test_run_that_is_not_under_way_is_not_stuck(status: RunStatus) -> None:
    here = setting(run_fields={"status": status})
    here.moves.left = "units: none at all"

    assert here.lifecycle().rescue("run")
    here.lifecycle().fail_stuck("run", attempts=4)

    assert here.runs.rows["run"].status is status


def test_run_that_was_deleted_is_not_stuck() -> None:
    here = setting()

    assert here.lifecycle().rescue("no such run")
    here.lifecycle().fail_stuck("no such run", attempts=4)


def test_run_that_somebody_can_work_on_after_all_goes_on() -> None:
    here = setting()

    here.lifecycle().fail_stuck("run", attempts=4)

    assert here.runs.rows["run"].status is RunStatus.RUNNING


CHANGES = {**WEBHOOK, "changes_only": True}


def vanishing(**run_fields: object) -> Setting:
    here = setting([TRACKED], run_fields=run_fields)
    here.add_delivery_unit()
    here.moves.resources = [resource_state(counters=Counters())]
    here.moves.vanished = Vanished(held=100, vanished=2)
    return here


def test_webhook_run_completes_once_what_vanished_is_told() -> None:
    here = vanishing(**CHANGES)

    here.lifecycle().settle("run")

    (event,) = here.deliveries.waiting
    payload = json.loads(event.body)["payload"]
    assert (payload["meta"], payload["records"]) == ({"change": "deleted"}, [{"id": "gone-0"}, {"id": "gone-1"}])
    assert here.runs.rows["run"].status is RunStatus.RUNNING
    assert here.dispatcher.unit_ids == [DELIVERY_UNIT]

    here.deliveries.waiting.clear()
    here.lifecycle().settle("run")
    assert here.runs.rows["run"].status is RunStatus.COMPLETED
    assert [event.event for event in here.deliveries.waiting] == [events.COMPLETED]


@pytest.mark.parametrize("run_fields", [WEBHOOK, {**CHANGES, "events_to_send": [events.COMPLETED]}])
def test_webhook_that_is_told_of_no_changes_is_not_told_what_vanished(run_fields: JsonObject) -> None:
    here = vanishing(**run_fields)

    here.lifecycle().settle("run")

    assert here.runs.rows["run"].status is RunStatus.COMPLETED
    assert here.moves.deleted == {}


@pytest.mark.parametrize("chosen", [[events.CREATED], [events.CREATED, events.STARTED]])
def test_run_begins_with_those_events_that_were_chosen(chosen: list[str]) -> None:
    here = setting(run_fields={**WEBHOOK, "events_to_send": chosen})

    start = here.lifecycle().start("run")

    assert start is not None
    assert [event.event for event in here.deliveries.waiting] == chosen
    fetching = [unit.status for unit in here.units.rows.values() if unit.draft.kind is UnitKind.FETCH]
    assert fetching == [UnitStatus.BLOCKED if events.STARTED in chosen else UnitStatus.READY]


@pytest.mark.parametrize("chosen", [[], [events.RECORD]])
def test_end_that_its_webhook_does_not_hear_of_is_an_end(chosen: list[str]) -> None:
    here = setting(run_fields={**WEBHOOK, "events_to_send": chosen})
    here.add_delivery_unit()

    here.lifecycle().fail("run", ERROR)

    assert here.runs.rows["run"].status is RunStatus.FAILED
    assert here.deliveries.waiting == []


def test_run_whose_receiver_is_not_asked_begins_at_once() -> None:
    here = setting(run_fields={**WEBHOOK, "events_to_send": [events.RECORD]})

    start = here.lifecycle().start("run")

    assert start is not None
    assert start.delivery_unit_id is None
    assert sorted(unit.status for unit in here.units.rows.values()) == [UnitStatus.IDLE, UnitStatus.READY]


def test_errors_of_a_beginning_are_sent_though_the_receiver_is_not_asked() -> None:
    chosen = [events.RECORD_ERROR]
    here = setting([BROKEN_LOOP, {"resource": "tickets"}], run_fields={**WEBHOOK, "events_to_send": chosen})

    here.lifecycle().start("run")

    assert [event.event for event in here.deliveries.waiting] == chosen
    assert here.units.rows[here.dispatcher.unit_ids[0]].draft.kind is UnitKind.DELIVERY


TREE = [resource_state("users"), resource_state("notes", parent_name="users"), resource_state("logs")]


def held(counters: Counters, unread: list[str], **run_fields: object) -> frozenset[str] | None:
    here = setting(run_fields=run_fields)
    here.moves.resources = [TREE[0], replace(TREE[1], counters=counters), TREE[2]]
    here.moves.unread = unread

    here.lifecycle().settle("run")

    assert here.runs.rows["run"].status is RunStatus.COMPLETED
    return here.moves.held


def test_a_run_that_completes_holds_the_increments_of_what_it_has_not_read() -> None:
    assert held(Counters(errors=1), ["notes"]) == {"users", "notes"}
    assert held(Counters(skipped=1), ["notes"]) == {"users", "notes"}


def test_nobody_looks_for_unread_pages_of_a_run_without_errors() -> None:
    assert held(Counters(errors=1, retried=1), ["notes"]) is None


def test_a_resumed_run_that_completes_again_decides_anew() -> None:
    assert held(Counters(errors=1, retried=1), [], completed_at=NOON) == frozenset()


def test_run_that_a_duty_can_not_handle_is_told_of_at_the_run() -> None:
    here = setting()

    here.lifecycle().record_unhandled("run", "it broke with ValueError")
    here.lifecycle().record_unhandled("gone", "it broke with ValueError")

    assert [(error.code, "it broke with ValueError" in error.message) for error in here.moves.errors] == [
        ("unhandled", True)
    ]


def test_run_that_can_not_be_read_is_ended_all_the_same() -> None:
    here = setting()

    here.lifecycle().fail_unreadable("run", kind="ValueError")

    ended = here.runs.rows["run"]
    assert (ended.status, (ended.error or {})["code"]) == (RunStatus.FAILED, "unreadable")


def _awaited(**changes: Any) -> AwaitedDestination:
    facts = {"id": "d", "label": "lake", "cursor": 3, "through": 9, "is_paused": False, "last_error": None}
    return AwaitedDestination(**{**facts, **changes})


def test_a_run_waits_until_its_destinations_have_passed_it() -> None:
    here = setting(run_fields={"wait_for_destinations": True})
    here.moves.resources = [resource_state()]
    here.moves.awaited = [_awaited()]
    here.lifecycle().settle("run")
    before = here.runs.rows["run"]

    here.moves.awaited = [_awaited(cursor=9)]
    here.lifecycle().settle("run")

    assert (before.status, before.landing_since) == (RunStatus.RUNNING, NOON)
    assert (here.runs.rows["run"].status, here.moves.landed) == (RunStatus.COMPLETED, ["d"])


@pytest.mark.parametrize(("limit", "status"), [(60.0, RunStatus.FAILED), (0.0, RunStatus.RUNNING)])
def test_a_run_that_has_waited_too_long_for_destinations_fails_and_names_them(limit: float, status: RunStatus) -> None:
    run_fields = {"wait_for_destinations": True, "landing_since": NOON - timedelta(seconds=61)}
    here = setting(run_fields=run_fields, destination_wait_seconds=limit)
    here.moves.resources = [resource_state()]
    here.moves.awaited = [_awaited(is_paused=True), _awaited(id="e", label=None, last_error="gone")]

    here.lifecycle().settle("run")

    run = here.runs.rows["run"]
    assert run.status is status
    if run.error is not None:
        assert run.error["code"] == "destinations_behind"
        assert "destination d ('lake'), which has to read 6 more numbers" in run.error["message"]
        assert "and is paused; destination e, which has to read 6 more" in run.error["message"]
        assert "and fails: gone" in run.error["message"]


def test_what_vanished_is_decided_before_a_run_waits_and_not_again_after() -> None:
    tracked = {"resource": "tickets", "delete_tracking": "soft"}
    here = setting([tracked], run_fields={"wait_for_destinations": True})
    here.moves.resources = [resource_state()]
    here.moves.vanished = Vanished(held=100, vanished=1)
    here.moves.awaited = [_awaited()]
    here.lifecycle().settle("run")
    first, here.moves.deleted = here.moves.deleted, {}

    here.moves.awaited = []
    here.lifecycle().settle("run")

    assert (first, here.moves.deleted) == ({"tickets": 1}, {})
    assert here.runs.rows["run"].status is RunStatus.COMPLETED
