"""Resume a run that has failed or was stopped, or the requests that failed of one that completed."""

from collections.abc import Callable
from dataclasses import replace

from app.engine.errors import ConflictError
from app.engine.objects import runs
from app.engine.objects.daemons import name_queue
from app.engine.objects.runs import SyncJobRun
from app.engine.runs.work import EventDraft, WakeUp
from app.engine.status import RunStatus
from app.engine.webhooks import events
from app.services.contexts.context import envelope_of
from app.services.ports import Clock, Dispatcher
from app.services.runs.ports import RunMoves


class Resumption:
    """Resumes runs that have ended, or that wait for their account's limit."""

    def __init__(
        self,
        *,
        moves: RunMoves,
        end_wait: Callable[[SyncJobRun], object],
        remove_message: Callable[[int], object],
        dispatcher: Dispatcher,
        clock: Clock,
    ) -> None:
        """``end_wait`` ends a run's wait for its account's limit; ``remove_message`` removes a published message."""
        self._moves = moves
        self._end_wait = end_wait
        self._remove_message = remove_message
        self._dispatcher = dispatcher
        self._clock = clock

    def resume(self, run: SyncJobRun, *, errors_only: bool) -> None:
        """Continue from the run's cursors, and request again what failed, or only that.

        A live run stays as it is, but for one that waits for its account's limit: it tries at once whether that is
        over. Raises ConflictError when nothing is left to do.
        """
        if not run.status.is_final:
            self._end_wait(run)
            return
        queue = name_queue(run.daemon_group_key)
        with self._moves.lock(run.id) as locked:
            if locked.run is None or not locked.run.status.is_final:
                return
            status, has_failed = locked.run.status, locked.has_failed_requests()
            if reason := runs.find_resume_objection(status, has_failed_requests=has_failed, errors_only=errors_only):
                raise ConflictError(reason)
            message_id = locked.reopen(errors_only=errors_only, queue=queue)
            is_sent = locked.has_begun and events.is_sent(run, events.UPDATED)
            delivery_unit_id = locked.queue_events([self._draft_updated(run)]) if is_sent else None
        if self._dispatcher.dispatch_run(run.id, queue=queue):
            self._remove_message(message_id)
        if delivery_unit_id:
            self._dispatcher.dispatch([WakeUp(run_id=run.id, unit_id=delivery_unit_id, queue=queue)])

    def _draft_updated(self, run: SyncJobRun) -> EventDraft:
        """Return the event about a run that continues, for a webhook that has received that of its end."""
        changed = replace(run, status=RunStatus.CREATED, error=None, finished_at=None, resumes=run.resumes + 1)
        return events.draft_lifecycle(changed, events.UPDATED, envelope_of(run, self._clock))
