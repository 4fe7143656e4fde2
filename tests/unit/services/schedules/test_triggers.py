"""Cron triggers by fakes: what a due time leads to when the run can not be made, or the broker is away or there."""

import itertools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from app.engine.errors import Failure, InvalidInputError, StoreUnavailableError
from app.engine.json_types import JsonObject
from app.engine.objects.environments import EnvironmentId
from app.engine.objects.triggers import BEGUN, CronTrigger, DueTrigger, read_begun_time
from app.services.ports import Announcement
from app.services.runs.drafts import RunDrafts
from app.services.runs.requests import CachedJob, IdempotencyKey, RunDraft, RunRequest
from app.services.schedules.ports import ReadyOccurrence
from app.services.schedules.scheduler import LATEST_SECONDS, CronScheduler
from app.services.schedules.triggers import request_of
from tests.unit.services.service_setting import setting
from tests.unit.services.service_tables import sync_job

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
    """One trigger, and what became of its due time."""

    due_trigger: CronTrigger
    due_at: datetime = NOW - timedelta(seconds=30)
    is_due: bool = True
    """Whether no other leader is faster than this one."""
    next_times: list[datetime | None] = field(default_factory=list)
    """When it was next due after each outcome."""
    put_off_until: datetime | None = None
    error: str | None = None
    announced: list[JsonObject] = field(default_factory=list)
    job_version: str = "1"

    breaks_by: Exception | None = None
    """What writing its run breaks by."""
    fired_together: int = 0

    def __post_init__(self) -> None:
        self.stands_at: datetime | None = self.due_at

    @property
    def next_run_at(self) -> datetime | None:
        return self.next_times[-1]

    def find_due(self, *, limit: int, skipped: Sequence[str]) -> Sequence[DueTrigger]:
        key = f"{self.due_trigger.id} {self.due_trigger.updated_at}"
        # What is due by its own clock may be due a little later by another one.
        if self.stands_at is None or self.stands_at > max(NOW, self.due_at) or key in skipped:
            return []
        begun_at = read_begun_time(self.due_trigger.last_run)
        due_at, stands_at = begun_at or self.stands_at, self.stands_at
        return [DueTrigger(trigger=self.due_trigger, due_at=due_at, stands_at=stands_at, now=NOW, attempt_key=key)][
            :limit
        ]

    def begin(self, due: DueTrigger, *, until: datetime | None) -> DueTrigger | None:
        if not self._take(due, until or max(NOW, self.due_at) + timedelta(minutes=1)):
            return None
        self.put_off_until = until
        return replace(due, stands_at=self.stands_at)  # type: ignore[arg-type]  # it was just set

    def begin_all(self, found: Sequence[DueTrigger]) -> Sequence[DueTrigger]:
        return [begun for due in found if (begun := self.begin(due, until=None))]

    def fire(self, due: DueTrigger, draft: RunDraft, *, next_run_at: datetime) -> int | None:
        if self.breaks_by:
            raise self.breaks_by
        if not self._take(due, next_run_at):
            return None
        self.next_times.append(next_run_at)
        return 7

    def run_due(self, ready: Sequence[ReadyOccurrence]) -> Mapping[str, int] | None:
        if self.breaks_by:
            raise self.breaks_by
        written = [one for one in ready if one.draft.supposes is None or one.draft.supposes.version == self.job_version]
        if not all(self._take(one.due, one.next_run_at) for one in written):
            return None
        self.fired_together += len(written)
        self.next_times += [one.next_run_at for one in written]
        return {one.due.trigger.id: 7 for one in written}

    def fail(self, due: DueTrigger, error: str, *, next_run_at: datetime | None, announce: Announcement) -> None:
        if self._take(due, next_run_at):
            self.error = error
            self.next_times.append(next_run_at)
            self.announced = [json.loads(event.body) for event in announce(["w1", "w2"])]

    def _take(self, due: DueTrigger, next_run_at: datetime | None) -> bool:
        """Move the due time on if it is still the one that was found; whether it was."""
        if not self.is_due:
            self.stands_at = None
        if due.trigger.updated_at != self.due_trigger.updated_at or due.stands_at != self.stands_at:
            return False
        self.stands_at = next_run_at
        return True


@dataclass
class FakeDrafts(RunDrafts):
    """Makes drafts of any request, or finds a fault in each."""

    fault: str | None = None
    breaks_by: Exception | None = None
    unread: RunDraft | None = None
    """What is made of what is known already."""
    requests: list[RunRequest] = field(default_factory=list)

    def draft(
        self,
        environment_id: EnvironmentId,
        request: RunRequest,
        *,
        idempotency: IdempotencyKey | None,
        faults: Sequence[Failure],
    ) -> RunDraft:
        self.requests.append(request)
        if self.breaks_by:
            raise self.breaks_by
        if self.fault:
            raise InvalidInputError([Failure("args", self.fault)])
        return _draft(request)

    def draft_unread(self, environment_id: EnvironmentId, request: RunRequest) -> RunDraft | None:
        return self.unread


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


