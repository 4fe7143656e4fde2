"""Stop, resume or retry every run that a search found: counted first, then confirmed, then done in the background."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Final

from app import meters
from app.engine.errors import ConflictError, Failure, InvalidInputError, NotFoundError, StoreUnavailableError
from app.engine.objects.bulk_actions import BulkAction, BulkKind, BulkOutcome, BulkStatus, BulkTarget
from app.engine.objects.environments import EnvironmentId
from app.engine.objects.lists import ListFilters, Page
from app.engine.objects.runs import SyncJobRun
from app.engine.status import RunStatus
from app.services.dashboard.ports import BulkStore
from app.services.dashboard.run_filters import RunFilters
from app.services.maintenance.duties import Duty
from app.services.maintenance.duty_rows import TURN_SECONDS, DutyRows, describe_error

logger = logging.getLogger(__name__)

COUNTED_AT_ONCE: Final = 10_000
"""Runs that a request counts itself; the leader counts the rest."""
_COUNTED_EACH: Final = 5000
_TRIED_EACH: Final = 50
_ACTIONS: Final = 20
_KEPT_SECONDS: Final = 7 * 24 * 3600.0
_UNCONFIRMED_SECONDS: Final = 3600.0
_PRUNED_EACH: Final = 1000
_LOOK_EVERY_SECONDS: Final = 1.0
_PRUNE_EVERY_SECONDS: Final = 60.0
_KIND: Final = "bulk action"


class BulkActions:
    """Bulk actions as people see them."""

    def __init__(self, store: BulkStore) -> None:
        self._store = store

    def count(self, environment_id: EnvironmentId, kind: BulkKind, filters: RunFilters) -> BulkAction:
        """Write down which runs an action would be for; it waits for ``confirm``, and is forgotten after an hour."""
        id = self._store.create(environment_id, kind, filters)
        # The second finds that there are no more, or goes on for as long as a request may take.
        if self._store.count_some(id, limit=COUNTED_AT_ONCE):
            self._store.count_some(id, limit=COUNTED_AT_ONCE)
        return self.get(environment_id, id)

    def get(self, environment_id: EnvironmentId, id: str) -> BulkAction:
        """Read one; raise NotFoundError."""
        action = self._store.get(environment_id, id)
        if action is None:
            raise NotFoundError(_KIND, id)
        return action

    def list(self, environment_id: EnvironmentId, filters: ListFilters) -> Page[BulkAction]:
        """Read a page of them, newest first."""
        return self._store.list(environment_id, filters)

    def list_tried(
        self, environment_id: EnvironmentId, id: str, outcome: BulkOutcome, *, limit: int = 20
    ) -> Sequence[BulkTarget]:
        """List some of the runs that it ended so for."""
        return self._store.list_tried(environment_id, id, outcome, limit=limit)

    def confirm(self, environment_id: EnvironmentId, id: str) -> BulkAction:
        """Start an action unless it has begun; raise NotFoundError, and InvalidInputError if it can not."""
        if not self._store.confirm(environment_id, id):
            status = self.get(environment_id, id).status
            if status is BulkStatus.COUNTING:
                raise _refuse("is still being counted: confirm it once the number of its runs is known")
            if status is BulkStatus.CANCELLED:
                raise _refuse("was cancelled: begin anew with the same filters")
        return self.get(environment_id, id)

    def cancel(self, environment_id: EnvironmentId, id: str) -> BulkAction:
        """End it after the runs that are under way; what was done stays, and one that is over too."""
        self._store.cancel(environment_id, id)
        return self.get(environment_id, id)


def _refuse(message: str) -> InvalidInputError:
    return InvalidInputError([Failure("id", message)])


class BulkDuty:
    """The duty that counts and acts. It may die anywhere: a run that is tried twice is acted on once."""

    def __init__(
        self,
        store: BulkStore,
        *,
        load_run: Callable[[str], SyncJobRun | None],
        stop: Callable[[str], bool],
        resume: Callable[[SyncJobRun, bool], None],
        monotonic: Callable[[], float],
    ) -> None:
        """``resume`` also receives whether only what failed is to be made again; it raises ConflictError."""
        self._store = store
        self._load_run = load_run
        self._stop = stop
        self._resume = resume
        self._monotonic = monotonic
        self._rows = DutyRows("bulk actions", monotonic=monotonic)

    def build_duties(self) -> Sequence[Duty]:
        """Return the duties."""
        return [
            Duty(name="bulk actions", do=self.run_turn, every_seconds=_LOOK_EVERY_SECONDS),
            Duty(name="forgetting bulk actions", do=self.prune, every_seconds=_PRUNE_EVERY_SECONDS),
        ]

    def prune(self) -> bool:
        """Remove some of what is past its time; return whether there may be more."""
        removed = self._store.prune(
            kept_seconds=_KEPT_SECONDS, unconfirmed_seconds=_UNCONFIRMED_SECONDS, limit=_PRUNED_EACH
        )
        return removed >= _PRUNED_EACH

    def run_turn(self) -> bool:
        """Move every open action on for a while; return whether there is more."""
        until = self._monotonic() + TURN_SECONDS
        open_ones = self._store.find_open(skipped=self._rows.list_skipped(), limit=_ACTIONS)
        while open_ones and self._monotonic() < until:
            open_ones = [action for action in open_ones if self._has_more(action, until)]
        return bool(open_ones)

    def _has_more(self, action: BulkAction, until: float) -> bool:
        report = partial(self._store.record_error, action.id)
        return self._rows.handle(action.id, partial(self._advance, action, until), report=report) is True

    def _advance(self, action: BulkAction, until: float) -> bool:
        if action.status is BulkStatus.COUNTING:
            return self._store.count_some(action.id, limit=_COUNTED_EACH)
        tried: list[BulkTarget] = []
        pending = self._store.find_pending(action.id, limit=_TRIED_EACH)
        try:
            for target in pending:
                tried.append(self._try(action.kind, target))
                if self._monotonic() >= until:
                    break
        finally:
            self._store.record(action.id, tried)
            for one in tried:
                meters.BULK_ACTED.labels(action.kind.value, one.outcome.value).inc()
        return bool(pending)

    def _try(self, kind: BulkKind, target: BulkTarget) -> BulkTarget:
        try:
            reason = self._act(kind, target)
        except StoreUnavailableError:
            raise
        except ConflictError as error:
            return replace(target, outcome=BulkOutcome.SKIPPED, reason=error.message)
        except Exception as error:
            facts = {"run_id": target.run_id, "kind": kind}
            logger.warning("a run could not be acted on", extra=facts, exc_info=error)
            return replace(target, outcome=BulkOutcome.FAILED, reason=describe_error(error))
        return replace(target, outcome=BulkOutcome.SKIPPED if reason else BulkOutcome.DONE, reason=reason)

    def _act(self, kind: BulkKind, target: BulkTarget) -> str | None:
        """Act on a run as it is by now; return why there is nothing to do."""
        run = self._load_run(target.run_id)
        if run is None:
            return "it was deleted"
        if kind is BulkKind.STOP:
            is_stopped = self._stop(run.id) or run.status is RunStatus.STOPPED
            return None if is_stopped else f"it had {run.status} before" if run.status.is_final else "it has just ended"
        if run.resumes > target.resumes:
            # By an attempt whose process died, or by a person: it was resumed, as is wanted.
            return None
        if not run.status.is_final:
            return f"it is {run.status}"
        if kind is BulkKind.RESUME and run.status is RunStatus.COMPLETED:
            return "it has completed"
        self._resume(run, kind is BulkKind.RETRY_ERRORS)
        return None
