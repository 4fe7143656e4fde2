"""Cron triggers by fakes: what a due time leads to when the run can not be made, or the broker is away or there."""

import json
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from service_setting import setting

from app.engine.errors import Failure, InvalidInputError, StoreUnavailableError
from app.engine.json_types import JsonObject
from app.engine.objects import EnvironmentId
from app.engine.triggers import BEGUN, CronTrigger, DueTrigger
from app.services.firing import Announcement, Firing, FiringThread
from app.services.run_drafts import RunDraft
from app.services.run_requests import RunRequest
from app.services.triggers import request_of

NOW = datetime(2026, 5, 1, 10, 0, 30, tzinfo=UTC)


def trigger(**changes: Any) -> CronTrigger:
    fields = {"cron_expression": "* * * * *", "enabled": True, **changes}
    return CronTrigger(
        id="trigger",
        environment_id=EnvironmentId("e"),
        sync_job_id="job",
        integrated_account_id="account",
        created_at=NOW,
        updated_at=NOW,
        **fields,
    )


@dataclass
class FakeTriggers:
    """One due trigger, and what became of it."""

    due_trigger: CronTrigger
    due_at: datetime = NOW - timedelta(seconds=30)
    is_due: bool = True
    next_run_at: datetime | None = None
    put_off_until: datetime | None = None
    error: str | None = None
    announced: list[JsonObject] = field(default_factory=list)

    def due(self, *, limit: int) -> Sequence[DueTrigger]:
        return [DueTrigger(trigger=self.due_trigger, due_at=self.due_at, stands_at=self.due_at, now=NOW)]

    def begin(self, due: DueTrigger, *, until: datetime | None) -> DueTrigger | None:
        self.put_off_until = until
        return replace(due, stands_at=until or NOW + timedelta(minutes=1)) if self.is_due else None

    def fire(self, due: DueTrigger, draft: RunDraft, *, next_run_at: datetime) -> int | None:
        self.next_run_at = next_run_at
        return 7 if self.is_due else None

    def fail(self, due: DueTrigger, error: str, *, next_run_at: datetime | None, announce: Announcement) -> None:
        self.error, self.next_run_at = error, next_run_at
        self.announced = [json.loads(event.body) for event in announce(["w1", "w2"])]


@dataclass
class FakeDrafts:
    """Makes drafts of any request, or finds a fault in each."""

    fault: str | None = None
    breaks_by: Exception | None = None
    requests: list[RunRequest] = field(default_factory=list)

    def draft(
        self, environment_id: EnvironmentId, request: RunRequest, *, idempotency: None, faults: Sequence[Failure]
    ) -> RunDraft:
        self.requests.append(request)
        if self.breaks_by:
            raise self.breaks_by
        if self.fault:
            raise InvalidInputError([Failure("args", self.fault)])
        return _draft(request)


def _draft(request: RunRequest) -> RunDraft:
    return RunDraft(
        id="run",
        environment_id=EnvironmentId("e"),
        request=request,
        args={},
        args_hash=b"",
        sync_job={},
        resources=[],
        items=[],
        version=3,
        group_key="default",
        queue="queue",
        overlap_seconds=0,
        mutex_key=None,
        idempotency=None,
    )


@dataclass
class FakeOutbox:
    """Promised messages that were published."""

    removed: list[int] = field(default_factory=list)

    def remove_soon(self, message_id: int) -> None:
        self.removed.append(message_id)


def fire(triggers: FakeTriggers, drafts: FakeDrafts, outbox: FakeOutbox) -> list[tuple[str, str]]:
    here = setting()
    Firing(triggers=triggers, drafts=drafts, outbox=outbox, bell=here.bell).fire_due()
    return here.bell.runs