def fire(triggers: FakeTriggers, drafts: FakeDrafts, outbox: list[int]) -> list[tuple[str, str]]:
    here = setting()
    scheduler = CronScheduler(
        triggers=triggers,
        drafts=drafts,
        remove_message=outbox.append,
        dispatcher=here.dispatcher,
        monotonic=lambda: 0.0,
    )
    assert not scheduler.run_due_now()
    return here.dispatcher.runs


def test_due_trigger_makes_a_run_and_is_next_due_after_now() -> None:
    triggers, drafts, outbox = FakeTriggers(trigger(args={"a": 1}, webhook_id="w")), FakeDrafts(), []

    rung = fire(triggers, drafts, outbox)

    assert rung == [("run", "queue")]
    assert outbox == [7]
    assert triggers.next_run_at == datetime(2026, 5, 1, 10, 1, tzinfo=UTC)
    assert (drafts.requests[0].args, drafts.requests[0].webhook_id) == ({"a": 1}, "w")


def test_due_time_that_another_leader_took_rings_for_nobody() -> None:
    outbox = []

    assert fire(FakeTriggers(trigger(), is_due=False), FakeDrafts(), outbox) == []
    assert outbox == []


def test_due_time_in_the_future_of_the_clock_is_not_due_twice() -> None:
    triggers = FakeTriggers(trigger(), due_at=NOW + timedelta(seconds=90))

    fire(triggers, FakeDrafts(), [])

    assert triggers.next_run_at == datetime(2026, 5, 1, 10, 3, tzinfo=UTC)


@pytest.mark.parametrize(
    ("zone", "fault", "has_next"), [("UTC", "is wrong", True), ("Gone/Zone", None, False)], ids=["run", "zone"]
)
def test_trigger_without_a_run_tells_why(zone: str, fault: str | None, has_next: bool) -> None:
    triggers = FakeTriggers(trigger(timezone=zone))

    assert fire(triggers, FakeDrafts(fault), []) == []

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

    assert fire(triggers, FakeDrafts(breaks_by=error), []) == []

    assert triggers.error == f"it broke with {type(error).__name__}"
    assert triggers.next_run_at == datetime(2026, 5, 1, 10, 1, tzinfo=UTC)


def test_trigger_is_left_for_later_while_postgres_is_away() -> None:
    triggers = FakeTriggers(trigger())

    with pytest.raises(StoreUnavailableError):
        fire(triggers, FakeDrafts(breaks_by=StoreUnavailableError()), [])

    assert triggers.error is None


@pytest.mark.parametrize(
    ("last_run", "until"),
    [(None, None), ({"error": None}, None), ({"error": BEGUN}, datetime(2026, 5, 1, 10, 1, tzinfo=UTC))],
    ids=["first-try", "after-a-run", "second-try"],
)
def test_due_time_is_put_off_before_it_is_looked_at(last_run: JsonObject | None, until: datetime | None) -> None:
    triggers = FakeTriggers(trigger(last_run=last_run))

    fire(triggers, FakeDrafts("is wrong"), [])

    assert triggers.put_off_until == until


@pytest.mark.parametrize("begun", [None, {"error": BEGUN}], ids=["first-try", "second-try"])
def test_trigger_whose_run_can_not_be_written_is_told_of_and_has_its_next_time(begun: JsonObject | None) -> None:
    triggers = FakeTriggers(trigger(last_run=begun), breaks_by=ValueError("hunter2"))

    assert fire(triggers, FakeDrafts(), []) == []

    assert triggers.error == "it broke with ValueError"
    assert triggers.next_run_at == datetime(2026, 5, 1, 10, 1, tzinfo=UTC)


@pytest.mark.parametrize(("changed_after", "is_tried"), [(timedelta(0), False), (timedelta(1), True)], ids=str)
def test_trigger_that_failed_is_skipped_until_its_owner_changes_something(
    changed_after: timedelta, is_tried: bool
) -> None:
    triggers, outbox, here = FakeTriggers(trigger(), breaks_by=ValueError()), [], setting()
    scheduler = CronScheduler(
        triggers=triggers,
        drafts=FakeDrafts(),
        remove_message=outbox.append,
        dispatcher=here.dispatcher,
        monotonic=lambda: 0.0,
    )
    scheduler.run_due_now()

    triggers.breaks_by, triggers.stands_at = None, triggers.due_at
    triggers.due_trigger = replace(triggers.due_trigger, updated_at=NOW + changed_after)
    scheduler.run_due_now()

    assert bool(outbox) is is_tried


