"""Move a run along: begin it, settle it when its work is done, fail it, stop it.

Whoever notices a change calls here: Celery's signals, the workers, the API, the sweeper. Each call reads what is true
in Postgres under the run's lock, so any of them may come late, twice or never.
"""

import logging
import math
from typing import Final

from app.engine.ids import new_id
from app.engine.json_types import JsonObject
from app.engine.objects.daemons import name_queue
from app.engine.objects.runs import SyncJobRun
from app.engine.runs import increments, settling
from app.engine.runs.settling import Progress, ResourceState, Verdict
from app.engine.runs.work import ErrorDraft, EventDraft, WakeUp, draft_error
from app.engine.status import ErrorHandling, RunStatus
from app.engine.times import format_utc
from app.engine.webhooks import events
from app.services.contexts.context import RunContexts, RunReader, RunUnworkableError, envelope_of
from app.services.ports import Clock, Dispatcher
from app.services.runs import gathering
from app.services.runs.conflicts import repeated
from app.services.runs.deleting import Decision, Deletions
from app.services.runs.ports import LockedRun, Moves
from app.services.runs.start import RunStart
from app.services.runs.starter import RunStarter
from app.services.webhooks.health import Announcement
from app.settings import Settings

logger = logging.getLogger(__name__)

_AT_WORK: Final = (RunStatus.RUNNING, RunStatus.RATE_LIMITED)


