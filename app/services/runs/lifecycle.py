"""Move a run along: start it, settle it when its work is done, fail it, stop it.

Called by all that notice a change: Celery's signals, the workers, the API, the sweeper. Each call reads what is true
in Postgres under the run's lock, so any of them may come late, twice or never.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from app import meters, tracing
from app.engine.objects.daemons import name_queue
from app.engine.objects.runs import SyncJobRun
from app.engine.runs.work import ErrorDraft, WakeUp, draft_error
from app.engine.status import ErrorHandling, RunStatus
from app.engine.webhooks import events
from app.services.contexts.context import RunContexts, RunUnworkableError
from app.services.ports import Announcement, Clock, Dispatcher
from app.services.runs.conflicts import retry_on_conflict
from app.services.runs.ports import RunMoves
from app.services.runs.settlement import Settlement, log_end, view_error
from app.services.runs.start import RunStart, plan_first_work
from app.settings import Settings
from app.tracing import Kind

logger = logging.getLogger(__name__)


class RunLifecycle:
    """The life of runs."""

    def __init__(
        self,
        *,
        moves: RunMoves,
        load_run: Callable[[str], SyncJobRun | None],
        contexts: RunContexts,
        dispatcher: Dispatcher,
        clock: Clock,
        settings: Settings,
    ) -> None:
        self._moves = moves
        self._load_run = load_run
        self._contexts = contexts
        self._dispatcher = dispatcher
        self._clock = clock
        self._settings = settings

    def mark_running(self, run_id: str, *, daemon_id: str) -> bool:
        """Move a created run to running; False when it is not created, or waits for another run's mutex."""
        return self._moves.take_up(run_id, daemon_id=daemon_id)

    @tracing.trace_method("start", kind=Kind.CONSUMER)
    def start(self, run_id: str) -> RunStart | None:
        """Write a running run's first units; None when it has units, as a resumed run has."""
        try:
            context = self._contexts.load(run_id)
        except RunUnworkableError as error:
            self.fail(run_id, self._draft(error.code, error.message))
            return None
        first = plan_first_work(context, clock=self._clock, children_per_unit=self._settings.children_per_unit)
        keys = context.key_notes
        if not self._moves.start(run_id, units=first.units, events=first.events, errors=first.errors, keys=keys):
            self._dispatcher.dispatch(self._moves.unblock(run_id, context.queue))
            return None
        facts = {"account_id": context.account.id, "sync_job_id": context.run.sync_job_id}
        meters.RUN_START_DELAY.observe(max(0.0, (self._clock.now() - context.run.created_at).total_seconds()))
        logger.info("a run has begun", extra={"run_id": run_id, **facts, "resources": len(context.plan.order)})
        if first.delivery_unit_id and first.events and not first.asks_receiver:
            self._dispatcher.dispatch([WakeUp(run_id=run_id, unit_id=first.delivery_unit_id, queue=context.queue)])
        if first.errors and context.run.error_handling is ErrorHandling.FAIL_FAST:
            self.fail(run_id, first.errors[0])
        return RunStart(
            context=context,
            is_current=not any(note.rekeyings for note in keys),
            delivery_unit_id=first.delivery_unit_id if first.asks_receiver else None,
            has_work=bool(first.units) and not first.errors,
        )

    def unpark(self, run: SyncJobRun) -> bool:
        """Move a rate-limited run back to running; return whether it was rate limited."""
        if not events.is_sent(run, events.UPDATED):
            return self._moves.move(run.id, RunStatus.RUNNING)
        with self._lock(run.id) as settlement:
            return settlement is not None and settlement.move(RunStatus.RUNNING)

    @tracing.trace_method("settle")
    @retry_on_conflict
    def settle(self, run_id: str) -> None:
        """End what is done: resources without work left, then the run, once its books balance."""
        with self._lock(run_id) as settlement:
            if settlement and settlement.is_at_work and settlement.locked.has_begun:
                settlement.settle()

    @retry_on_conflict
    def fail(self, run_id: str, error: ErrorDraft) -> None:
        """End the run as failed; its queued events, and the failed event, are still delivered."""
        with self._lock(run_id) as settlement:
            if settlement:
                settlement.fail(error)

    def rescue(self, run_id: str) -> bool:
        """Settle a run that no daemon can work on, and free what waits for nothing; return whether that helped."""
        self.settle(run_id)
        with self._lock(run_id) as settlement:
            if settlement is None or not settlement.is_at_work:
                return True
            settlement.wake_ups += settlement.locked.mend(name_queue(settlement.run.daemon_group_key))
            return bool(settlement.wake_ups)

    def fail_stuck(self, run_id: str, *, attempts: int) -> None:
        """End a run that could not be rescued, unless a daemon can work on it by now."""
        with self._lock(run_id) as settlement:
            if settlement is None or not settlement.is_at_work:
                return
            if (left := settlement.locked.describe_remains()) is None:
                return
            message = (
                f"nobody could work on the run for {self._settings.stuck_seconds:g} s or more; "
                f"{attempts} attempts to start, settle and free it have failed ({left})"
            )
            settlement.fail(self._draft("stuck", message))

    @retry_on_conflict
    def record_error(self, run_id: str, error: ErrorDraft) -> None:
        """Record an error that does not end the run."""
        with self._lock(run_id) as settlement:
            if settlement:
                settlement.locked.record_errors([error])

    @retry_on_conflict
    def record_broken_task(self, run_id: str, exception_name: str, *, is_start: bool) -> None:
        """Record that a task of the run broke with an unforeseen exception, whose text may hold secrets.

        A start ends the run that it can not start. Of a run that waits, has started or has ended it proves nothing:
        anybody may have sent it once more.
        """
        error = self._draft("internal", f"a task broke with {exception_name}; the daemon's log has the trace")
        with self._lock(run_id) as settlement:
            if settlement is None:
                return
            if is_start and settlement.is_at_work and not settlement.locked.has_begun:
                settlement.fail(error)
            else:
                settlement.locked.record_errors([error])

    def fail_unreadable(self, run_id: str, *, kind: str) -> None:
        """End a run whose row can not be read, and queue no event about it."""
        error = self._draft("unreadable", f"the run can not be read ({kind}); the daemon's log has the trace")
        self._moves.move(run_id, RunStatus.FAILED, error=view_error(error))

    def record_unhandled(self, run_id: str, reason: str) -> None:
        """Record, as an error of the run, that a duty could not handle it; whatever is wrong with its row."""
        self._moves.record_error(run_id, self._draft("unhandled", f"the run could not be moved on: {reason}"))

    def stop(self, run_id: str) -> bool:
        """End the run for its user; within one page every daemon notices, since its next write is refused."""
        run = self._load_run(run_id)
        if run is None or not self._moves.move(run_id, RunStatus.STOPPED):
            return False
        log_end(run, RunStatus.STOPPED)
        self._dispatch_next(run)
        return True

    @retry_on_conflict
    def stop_created(self, run_id: str) -> bool:
        """End the run for its operator unless a daemon has taken it up; return whether it was ended."""
        with self._lock(run_id) as settlement:
            if settlement is None or settlement.run.status is not RunStatus.CREATED:
                return False
            settlement.frees_mutex = settlement.locked.move(RunStatus.STOPPED)
            if settlement.frees_mutex:
                log_end(settlement.run, RunStatus.STOPPED)
            return settlement.frees_mutex

    def announce_removal(self, run: SyncJobRun) -> Announcement:
        """Return what makes the events about the removal of an ended run."""
        now = self._clock.now()
        return lambda webhook_ids: events.draft_run_deleted(run, to=webhook_ids, at=now)

    @contextmanager
    def _lock(self, run_id: str) -> Iterator[Settlement | None]:
        """Lock a run for a transaction, None where it was deleted; dispatch what it wakes after the commit."""
        settlement = None
        with self._moves.lock(run_id) as locked:
            if locked.run is not None:
                settlement = Settlement(run=locked.run, locked=locked, clock=self._clock, settings=self._settings)
            yield settlement
        if settlement is None:
            return
        if settlement.wake_ups:
            self._dispatcher.dispatch(settlement.wake_ups)
        if settlement.frees_mutex:
            self._dispatch_next(settlement.run)

    def _dispatch_next(self, ended: SyncJobRun) -> None:
        """Start the run that waited for this one's mutex; should this process die before, the sweeper does it."""
        if ended.mutex_key is not None and (following := self._moves.find_next_in_line(ended.id)):
            run_id, queue = following
            self._dispatcher.dispatch_run(run_id, queue=queue)

    def _draft(self, code: str, message: str) -> ErrorDraft:
        return draft_error(code, message, at=self._clock.now())
