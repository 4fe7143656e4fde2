"""Bulk actions do to each run what can be done by then, once, and say of each other one why not."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from app.engine.errors import ConflictError, InvalidInputError, NotFoundError, StoreUnavailableError
from app.engine.objects.bulk_actions import BulkAction, BulkKind, BulkOutcome, BulkStatus, BulkTarget
from app.engine.objects.environments import EnvironmentId
from app.engine.objects.lists import ListFilters, Page
from app.engine.objects.runs import SyncJobRun
from app.engine.status import RunStatus
from app.services.dashboard.bulk_actions import BulkActions, BulkDuty
from app.services.dashboard.run_filters import RunFilters
from tests.unit.services.service_tables import ENVIRONMENT, run

AT = datetime(2026, 3, 1, tzinfo=UTC)


class FakeBulkStore:
    """One bulk action."""

    def __init__(self, kind: BulkKind, run_ids: Sequence[str], *, status: BulkStatus = BulkStatus.ACTING) -> None:
        self.action = BulkAction(
            id="b",
            environment_id=ENVIRONMENT,
            kind=kind,
            filters={},
            status=status,
            counted=len(run_ids),
            done=0,
            skipped=0,
            failed=0,
            created_at=AT,
            updated_at=AT,
        )
        self.targets = {id: BulkTarget(run_id=id, resumes=0) for id in run_ids}
        self.uncounted = 0
        self.errors: list[str] = []
        self.is_broken = False
        self.outdated = 0

    def create(self, environment_id: EnvironmentId, kind: BulkKind, filters: RunFilters) -> str:
        return "b"

    def get(self, environment_id: EnvironmentId, id: str) -> BulkAction | None:
        return self.action if (environment_id, id) == (ENVIRONMENT, "b") else None

    def list(self, environment_id: EnvironmentId, filters: ListFilters) -> Page[BulkAction]:
        return Page(result=[self.action], next_cursor=None, limit=filters.limit)

    def list_tried(
        self, environment_id: EnvironmentId, id: str, outcome: BulkOutcome, *, limit: int
    ) -> Sequence[BulkTarget]:
        return [target for target in self.targets.values() if target.outcome is outcome][:limit]

    def count_some(self, id: str, *, limit: int) -> bool:
        if self.is_broken:
            raise ValueError(id)
        self.uncounted -= 1
        if self.uncounted <= 0:
            self.action = replace(self.action, status=BulkStatus.COUNTED)
        return self.uncounted > 0

    def confirm(self, environment_id: EnvironmentId, id: str) -> bool:
        return self._move(BulkStatus.ACTING, BulkStatus.COUNTED)

    def cancel(self, environment_id: EnvironmentId, id: str) -> bool:
        return self._move(BulkStatus.CANCELLED, BulkStatus.COUNTING, BulkStatus.COUNTED, BulkStatus.ACTING)

    def find_open(self, *, skipped: Sequence[str], limit: int) -> Sequence[BulkAction]:
        is_open = self.action.status in (BulkStatus.COUNTING, BulkStatus.ACTING) and "b" not in skipped
        return [self.action] if is_open else []

    def find_pending(self, id: str, *, limit: int) -> Sequence[BulkTarget]:
        return [one for one in self.targets.values() if one.outcome is BulkOutcome.PENDING][:limit]

    def record(self, id: str, tried: Sequence[BulkTarget]) -> None:
        self.targets |= {target.run_id: target for target in tried}
        if not self.find_pending(id, limit=1):
            self._move(BulkStatus.FINISHED, BulkStatus.ACTING)

    def record_error(self, id: str, error: str) -> None:
        self.errors.append(error)

    def prune(self, *, kept_seconds: float, unconfirmed_seconds: float, limit: int) -> int:
        return self.outdated

    def _move(self, target: BulkStatus, *origins: BulkStatus) -> bool:
        if self.action.status not in origins:
            return False
        self.action = replace(self.action, status=target)
        return True


class Runs:
    """Runs that are stopped and resumed."""

    def __init__(self, *runs: SyncJobRun) -> None:
        self.rows = {one.id: one for one in runs}
        self.resumed: list[tuple[str, bool]] = []
        self.fault: Exception | None = None

    def stop(self, run_id: str) -> bool:
        self._break()
        if self.rows[run_id].status.is_final:
            return False
        self.rows[run_id] = replace(self.rows[run_id], status=RunStatus.STOPPED)
        return True

    def resume(self, found: SyncJobRun, errors_only: bool) -> None:
        self._break()
        self.resumed.append((found.id, errors_only))
        self.rows[found.id] = replace(found, status=RunStatus.CREATED, resumes=found.resumes + 1)

    def _break(self) -> None:
        if self.fault is not None:
            raise self.fault


def duty(store: FakeBulkStore, runs: Runs, monotonic: Callable[[], float] = lambda: 0.0) -> BulkDuty:
    return BulkDuty(store, load_run=runs.rows.get, stop=runs.stop, resume=runs.resume, monotonic=monotonic)


def ends(store: FakeBulkStore) -> dict[str, tuple[str, str | None]]:
    return {target.run_id: (target.outcome.value, target.reason) for target in store.targets.values()}


def runs_in(*statuses: RunStatus) -> Runs:
    return Runs(*(run(id=status.value, status=status) for status in statuses))


def test_live_runs_are_stopped_and_each_other_one_has_a_reason() -> None:
    runs = runs_in(RunStatus.RUNNING, RunStatus.COMPLETED, RunStatus.STOPPED)
    store = FakeBulkStore(BulkKind.STOP, [*runs.rows, "gone"])

    duty(store, runs).run_turn()

    assert ends(store) == {
        "running": ("done", None),
        "completed": ("skipped", "it had completed before"),
        # By an attempt of this action whose process died before it was recorded.
        "stopped": ("done", None),
        "gone": ("skipped", "it was deleted"),
    }
    assert store.action.status is BulkStatus.FINISHED


def test_run_that_ends_while_it_is_stopped_is_skipped() -> None:
    runs = runs_in(RunStatus.RUNNING)
    store = FakeBulkStore(BulkKind.STOP, ["running"])

    BulkDuty(store, load_run=runs.rows.get, stop=lambda _: False, resume=runs.resume, monotonic=lambda: 0.0).run_turn()

    assert ends(store) == {"running": ("skipped", "it has just ended")}


@pytest.mark.parametrize("kind", [BulkKind.RESUME, BulkKind.RETRY_ERRORS])
def test_ended_runs_are_resumed_once(kind: BulkKind) -> None:
    runs = runs_in(RunStatus.FAILED, RunStatus.STOPPED, RunStatus.RUNNING, RunStatus.COMPLETED)
    store = FakeBulkStore(kind, list(runs.rows))

    duty(store, runs).run_turn()

    errors_only = kind is BulkKind.RETRY_ERRORS
    resumed = [("failed", errors_only), ("stopped", errors_only)]
    assert runs.resumed == [*resumed, ("completed", True)] if errors_only else resumed
    assert ends(store)["running"] == ("skipped", "it is running")
    assert ends(store)["completed"] == (("done", None) if errors_only else ("skipped", "it has completed"))


def test_run_that_was_resumed_since_it_was_counted_is_not_resumed_again() -> None:
    runs = Runs(run(id="r", status=RunStatus.FAILED, resumes=1))
    store = FakeBulkStore(BulkKind.RESUME, ["r"])

    duty(store, runs).run_turn()

    assert (runs.resumed, ends(store)) == ([], {"r": ("done", None)})


@pytest.mark.parametrize(
    ("fault", "end"),
    [
        (ConflictError("nothing is left"), ("skipped", "nothing is left")),
        (KeyError("secret"), ("failed", "it broke with KeyError")),
    ],
)
def test_run_that_can_not_be_resumed_says_why_and_keeps_no_other_one_waiting(
    fault: Exception, end: tuple[str, str]
) -> None:
    runs = runs_in(RunStatus.FAILED, RunStatus.STOPPED)
    runs.fault = fault
    store = FakeBulkStore(BulkKind.RESUME, list(runs.rows))

    duty(store, runs).run_turn()

    assert ends(store) == {"failed": end, "stopped": end}
    assert store.action.status is BulkStatus.FINISHED


def test_what_was_done_before_postgres_went_away_is_recorded() -> None:
    runs = runs_in(RunStatus.RUNNING, RunStatus.RATE_LIMITED)
    store = FakeBulkStore(BulkKind.STOP, list(runs.rows))

    def stop(run_id: str) -> bool:
        if run_id == "rate_limited":
            raise StoreUnavailableError
        return runs.stop(run_id)

    with pytest.raises(StoreUnavailableError):
        BulkDuty(store, load_run=runs.rows.get, stop=stop, resume=runs.resume, monotonic=lambda: 0.0).run_turn()

    assert ends(store) == {"running": ("done", None), "rate_limited": ("pending", None)}


def test_turn_ends_in_time_and_says_that_there_is_more() -> None:
    now = 0.0
    runs = runs_in(RunStatus.RUNNING, RunStatus.RATE_LIMITED)
    store = FakeBulkStore(BulkKind.STOP, list(runs.rows))

    def stop_slowly(run_id: str) -> bool:
        nonlocal now
        now += 9.0
        return runs.stop(run_id)

    slow = BulkDuty(store, load_run=runs.rows.get, stop=stop_slowly, resume=runs.resume, monotonic=lambda: now)

    has_more = slow.run_turn()

    assert has_more
    assert [end for end, _ in ends(store).values()] == ["done", "pending"]


def test_action_is_counted_on_and_waits_then_for_a_person() -> None:
    store = FakeBulkStore(BulkKind.STOP, [], status=BulkStatus.COUNTING)
    store.uncounted = 3

    has_more = duty(store, Runs()).run_turn()

    assert (has_more, store.action.status) == (False, BulkStatus.COUNTED)
    assert replace(store.action, done=3, skipped=2, failed=1).tried == 6


def test_action_that_can_not_be_counted_says_why() -> None:
    store = FakeBulkStore(BulkKind.STOP, [], status=BulkStatus.COUNTING)
    store.is_broken = True

    assert not duty(store, Runs()).run_turn()

    assert store.errors == ["it broke with ValueError"]


def test_pruning_goes_on_while_there_is_more() -> None:
    store = FakeBulkStore(BulkKind.STOP, [])
    _, prune = duty(store, Runs()).build_duties()

    assert prune.do() is False
    store.outdated = 1000
    assert prune.do() is True


def test_action_begins_once_its_count_is_known_and_confirmed() -> None:
    store = FakeBulkStore(BulkKind.STOP, ["r"], status=BulkStatus.COUNTING)
    store.uncounted = 4
    actions = BulkActions(store)

    counting = actions.count(ENVIRONMENT, BulkKind.STOP, RunFilters())
    with pytest.raises(InvalidInputError, match="still being counted"):
        actions.confirm(ENVIRONMENT, "b")
    duty(store, Runs()).run_turn()
    begun = [actions.confirm(ENVIRONMENT, "b").status for _ in range(2)]

    assert counting.status is BulkStatus.COUNTING
    assert begun == [BulkStatus.ACTING] * 2
    assert actions.list(ENVIRONMENT, ListFilters()).result == [store.action]


def test_cancelled_action_does_not_begin() -> None:
    store = FakeBulkStore(BulkKind.STOP, ["r"], status=BulkStatus.COUNTED)
    actions = BulkActions(store)

    assert actions.cancel(ENVIRONMENT, "b").status is BulkStatus.CANCELLED
    with pytest.raises(InvalidInputError, match="was cancelled"):
        actions.confirm(ENVIRONMENT, "b")

    assert duty(store, Runs(run(id="r"))).run_turn() is False
    assert [target.run_id for target in actions.list_tried(ENVIRONMENT, "b", BulkOutcome.PENDING)] == ["r"]


def test_action_of_another_environment_is_not_there() -> None:
    with pytest.raises(NotFoundError):
        BulkActions(FakeBulkStore(BulkKind.STOP, [])).get(EnvironmentId("elsewhere"), "b")
