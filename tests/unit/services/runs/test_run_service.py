"""Runs as the API's callers see them: accepted once, shown, stopped, removed."""

import json
from dataclasses import dataclass, field, replace

import pytest

from app.engine.errors import Failure, IdempotencyKeyReusedError, InvalidInputError, NotFoundError
from app.engine.objects.environments import EnvironmentId
from app.engine.objects.lists import ListFilters, Page, RowVersion
from app.engine.objects.runs import RunError, SyncJobRun
from app.engine.runs.audit import RunRecount
from app.engine.runs.books import Counters
from app.engine.runs.increments import LowerBounds
from app.engine.runs.work import EventDraft
from app.engine.status import RunStatus
from app.engine.webhooks import events
from app.services.contexts.account_configs import ShownContexts
from app.services.ports import Announcement
from app.services.runs.drafts import RunDrafts
from app.services.runs.requests import CreatedRun, IdempotencyKey, RunDraft, RunRequest
from app.services.runs.runs import RunService
from tests.unit.services.service_recounts import recounted
from tests.unit.services.service_setting import Setting, setting
from tests.unit.services.service_tables import (
    ELSEWHERE,
    ENVIRONMENT,
    NOON,
    FakeReferences,
    FakeTable,
    integration,
    run,
    sync_job,
    unified,
)

REQUEST = RunRequest(sync_job_id="job", integrated_account_id="account")
KEY = IdempotencyKey(key="k", body_hash=b"h")


@dataclass
class FakeRunStore:
    """Runs and the messages that were promised with them."""

    rows: dict[str, SyncJobRun]
    outbox: dict[int, str] = field(default_factory=dict)
    by_key: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    """The run that each idempotency key made, and of which body."""
    is_as_supposed: bool = True
    unread: int = 0
    announced: list[EventDraft] = field(default_factory=list)

    def create_as_supposed(self, draft: RunDraft) -> CreatedRun | None:
        self.unread += 1
        return self.create(draft) if self.is_as_supposed else None

    def create(self, draft: RunDraft) -> CreatedRun:
        if draft.idempotency is not None:
            first = (draft.id, draft.idempotency.body_hash)
            id, body_hash = self.by_key.setdefault(draft.idempotency.key, first)
            if body_hash != draft.idempotency.body_hash or (id != draft.id and id not in self.rows):
                raise IdempotencyKeyReusedError
            if id != draft.id:
                return CreatedRun(run=self.rows[id], outbox_id=None)
        self.rows[draft.id] = draft.to_run(at=NOON, bounds=LowerBounds(run=None))
        self.outbox[len(self.rows)] = draft.id
        return CreatedRun(run=self.rows[draft.id], outbox_id=len(self.rows), queue=draft.queue)

    def remove(self, message_id: int) -> None:
        del self.outbox[message_id]

    def get(self, environment_id: EnvironmentId, run_id: str) -> SyncJobRun | None:
        found = self.rows.get(run_id)
        return found if found and found.environment_id == environment_id else None

    def list(self, environment_id: EnvironmentId, filters: ListFilters) -> Page[SyncJobRun]:
        wanted = dict(filters.among).get("status", RunStatus)
        rows = [row for row in self.rows.values() if row.status in wanted and row.environment_id == environment_id]
        return Page(result=rows[: filters.limit], next_cursor=filters.cursor, limit=filters.limit)

    def delete(
        self, environment_id: EnvironmentId, run_id: str, *, announce: Announcement, seen: RowVersion | None = None
    ) -> bool:
        run = self.get(environment_id, run_id)
        if run is None or not run.status.is_final:
            return False
        self.announced += announce(["other", "webhook"])
        return self.rows.pop(run_id) is run

    def list_errors(self, run_id: str, *, limit: int, cursor: str | None) -> Page[RunError]:
        return Page(result=[], next_cursor=cursor, limit=limit)


def recount(run: SyncJobRun) -> RunRecount:
    """Find that a resource has counted a page too many."""
    resource = recounted(counters=Counters(pages=1))
    return RunRecount(status=run.status, to_webhook=False, resources=[resource], kept={})


@pytest.fixture
def here() -> Setting:
    return setting()


@pytest.fixture
def store(here: Setting) -> FakeRunStore:
    return FakeRunStore(here.runs.rows)


@pytest.fixture
def service(here: Setting, store: FakeRunStore) -> RunService:
    drafts = RunDrafts(
        read_references=FakeReferences(FakeTable(sync_job, sync_job()), here.accounts).read,
        webhooks=here.webhooks,
        unified=unified(),
        shown_contexts=ShownContexts(FakeTable(integration, integration())),
        default_group="blue",
        default_overlap_seconds=120,
    )
    return RunService(
        runs=store,
        drafts=drafts,
        remove_message=store.remove,
        lifecycle=here.lifecycle(),
        resumption=here.resumption(store.remove),
        dry_run=lambda draft: {"args": draft.args},
        recount=recount,
        dispatcher=here.dispatcher,
    )


def test_accepted_run_is_announced_at_once(here: Setting, store: FakeRunStore, service: RunService) -> None:
    created, is_replay = service.create(ENVIRONMENT, REQUEST)

    assert not is_replay
    assert here.dispatcher.runs == [(created.id, "daemon-group.blue")]
    assert store.outbox == {}


