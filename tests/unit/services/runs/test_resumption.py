"""An ended run is resumed once, and refused when nothing is left of it."""

import json

import pytest

from app.engine.errors import ConflictError
from app.engine.status import RunStatus, UnitStatus
from app.engine.webhooks import events
from tests.unit.services.service_setting import Setting, setting
from tests.unit.services.service_world import DELIVERY_UNIT

FAILED = {"next": 1, "open": {}, "failed": {"0": None}}


def ended(status: RunStatus = RunStatus.STOPPED, **run_fields: object) -> Setting:
    return setting(run_fields={"status": status, "error": {"code": "http_500"}, **run_fields})


def resume(here: Setting, *, errors_only: bool = False) -> list[int]:
    removed: list[int] = []
    here.resumption(removed.append).resume(here.runs.rows["run"], errors_only=errors_only)
    return removed


@pytest.mark.parametrize("status", [RunStatus.FAILED, RunStatus.STOPPED])
def test_ended_run_is_created_anew_and_announced(status: RunStatus) -> None:
    here = ended(status)

    outbox = resume(here)

    assert here.runs.rows["run"].status is RunStatus.CREATED
    assert here.dispatcher.runs == [("run", "daemon-group.blue")]
    assert outbox == [7]
    assert here.deliveries.waiting == []


def test_announcement_stays_promised_while_the_broker_is_away() -> None:
    here = ended()
    here.dispatcher.is_broken = True

    assert resume(here) == []


@pytest.mark.parametrize("status", [RunStatus.CREATED, RunStatus.RUNNING, RunStatus.RATE_LIMITED])
def test_live_run_stays_as_it_is_and_waits_no_longer(status: RunStatus) -> None:
    here = ended(status)

    resume(here)

    assert here.runs.rows["run"].status is status
    assert (here.moves.reopened, here.dispatcher.runs) == ([], [])
    assert here.waits.ended == ["run"]


def test_run_that_was_resumed_meanwhile_stays_as_it_is() -> None:
    here = ended()
    seen = here.runs.rows["run"]
    resume(here)

    here.resumption(list[int]().append).resume(seen, errors_only=False)

    assert here.moves.reopened == [False]


def test_run_that_was_deleted_meanwhile_is_left_alone() -> None:
    here = ended()
    gone = here.runs.rows.pop("run")

    here.resumption(list[int]().append).resume(gone, errors_only=False)

    assert here.moves.reopened == []


def test_completed_run_is_resumed_only_for_its_errors() -> None:
    here = ended(RunStatus.COMPLETED)
    with pytest.raises(ConflictError, match="nothing to resume"):
        resume(here)
    here.add_unit(frontier=FAILED)

    resume(here, errors_only=True)

    assert here.moves.reopened == [True]


def test_errors_only_needs_an_error() -> None:
    here = ended()

    with pytest.raises(ConflictError, match="without errors_only"):
        resume(here, errors_only=True)

    assert here.runs.rows["run"].status is RunStatus.STOPPED


def test_webhook_hears_that_its_run_goes_on() -> None:
    here = ended(RunStatus.FAILED, webhook_id="webhook", resumes=1)
    here.add_delivery_unit(UnitStatus.IDLE)

    resume(here)

    (event,) = here.deliveries.waiting
    payload = json.loads(event.body)["payload"]
    assert event.event == events.UPDATED
    assert (payload["status"], payload["error"], payload["resumes"]) == ("created", None, 2)
    assert here.dispatcher.unit_ids == [DELIVERY_UNIT]


def test_webhook_that_has_not_heard_of_a_run_is_not_told_that_it_goes_on() -> None:
    here = ended(webhook_id="webhook")
    here.moves.has_begun = False

    resume(here)

    assert here.deliveries.waiting == []