def test_due_trigger_makes_a_run_and_is_next_due_after_now() -> None:
    triggers, drafts, outbox = FakeTriggers(trigger(args={"a": 1}, webhook_id="w")), FakeDrafts(), FakeOutbox()

    rung = fire(triggers, drafts, outbox)

    assert rung == [("run", "queue")]
    assert outbox.removed == [7]
    assert triggers.next_run_at == datetime(2026, 5, 1, 10, 1, tzinfo=UTC)
    assert (drafts.requests[0].args, drafts.requests[0].webhook_id) == ({"a": 1}, "w")


def test_due_time_that_another_leader_took_rings_for_nobody() -> None:
    outbox = FakeOutbox()

    assert fire(FakeTriggers(trigger(), is_due=False), FakeDrafts(), outbox) == []
    assert outbox.removed == []


def test_due_time_in_the_future_of_the_clock_is_not_due_twice() -> None:
    triggers = FakeTriggers(trigger(), due_at=NOW + timedelta(seconds=90))

    fire(triggers, FakeDrafts(), FakeOutbox())

    assert triggers.next_run_at == datetime(2026, 5, 1, 10, 3, tzinfo=UTC)


@pytest.mark.parametrize(
    ("zone", "fault", "has_next"), [("UTC", "is wrong", True), ("Gone/Zone", None, False)], ids=["run", "zone"]
)
def test_trigger_without_a_run_tells_why(zone: str, fault: str | None, has_next: bool) -> None:
    triggers = FakeTriggers(trigger(timezone=zone))

    assert fire(triggers, FakeDrafts(fault), FakeOutbox()) == []

    assert triggers.error
    assert [event["webhook_id"] for event in triggers.announced] == ["w1", "w2"]
    assert {event["event"] for event in triggers.announced} == {"sync_job_cron_trigger:failed"}
    assert triggers.announced[0]["payload"]["error"] == triggers.error
    assert (triggers.next_run_at is not None) == has_next


def test_trigger_without_error_handling_ignores_errors() -> None:
    assert request_of(trigger()).error_handling == "ignore"
    assert request_of(trigger(error_handling="batch")).error_handling == "batch"


@pytest.mark.parametrize("error", [RecursionError("deep"), MemoryError()], ids=repr)
def test_trigger_that_breaks_its_check_is_told_of_and_has_its_next_time(error: Exception) -> None:
    triggers = FakeTriggers(trigger())

    assert fire(triggers, FakeDrafts(breaks_by=error), FakeOutbox()) == []

    assert triggers.error == f"could not be checked ({type(error).__name__})"
    assert triggers.next_run_at == datetime(2026, 5, 1, 10, 1, tzinfo=UTC)


def test_trigger_is_left_for_later_while_postgres_is_away() -> None:
    triggers = FakeTriggers(trigger())

    with pytest.raises(StoreUnavailableError):
        fire(triggers, FakeDrafts(breaks_by=StoreUnavailableError()), FakeOutbox())

    assert triggers.error is None


@pytest.mark.parametrize(
    ("last_run", "until"),
    [(None, None), ({"error": None}, None), ({"error": BEGUN}, datetime(2026, 5, 1, 10, 1, tzinfo=UTC))],
    ids=["first-try", "after-a-run", "second-try"],
)
def test_due_time_is_put_off_before_it_is_looked_at(last_run: JsonObject | None, until: datetime | None) -> None:
    triggers = FakeTriggers(trigger(last_run=last_run))

    fire(triggers, FakeDrafts("is wrong"), FakeOutbox())

    assert triggers.put_off_until == until


def test_sweep_does_not_wait_for_triggers_that_are_checked() -> None:
    is_free, calls = threading.Event(), list[int]()

    def fire_slowly() -> None:
        calls.append(1)
        is_free.wait()
        raise StoreUnavailableError

    aside = FiringThread(fire_slowly)
    aside.join()
    aside.fire_due()
    aside.fire_due()
    is_free.set()
    aside.join()
    aside.fire_due()
    aside.join()

    assert len(calls) == 2