def test_promise_is_kept_for_the_sweeper_when_the_broker_is_away(
    here: Setting, store: FakeRunStore, service: RunService
) -> None:
    here.dispatcher.is_broken = True

    created, is_replay = service.create(ENVIRONMENT, REQUEST)

    assert not is_replay
    assert list(store.outbox.values()) == [created.id]


def test_repeated_request_gives_the_same_run_and_announces_nothing(here: Setting, service: RunService) -> None:
    first, _ = service.create(ENVIRONMENT, REQUEST, idempotency=KEY)
    second, is_replay = service.create(ENVIRONMENT, REQUEST, idempotency=KEY)

    assert is_replay
    assert second.id == first.id
    assert len(here.dispatcher.runs) == 1


def test_the_next_run_of_a_job_is_written_without_reading_it(store: FakeRunStore, service: RunService) -> None:
    first, _ = service.create(ENVIRONMENT, REQUEST)
    second, _ = service.create(ENVIRONMENT, REQUEST)

    assert store.unread == 1
    assert {first.id, second.id} <= store.rows.keys()
    assert store.outbox == {}


def test_a_run_whose_job_has_changed_is_made_of_what_is_read(
    here: Setting, store: FakeRunStore, service: RunService
) -> None:
    service.create(ENVIRONMENT, REQUEST)
    store.is_as_supposed = False

    created, _ = service.create(ENVIRONMENT, REQUEST)

    assert store.unread == 1
    assert here.dispatcher.runs[-1] == (created.id, "daemon-group.blue")
    assert len(store.rows) == 3


def test_refused_request_leaves_nothing_behind(store: FakeRunStore, service: RunService) -> None:
    with pytest.raises(InvalidInputError):
        service.create(ENVIRONMENT, REQUEST, faults=[Failure("args", "expected an object")])

    assert list(store.rows) == ["run"]


def test_run_of_another_environment_is_not_there(service: RunService) -> None:
    assert service.get(ENVIRONMENT, "run").id == "run"
    with pytest.raises(NotFoundError):
        service.get(ELSEWHERE, "run")


def test_listing_is_narrowed_by_status(store: FakeRunStore, service: RunService) -> None:
    store.rows["ended"] = run(id="ended", status=RunStatus.FAILED)

    listed = service.list(ENVIRONMENT, ListFilters(among=[("status", ["failed"])], limit=5, cursor="c"))

    assert ([row.id for row in listed.result], listed.limit, listed.next_cursor) == (["ended"], 5, "c")


def test_stopped_run_is_shown_as_stopped(service: RunService) -> None:
    assert service.stop(ENVIRONMENT, "run").status is RunStatus.STOPPED


def test_stop_leaves_a_run_that_has_ended_as_it_is(store: FakeRunStore, service: RunService) -> None:
    store.rows["run"] = replace(store.rows["run"], status=RunStatus.COMPLETED)

    assert service.stop(ENVIRONMENT, "run").status is RunStatus.COMPLETED


def test_deleting_a_live_run_stops_it_and_then_removes_it(store: FakeRunStore, service: RunService) -> None:
    service.delete(ENVIRONMENT, "run")
    status = store.rows["run"].status
    service.delete(ENVIRONMENT, "run")

    assert status is RunStatus.STOPPED
    assert store.rows == {}
    told = [(event.webhook_id, event.event, json.loads(event.body)["payload"]) for event in store.announced]
    assert told == [(id, events.DELETED, {"id": "run"}) for id in ("other", "webhook")]


@pytest.mark.parametrize(
    ("chosen", "told"),
    [(None, ["other", "webhook"]), ([events.DELETED], ["other", "webhook"]), ([events.RECORD], ["other"])],
    ids=["all-events", "chosen", "left-out"],
)
def test_own_webhook_of_a_removed_run_is_told_unless_the_run_leaves_that_out(
    store: FakeRunStore, service: RunService, chosen: list[str] | None, told: list[str]
) -> None:
    store.rows["run"] = run(status=RunStatus.FAILED, webhook_id="webhook", events_to_send=chosen)

    service.delete(ENVIRONMENT, "run")

    assert [event.webhook_id for event in store.announced] == told


def test_errors_are_those_of_a_run_that_is_there(service: RunService) -> None:
    assert service.list_errors(ENVIRONMENT, "run", limit=3, cursor=None).limit == 3
    with pytest.raises(NotFoundError):
        service.list_errors(ELSEWHERE, "run", limit=3, cursor=None)


def test_resumed_run_is_created_anew(store: FakeRunStore, service: RunService) -> None:
    store.rows["run"] = replace(store.rows["run"], status=RunStatus.STOPPED)
    store.outbox[7] = "run"

    assert service.resume(ENVIRONMENT, "run", errors_only=False).status is RunStatus.CREATED
    with pytest.raises(NotFoundError):
        service.resume(ELSEWHERE, "run", errors_only=False)


def test_verification_names_what_does_not_hold(service: RunService) -> None:
    found = service.verify(ENVIRONMENT, "run")

    assert not found.is_balanced
    assert [check.equation for check in found.checks if not check.holds] == ["pages = pages of its units"]
    with pytest.raises(NotFoundError):
        service.verify(ELSEWHERE, "run")


def test_a_dry_run_makes_no_run(store: FakeRunStore, service: RunService) -> None:
    rows = dict(store.rows)

    shown = service.try_out(ENVIRONMENT, REQUEST)

    assert shown == {"args": REQUEST.args}
    assert (store.rows, store.outbox) == (rows, {})
