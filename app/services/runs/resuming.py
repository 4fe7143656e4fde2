"""Resume a run that has failed or was stopped, or the requests that failed of one that completed."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

from app.engine.errors import ConflictError
from app.engine.objects import runs
from app.engine.objects.daemons import name_queue
from app.engine.objects.runs import SyncJobRun
from app.engine.runs.work import EventDraft, WakeUp
from app.engine.status import RunStatus
from app.engine.webhooks import events
from app.services.contexts.context import envelope_of
from app.services.ports import Clock, Dispatcher


class EndedRun(Protocol):
    """A run whose row is locked for the length of a ``with`` block."""

    status: RunStatus | None
    has_begun: bool
    """Its webhook has heard of it."""

    def __enter__(self) -> "EndedRun":
        """Lock."""

    def __exit__(self, *exception: object) -> None:
        """Commit, or roll back after an exception."""

    def has_failed_requests(self) -> bool:
        """Whether requests of the run failed for good, and were not made again since."""

    def reopen(self, *, errors_only: bool, queue: str) -> int:
        """Create an ended run anew with what is left of it; give its promised message."""

    def queue_events(self, events: Sequence[EventDraft]) -> str | None:
        """Queue events; give the delivery unit to ring."""


class EndedRuns(Protocol):
    """Locks runs."""

    def locked(self, run_id: str) -> EndedRun:
        """Lock a run."""


class Outbox(Protocol):
    """Keeps promised messages."""

    def remove(self, message_id: int) -> None:
        """Forget a message that was published."""


class Waits(Protocol):
    """The waits of runs for their accounts' limits."""

    def let_go_on(self, run: SyncJobRun) -> bool:
        """End the wait of a run; return whether it waited."""


class Resumption:
    """Makes runs go on that have ended, or that wait for their account's limit."""

    def __init__(self, *, runs: EndedRuns, waits: Waits, outbox: Outbox, dispatcher: Dispatcher, clock: Clock) -> None:
        self._runs = runs
        self._waits = waits
        self._outbox = outbox
        self._dispatcher = dispatcher
        self._clock = clock

    def resume(self, run: SyncJobRun, *, errors_only: bool) -> None:
        """Go on from the run's cursors, and ask again for what failed, or only that.

        A live run stays as it is, but for one that waits for its account's limit: it tries at once whether that is
        over. Raises ConflictError when nothing is left to do.
        """
        if not run.status.is_final:
            self._waits.let_go_on(run)
            return
        queue = name_queue(run.daemon_group_key)
        with self._runs.locked(run.id) as locked:
            if locked.status is None or not locked.status.is_final:
                return
            has_failed, was_told = (
                locked.has_failed_requests(),
                locked.has_begun and events.is_sent(run, events.UPDATED),
            )
            if reason := runs.find_resume_objection(
                locked.status, has_failed_requests=has_failed, errors_only=errors_only
            ):
                raise ConflictError(reason)
            message_id = locked.reopen(errors_only=errors_only, queue=queue)
            delivery_unit_id = locked.queue_events([self._updated(run)]) if was_told else None
        if self._dispatcher.dispatch_run(run.id, queue=queue):
            self._outbox.remove(message_id)
        if delivery_unit_id:
            self._dispatcher.dispatch([WakeUp(run_id=run.id, unit_id=delivery_unit_id, queue=queue)])

    def _updated(self, run: SyncJobRun) -> EventDraft:
        """Return the webhook, which has heard of the run's end, that it goes on."""
        changed = replace(run, status=RunStatus.CREATED, error=None, finished_at=None, resumes=run.resumes + 1)
        return events.draft_lifecycle(changed, events.UPDATED, envelope_of(run, self._clock))
