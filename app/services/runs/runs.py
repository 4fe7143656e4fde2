"""The API's side of runs: create them from valid input, show them, stop them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from app.engine.errors import Failure, NotFoundError
from app.engine.json_types import JsonObject
from app.engine.objects.environments import EnvironmentId
from app.engine.objects.lists import ListFilters, Page, RowVersion
from app.engine.objects.runs import RunError, SyncJobRun
from app.services.ports import Dispatcher
from app.services.runs.drafts import RunDraft, RunDrafts
from app.services.runs.lifecycle import RunLifecycle
from app.services.runs.requests import IdempotencyKey, RunRequest
from app.services.runs.resuming import Resumption
from app.services.runs.verifying import Verification, Verifier
from app.services.webhooks.health import Announcement


@dataclass(frozen=True, slots=True, kw_only=True)
class CreatedRun:
    """The run that a draft led to, and the outbox message that announces it (None for a replay)."""

    run: SyncJobRun
    outbox_id: int | None
    queue: str = ""
    """Where it is to be announced; empty for a replay."""


class RunStore(Protocol):
    """Keeps runs."""

    def create(self, draft: RunDraft) -> CreatedRun:
        """Write a run, or find the one that its idempotency key made; raise IdempotencyKeyReusedError."""

    def create_as_supposed(self, draft: RunDraft) -> CreatedRun | None:
        """Write a run; None, and nothing is written, when what its draft supposes is not so."""

    def get(self, environment_id: EnvironmentId, run_id: str) -> SyncJobRun | None:
        """Read one run."""

    def list(self, environment_id: EnvironmentId, filters: ListFilters) -> Page[SyncJobRun]:
        """Read a page of runs."""

    def delete(
        self, environment_id: EnvironmentId, run_id: str, *, announce: Announcement, seen: RowVersion | None = None
    ) -> bool:
        """Remove a final run with its events and errors, never its records, and tell who wants to know."""

    def errors(self, run_id: str, *, limit: int, cursor: str | None) -> Page[RunError]:
        """Read a page of a run's errors."""


class Outbox(Protocol):
    """Keeps promised messages."""

    def remove_soon(self, message_id: int) -> None:
        """Forget a message that was published; it need not be at once."""


class DryRunner(Protocol):
    """Tries runs without writing anything."""

    def try_out(self, draft: RunDraft) -> JsonObject:
        """Show what a valid draft's run would begin with."""


class RunService:
    """Runs as the API's callers see them."""

    def __init__(
        self,
        *,
        runs: RunStore,
        drafts: RunDrafts,
        outbox: Outbox,
        lifecycle: RunLifecycle,
        resumption: Resumption,
        verifier: Verifier,
        dry_runs: DryRunner,
        dispatcher: Dispatcher,
    ) -> None:
        self._runs = runs
        self._drafts = drafts
        self._outbox = outbox
        self._lifecycle = lifecycle
        self._resumption = resumption
        self._verifier = verifier
        self._dry_runs = dry_runs
        self._dispatcher = dispatcher

    def create(
        self,
        environment_id: EnvironmentId,
        request: RunRequest,
        *,
        idempotency: IdempotencyKey | None = None,
        faults: Sequence[Failure] = (),
    ) -> tuple[SyncJobRun, bool]:
        """Accept a run; tell also whether it is a replay of an earlier request with the same idempotency key.

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
            self._outbox.remove_soon(created.outbox_id)
        return created.run, False

    def try_out(
        self, environment_id: EnvironmentId, request: RunRequest, *, faults: Sequence[Failure] = ()
    ) -> JsonObject:
        """Show what a run would begin with, and write nothing; raise as ``create`` does."""
        return self._dry_runs.try_out(self._drafts.draft(environment_id, request, idempotency=None, faults=faults))

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
        """Let an ended run go on, as ``Resumption`` tells; a live run stays as it is."""
        self._resumption.resume(self.get(environment_id, run_id), errors_only=errors_only)
        return self.get(environment_id, run_id)

    def verify(self, environment_id: EnvironmentId, run_id: str) -> Verification:
        """Count a run's books anew."""
        return self._verifier.verify(self.get(environment_id, run_id))

    def delete(self, environment_id: EnvironmentId, run_id: str, *, seen: RowVersion | None = None) -> str:
        """Stop a live run, or remove one that has ended: with ``seen`` only if it had ended when it was looked at."""
        run = self.get(environment_id, run_id)
        if run.status.is_final:
            self._runs.delete(environment_id, run_id, announce=self._lifecycle.telling_removal(run), seen=seen)
        else:
            self._lifecycle.stop(run_id)
        return run_id

    def errors(self, environment_id: EnvironmentId, run_id: str, *, limit: int, cursor: str | None) -> Page[RunError]:
        """Read a page of a run's errors."""
        self.get(environment_id, run_id)
        return self._runs.errors(run_id, limit=limit, cursor=cursor)
