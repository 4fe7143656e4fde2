"""The API's side of runs: create them from valid input, show them, verify them, stop them."""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from app.engine.errors import Failure, NotFoundError
from app.engine.jobs import definition, planning
from app.engine.json_types import JsonObject
from app.engine.objects.environments import EnvironmentId
from app.engine.objects.lists import ListFilters, Page, RowVersion
from app.engine.objects.runs import RunError, SyncJobRun
from app.engine.runs import audit
from app.engine.runs.audit import Check, RunRecount
from app.engine.status import RunStatus
from app.services.ports import Dispatcher
from app.services.runs.drafts import RunDrafts
from app.services.runs.lifecycle import RunLifecycle
from app.services.runs.ports import RunStore
from app.services.runs.requests import IdempotencyKey, RunDraft, RunRequest
from app.services.runs.resumption import Resumption


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """What a run's recount came to."""

    run_id: str
    status: RunStatus
    checks: list[Check]

    @property
    def is_balanced(self) -> bool:
        """Whether every check holds."""
        return all(check.holds for check in self.checks)


class RunService:
    """Runs as the API's callers see them."""

    def __init__(
        self,
        *,
        runs: RunStore,
        drafts: RunDrafts,
        remove_message: Callable[[int], object],
        lifecycle: RunLifecycle,
        resumption: Resumption,
        recount: Callable[[SyncJobRun], RunRecount],
        dry_run: Callable[[RunDraft], JsonObject],
        dispatcher: Dispatcher,
    ) -> None:
        self._runs = runs
        self._drafts = drafts
        self._remove_message = remove_message
        self._lifecycle = lifecycle
        self._resumption = resumption
        self._recount = recount
        self._dry_run = dry_run
        self._dispatcher = dispatcher

    def create(
        self,
        environment_id: EnvironmentId,
        request: RunRequest,
        *,
        idempotency: IdempotencyKey | None = None,
        faults: Sequence[Failure] = (),
    ) -> tuple[SyncJobRun, bool]:
        """Accept a run; return also whether it is a replay of an earlier request with the same idempotency key.

        Raises InvalidInputError with ``faults``, which the caller found, and every other one of the request, and
        IdempotencyKeyReusedError.
        """
        unread = None if idempotency or faults else self._drafts.draft_unread(environment_id, request)
        created = self._runs.create_as_supposed(unread) if unread is not None else None
        if created is None:
            draft = self._drafts.draft(environment_id, request, idempotency=idempotency, faults=faults)
            created = self._runs.create(draft)
        if created.outbox_id is None:
            return created.run, True
        # The run is safe: publishing now only saves the sweeper's second.
        if self._dispatcher.dispatch_run(created.run.id, queue=created.queue):
            self._remove_message(created.outbox_id)
        return created.run, False

    def try_out(
        self, environment_id: EnvironmentId, request: RunRequest, *, faults: Sequence[Failure] = ()
    ) -> JsonObject:
        """Show what a run would begin with, and write nothing; raise as ``create`` does."""
        return self._dry_run(self._drafts.draft(environment_id, request, idempotency=None, faults=faults))

    def get(self, environment_id: EnvironmentId, run_id: str) -> SyncJobRun:
        """Read one run; raise NotFoundError."""
        run = self._runs.get(environment_id, run_id)
        if run is None:
            raise NotFoundError("sync job run", run_id)
        return run

    def list(self, environment_id: EnvironmentId, filters: ListFilters) -> Page[SyncJobRun]:
        """Read a page of runs."""
        return self._runs.list(environment_id, filters)

    def stop(self, environment_id: EnvironmentId, run_id: str) -> SyncJobRun:
        """Stop a live run; a run that has ended stays as it is."""
        self.get(environment_id, run_id)
        self._lifecycle.stop(run_id)
        return self.get(environment_id, run_id)

    def resume(self, environment_id: EnvironmentId, run_id: str, *, errors_only: bool) -> SyncJobRun:
        """Resume an ended run, as ``Resumption`` does; a live run stays as it is."""
        self._resumption.resume(self.get(environment_id, run_id), errors_only=errors_only)
        return self.get(environment_id, run_id)

    def verify(self, environment_id: EnvironmentId, run_id: str) -> Verification:
        """Recount a run, live or ended."""
        return verify_run(self.get(environment_id, run_id), self._recount)

    def delete(self, environment_id: EnvironmentId, run_id: str, *, seen: RowVersion | None = None) -> str:
        """Stop a live run, or remove one that has ended: with ``seen`` only if it had ended when it was looked at."""
        run = self.get(environment_id, run_id)
        if run.status.is_final:
            self._runs.delete(environment_id, run_id, announce=self._lifecycle.announce_removal(run), seen=seen)
        else:
            self._lifecycle.stop(run_id)
        return run_id

    def list_errors(
        self, environment_id: EnvironmentId, run_id: str, *, limit: int, cursor: str | None
    ) -> Page[RunError]:
        """Read a page of a run's errors."""
        self.get(environment_id, run_id)
        return self._runs.list_errors(run_id, limit=limit, cursor=cursor)


def verify_run(run: SyncJobRun, recount: Callable[[SyncJobRun], RunRecount]) -> Verification:
    """Recount a run and check each equation of its books."""
    items, _ = definition.parse_resources(run.resources)
    found = recount(run)
    return Verification(run_id=run.id, status=found.status, checks=audit.audit(found, planning.plan(items)))


LONGEST_WAIT_SECONDS: Final = 60.0

_FIRST_PAUSE: Final = 0.05
_LONGEST_PAUSE: Final = 1.0


class RunWaits:
    """Lets a few callers of a process wait at once: each keeps one of its threads, which the others need."""

    def __init__(
        self,
        runs: RunService,
        *,
        most: int = 3,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._runs = runs
        self._places = threading.BoundedSemaphore(most)
        self._monotonic = monotonic
        self._sleep = sleep

    def wait(self, run: SyncJobRun, *, seconds: float) -> SyncJobRun | None:
        """Return a run once it has ended, or as it is after so many seconds; None when ``most`` others wait already.

        Between two looks no connection is held. Raises NotFoundError when somebody removes it meanwhile.
        """
        if seconds <= 0 or run.status.is_final:
            return run
        if not self._places.acquire(blocking=False):
            return None
        try:
            return self._wait(run, until=self._monotonic() + min(seconds, LONGEST_WAIT_SECONDS))
        finally:
            self._places.release()

    def _wait(self, run: SyncJobRun, *, until: float) -> SyncJobRun:
        pause = _FIRST_PAUSE
        while not run.status.is_final and (left := until - self._monotonic()) > 0:
            self._sleep(min(pause, left))
            pause = min(2 * pause, _LONGEST_PAUSE)
            run = self._runs.get(run.environment_id, run.id)
        return run