class RunLifecycle:
    """The life of runs."""

    def __init__(
        self,
        *,
        moves: Moves,
        runs: RunReader,
        contexts: RunContexts,
        dispatcher: Dispatcher,
        clock: Clock,
        settings: Settings,
    ) -> None:
        self._moves = moves
        self._runs = runs
        self._contexts = contexts
        self._dispatcher = dispatcher
        self._clock = clock
        self._settings = settings
        self._starter = RunStarter(clock=clock, children_per_unit=settings.children_per_unit)
        self._deletions = Deletions(
            clock=clock, limit_percent=settings.delete_limit_percent, batch_bytes=settings.delivery_batch_bytes
        )

    def mark_running(self, run_id: str, *, daemon_id: str) -> bool:
        """Note that a daemon has taken the run up; False when it may not: it was, or waits for another one's mutex."""
        return self._moves.take_up(run_id, daemon_id=daemon_id)

    def go_on(self, run: SyncJobRun) -> bool:
        """Note that a rate-limited run is worked on again; tell whether it was one."""
        if not events.is_sent(run, events.UPDATED):
            return self._moves.move(run.id, RunStatus.RUNNING)
        with self._moves.locked(run.id) as locked:
            has_moved = locked.move(RunStatus.RUNNING)
            wake_ups = self._tell(locked, run, events.UPDATED) if has_moved else []
        self._dispatcher.dispatch(wake_ups)
        return has_moved

    def begin(self, run_id: str) -> RunStart | None:
        """Write a running run's first units; None when it has units, which a resumed run goes on with."""
        try:
            context = self._contexts.load(run_id)
        except RunUnworkableError as error:
            self.fail(run_id, self._draft(error.code, error.message))
            return None
        first = self._starter.of(context)
        keys = context.key_notes
        if any(note.rekeyings for note in keys):
            # The first slice must see what the beginning is about to write.
            self._contexts.forget()
        if not self._moves.start(run_id, units=first.units, events=first.events, errors=first.errors, keys=keys):
            self._dispatcher.dispatch(self._moves.unblock(run_id, context.queue))
            return None
        facts = {"account_id": context.account.id, "sync_job_id": context.run.sync_job_id}
        logger.info("a run has begun", extra={"run_id": run_id, **facts, "resources": len(context.plan.order)})
        if first.delivery_unit_id and first.events and not first.asks_receiver:
            self._dispatcher.dispatch([WakeUp(run_id=run_id, unit_id=first.delivery_unit_id, queue=context.queue)])
        if first.errors and context.run.error_handling is ErrorHandling.FAIL_FAST:
            self.fail(run_id, first.errors[0])
        return RunStart(
            run_id=run_id,
            queue=context.queue,
            plan=context.plan,
            resource_ids=dict(context.resource_ids),
            delivery_unit_id=first.delivery_unit_id if first.asks_receiver else None,
            has_work=bool(first.units) and not first.errors,
            account_id=context.account.id,
        )

    @repeated
    def settle(self, run_id: str) -> None:
        """End what is done: resources without work left, then the run, once its books balance."""
        with self._moves.locked(run_id) as locked:
            run = locked.run
            if run is None or run.status not in _AT_WORK or not locked.has_begun:
                return
            progress, wake_ups = gathering.close_spools(locked, run, locked.progress())
            verdict = settling.judge(
                progress,
                fails_fast=run.error_handling is ErrorHandling.FAIL_FAST,
                to_webhook=run.webhook_id is not None,
            )
            locked.end_resources(verdict.ended)
            wake_ups += self._apply(locked, run, verdict, progress)
        self._dispatcher.dispatch(wake_ups)
        if verdict.status.is_final:
            self._dispatch_next(run)

    @repeated
    def fail(self, run_id: str, error: ErrorDraft) -> None:
        """End the run as failed; its queued events, and the failed event, are still delivered."""
        with self._moves.locked(run_id) as locked:
            run = locked.run
            if run is None:
                return
            wake_ups = self._end(locked, run, RunStatus.FAILED, error=_shown(error))
        self._dispatcher.dispatch(wake_ups)
        self._dispatch_next(run)

    def free(self, run_id: str) -> bool:
        """Settle a run that nobody can work on, and let go what waits for nothing; tell whether that helped."""
        self.settle(run_id)
        with self._moves.locked(run_id) as locked:
            run = locked.run
            if run is None or run.status not in _AT_WORK:
                return True
            wake_ups = locked.mend(name_queue(run.daemon_group_key))
        self._dispatcher.dispatch(wake_ups)
        return bool(wake_ups)

    def end_stuck(self, run_id: str, *, attempts: int) -> None:
        """End a run that could not be freed, unless somebody can work on it by now."""
        with self._moves.locked(run_id) as locked:
            run, left = locked.run, locked.what_is_left()
            if run is None or run.status not in _AT_WORK or left is None:
                return
            message = (
                f"nobody could work on the run for {self._settings.stuck_seconds:g} s or more; "
                f"{attempts} attempts to start, settle and free it have failed ({left})"
            )
            wake_ups = self._end(locked, run, RunStatus.FAILED, error=_shown(self._draft("stuck", message)))
        self._dispatcher.dispatch(wake_ups)
        self._dispatch_next(run)

    @repeated
    def record_error(self, run_id: str, error: ErrorDraft) -> None:
        """Keep an error that does not end the run."""
        with self._moves.locked(run_id) as locked:
            if locked.status is not None:
                locked.record_errors([error])

    @repeated
    def note_broken_task(self, run_id: str, exception_name: str, *, is_start: bool) -> None:
        """Keep that a task of the run broke with an exception that nobody foresaw; its text may hold secrets.

        A start ends the run that it can not begin. Of a run that waits, has begun or has ended it proves nothing:
        anybody may have sent it once more.
        """
        draft = self._draft("internal", f"a task broke with {exception_name}; the daemon's log has the trace")
        with self._moves.locked(run_id) as locked:
            run = locked.run
            if run is None:
                return
            ends_run = is_start and run.status in _AT_WORK and not locked.has_begun
            wake_ups = self._end(locked, run, RunStatus.FAILED, error=_shown(draft)) if ends_run else []
            if not ends_run:
                locked.record_errors([draft])
        self._dispatcher.dispatch(wake_ups)
        if ends_run:
            self._dispatch_next(run)

    def end_unreadable(self, run_id: str, *, kind: str) -> None:
        """End a run whose row can not be read, so that nothing can be told of it."""
        error = self._draft("unreadable", f"the run can not be read ({kind}); the daemon's log has the trace")
        self._moves.move(run_id, RunStatus.FAILED, error=_shown(error))

    def note_unhandled(self, run_id: str, reason: str) -> None:
        """Keep, as an error of the run, that a duty could not handle it; whatever is wrong with its row."""
        self._moves.record_error(run_id, self._draft("unhandled", f"the run could not be moved on: {reason}"))

    def stop(self, run_id: str) -> bool:
        """End the run for its user; within one page every daemon notices, since its next write is refused."""
        run = self._runs.load(run_id)
        if run is None or not self._moves.move(run_id, RunStatus.STOPPED):
            return False
        _log_end(run, RunStatus.STOPPED)
        self._dispatch_next(run)
        return True

    @repeated
    def stop_waiting(self, run_id: str) -> bool:
        """End the run for its operator if nobody has taken it up yet; tell whether it was ended."""
        with self._moves.locked(run_id) as locked:
            run = locked.run
            if run is None or run.status is not RunStatus.CREATED or not locked.move(RunStatus.STOPPED):
                return False
        self._dispatch_next(run)
        return True

    def telling_removal(self, run: SyncJobRun) -> Announcement:
        """Make what tells webhooks that an ended run was removed."""
        now = self._clock.now()
        return lambda webhook_ids: events.draft_run_deleted(run, to=webhook_ids, at=now)

    def _dispatch_next(self, ended: SyncJobRun) -> None:
        """Start the run that waited for this one's mutex; should nobody get here, the sweeper does it."""
        if ended.mutex_key is not None and (following := self._moves.next_in_line(ended.id)):
            run_id, queue = following
            self._dispatcher.dispatch_run(run_id, queue=queue)

    def _apply(self, locked: LockedRun, run: SyncJobRun, verdict: Verdict, progress: Progress) -> list[WakeUp]:
        match verdict.status:
            case RunStatus.COMPLETED:
                return self._complete(locked, run, progress)
            case RunStatus.FAILED if verdict.reason:
                own = self._draft(verdict.code, verdict.reason)
                return self._end(locked, run, RunStatus.FAILED, error=_shown(own))
            case RunStatus.FAILED:
                return self._end(locked, run, RunStatus.FAILED, error=locked.first_error(verdict.blamed))
            case RunStatus.RATE_LIMITED:
                return self._park(locked, run, verdict.parked)
            case live:
                return self._tell(locked, run, events.UPDATED) if locked.move(live) else []

    def _park(self, locked: LockedRun, run: SyncJobRun, parked: ResourceState | None) -> list[WakeUp]:
        """Note that all work waits for the upstream's limit; its webhook is told once, by the move itself."""
        wakes_at = parked.wakes_at if parked else None
        if not locked.move(RunStatus.RATE_LIMITED, retry_after=wakes_at):
            return []
        logger.info("a run waits for its upstream's limit", extra={"run_id": run.id, "until": wakes_at})
        if parked is None or wakes_at is None or not events.is_sent(run, events.RATE_LIMITED):
            return []
        seconds = max(0, math.ceil((wakes_at - self._clock.now()).total_seconds()))
        payload = events.build_rate_limited_payload(
            run, resource=parked.resource, method=parked.method, retry_after_seconds=seconds
        )
        envelope = envelope_of(run, self._clock)
        event = events.draft_event(envelope, id=new_id(), event=events.RATE_LIMITED, payload=payload)
        return self._queue(locked, run, event)

    def _complete(self, locked: LockedRun, run: SyncJobRun, progress: Progress) -> list[WakeUp]:
        # What was decided when the run first completed is not undone by a resume, nor decided again.
        is_first = run.completed_at is None and not locked.has_decided_deletions
        decision = self._deletions.apply(run, locked) if is_first else Decision()
        locked.record_errors(decision.refusals)
        if decision.refusals and run.error_handling is ErrorHandling.FAIL_FAST:
            return self._end(locked, run, RunStatus.FAILED, error=_shown(decision.refusals[0]))
        if unit_id := decision.delivery_unit_id:
            # The run completes, and its books balance, once these are delivered.
            return [WakeUp(run_id=run.id, unit_id=unit_id, queue=name_queue(run.daemon_group_key))]
        _hold_increments(locked, run, progress)
        return self._end(locked, run, RunStatus.COMPLETED)

    def _end(
        self, locked: LockedRun, run: SyncJobRun, status: RunStatus, *, error: JsonObject | None = None
    ) -> list[WakeUp]:
        if not locked.move(status, error=error):
            return []
        _log_end(run, status, error)
        kind = events.COMPLETED if status is RunStatus.COMPLETED else events.FAILED
        if others := locked.watchers:
            now = self._clock.now()
            locked.announce(events.draft_run_event(locked.shown(), kind, to=others, at=now))
        return self._tell(locked, run, kind)

    def _tell(self, locked: LockedRun, run: SyncJobRun, kind: str) -> list[WakeUp]:
        """Queue for the run's webhook, if it has one that gets such events, what tells of the run as it is now."""
        if not events.is_sent(run, kind):
            return []
        return self._queue(locked, run, events.draft_lifecycle(locked.shown(), kind, envelope_of(run, self._clock)))

    def _queue(self, locked: LockedRun, run: SyncJobRun, event: EventDraft) -> list[WakeUp]:
        unit_id = locked.queue_events([event])
        return [WakeUp(run_id=run.id, unit_id=unit_id, queue=name_queue(run.daemon_group_key))] if unit_id else []

    def _draft(self, code: str, message: str) -> ErrorDraft:
        return draft_error(code, message, at=self._clock.now())


def _hold_increments(locked: LockedRun, run: SyncJobRun, progress: Progress) -> None:
    """Have the next run ask again for what this one has not read, in the transaction that completes it."""
    counted = [resource.counters for resource in progress.resources]
    if run.completed_at is None and not any(counters.standing_errors or counters.skipped for counters in counted):
        return
    parents = {resource.name: resource.parent_name for resource in progress.resources}
    locked.hold_increments(increments.find_held(parents, locked.unread_resources()))


def _log_end(run: SyncJobRun, status: RunStatus, error: JsonObject | None = None) -> None:
    code = {"code": error["code"]} if error else {}
    facts = {"run_id": run.id, "account_id": run.integrated_account_id, "status": status.value, **code}
    logger.info("a run has ended", extra=facts)


def _shown(error: ErrorDraft) -> JsonObject:
    return {"code": error.code, "message": error.message, "resource": error.resource, "at": format_utc(error.at)}