@pytest.mark.parametrize("breaks_in", ["draft", "fire"])
def test_triggers_wait_while_postgres_is_away(breaks_in: str) -> None:
    is_draft = breaks_in == "draft"
    triggers = FakeTriggers(trigger(), breaks_by=None if is_draft else StoreUnavailableError())
    drafts = FakeDrafts(breaks_by=StoreUnavailableError() if is_draft else None)

    with pytest.raises(StoreUnavailableError):
        fire(triggers, drafts, [])

    assert triggers.error is None


def test_trigger_of_which_not_all_is_as_supposed_is_looked_at_alone() -> None:
    known = CachedJob(job=sync_job(), version="0", items=[])
    unread = replace(_draft(request_of(trigger())), id="supposed", supposes=known)
    triggers, outbox = FakeTriggers(trigger()), []

    assert fire(triggers, FakeDrafts(unread=unread), outbox) == [("run", "queue")]

    assert (outbox, triggers.fired_together) == ([7], 0)


def test_second_try_of_a_trigger_without_a_next_time_tells_so() -> None:
    triggers = FakeTriggers(trigger(timezone="Gone/Zone", last_run={"error": BEGUN}))

    fire(triggers, FakeDrafts(), [])

    assert (triggers.put_off_until, triggers.next_run_at) == (None, None)
    assert "Gone/Zone" in str(triggers.error)


def test_second_try_that_another_leader_was_first_with_makes_no_run() -> None:
    triggers = FakeTriggers(trigger(last_run={"error": BEGUN}), is_due=False)

    assert fire(triggers, FakeDrafts(), []) == []

    assert triggers.error is None


@pytest.mark.parametrize(
    ("late_seconds", "next_minute"),
    [(150, -1), (LATEST_SECONDS, -4), (LATEST_SECONDS + 60, 1)],
    ids=["late", "latest", "missed"],
)
def test_late_due_time_leaves_the_next_one_to_make_a_run_too(late_seconds: float, next_minute: int) -> None:
    triggers = FakeTriggers(trigger(), due_at=NOW - timedelta(seconds=late_seconds))

    fire(triggers, FakeDrafts(), [])

    assert triggers.next_times[0] == NOW.replace(second=0) + timedelta(minutes=next_minute)


def test_turn_ends_after_a_while_although_more_is_due() -> None:
    ticks = itertools.count(step=7.0)

    class Endless(FakeTriggers):
        def find_due(self, *, limit: int, skipped: Sequence[str]) -> Sequence[DueTrigger]:
            self.stands_at = self.due_at
            return super().find_due(limit=limit, skipped=skipped)

    triggers, here, outbox = Endless(trigger()), setting(), []
    scheduler = CronScheduler(
        triggers=triggers,
        drafts=FakeDrafts(),
        remove_message=outbox.append,
        dispatcher=here.dispatcher,
        monotonic=lambda: next(ticks),
    )

    assert scheduler.run_due_now()
    assert len(outbox) == triggers.fired_together > 1


def test_run_of_a_trigger_waits_in_the_outbox_while_the_broker_is_away() -> None:
    triggers, outbox, here = FakeTriggers(trigger()), [], setting()
    here.dispatcher.is_broken = True

    CronScheduler(
        triggers=triggers,
        drafts=FakeDrafts(),
        remove_message=outbox.append,
        dispatcher=here.dispatcher,
        monotonic=lambda: 0.0,
    ).run_due_now()

    assert (triggers.fired_together, outbox) == (1, [])


def test_due_time_that_another_leader_took_meanwhile_rings_for_nobody() -> None:
    class Late(FakeTriggers):
        """Finds out when it writes that it is late."""

        def begin_all(self, found: Sequence[DueTrigger]) -> Sequence[DueTrigger]:
            begun = super().begin_all(found)
            self.is_due = False
            return begun

        def run_due(self, ready: Sequence[ReadyOccurrence]) -> Mapping[str, int] | None:
            return None

    outbox = []

    assert fire(Late(trigger()), FakeDrafts(), outbox) == []
    assert outbox == []


@pytest.mark.parametrize(
    ("last_run", "begun"),
    [
        (None, None),
        ({"error": "x", "due_at": "2026-05-01T10:00:00.000Z"}, None),
        ({"error": BEGUN}, None),
        ({"error": BEGUN, "due_at": "yesterday"}, None),
        ({"error": BEGUN, "due_at": "2026-05-01T10:00:00.000Z"}, datetime(2026, 5, 1, 10, tzinfo=UTC)),
    ],
    ids=["none", "ended", "without-time", "no-time", "begun"],
)
def test_due_time_that_was_begun_is_read_as_far_as_it_is_one(last_run: JsonObject | None, begun: datetime) -> None:
    assert read_begun_time(last_run) == begun
