"""Settle a run whose row is locked: end what is done, then the run, once its books balance.

One value goes through all steps in one transaction. What it wakes is dispatched after the commit.
"""

import logging
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from app import meters, tracing
from app.engine.ids import new_id
from app.engine.jobs.items import NodeKind
from app.engine.json_types import JsonObject
from app.engine.objects.daemons import name_queue
from app.engine.objects.runs import SyncJobRun
from app.engine.runs import increments
from app.engine.runs.landing import describe_delay
from app.engine.runs.settling import Progress, ResourceState, find_ended_resources, judge
from app.engine.runs.work import ErrorDraft, EventDraft, WakeUp, draft_error
from app.engine.status import ErrorHandling, RunStatus
from app.engine.times import format_utc
from app.engine.webhooks import events
from app.services.contexts.context import envelope_of
from app.services.ports import Clock
from app.services.runs.deletions import Deletions, delete_vanished
from app.services.runs.ports import LockedRun
from app.settings import Settings

logger = logging.getLogger(__name__)

_AT_WORK: Final = (RunStatus.RUNNING, RunStatus.RATE_LIMITED)


@dataclass(slots=True, kw_only=True)
class Settlement:
    """A run under its lock, on its way to its next status."""

    run: SyncJobRun
    locked: LockedRun
    clock: Clock
    settings: Settings
    wake_ups: list[WakeUp] = field(default_factory=list)
    """What to dispatch after the commit."""
    frees_mutex: bool = False
    """Whether a run may start after the commit that waits for this one's mutex."""

    @property
    def is_at_work(self) -> bool:
        """Whether daemons may work on the run."""
        return self.run.status in _AT_WORK

    @property
    def fails_fast(self) -> bool:
        """Whether the first error ends the run."""
        return self.run.error_handling is ErrorHandling.FAIL_FAST

    def settle(self) -> None:
        """End the resources without work left, and the run with the last of them."""
        progress = self.close_spools(self.locked.progress())
        verdict = judge(progress, fails_fast=self.fails_fast, to_webhook=self.run.webhook_id is not None)
        self.locked.end_resources(verdict.ended)
        match verdict.status:
            case RunStatus.COMPLETED:
                self._complete(progress)
            case RunStatus.FAILED if verdict.reason:
                self.fail(draft_error(verdict.code, verdict.reason, at=self.clock.now()))
            case RunStatus.FAILED:
                self._end(RunStatus.FAILED, error=self.locked.find_first_error(verdict.blamed))
            case RunStatus.RATE_LIMITED:
                self._mark_rate_limited(verdict.parked)
            case live:
                self.move(live)

    def close_spools(self, progress: Progress) -> Progress:
        """Close the spools to which nothing more can come; return the progress with their units."""
        names = {item.get("name") for item in self.run.resources if item.get("type") == NodeKind.SPOOL}
        if not names:
            return progress
        resources = list(progress.resources)
        # Those behind a spool that is closed now have an open parent again.
        for position, resource in enumerate(resources):
            if resource.name not in names or resource.id not in find_ended_resources(resources):
                continue
            if unit_id := self.locked.close_spool(resource.id):
                resources[position] = replace(resource, live_units=1)
                self._wake(unit_id)
        return Progress(resources, progress.pending)

    def _complete(self, progress: Progress) -> None:
        # What was decided when the run first completed is not undone by a resume, nor decided again.
        is_first = self.run.completed_at is None and not self.locked.has_decided_deletions
        deletions = (
            delete_vanished(self.run, self.locked, clock=self.clock, settings=self.settings)
            if is_first
            else Deletions()
        )
        self.locked.record_errors(deletions.refusals)
        if deletions.refusals and self.fails_fast:
            self.fail(deletions.refusals[0])
        elif deletions.delivery_unit_id:
            # The run completes, and its books balance, once these are delivered.
            self._wake(deletions.delivery_unit_id)
        elif self._has_landed():
            self._hold_increments(progress)
            self._end(RunStatus.COMPLETED)

    def _has_landed(self) -> bool:
        """Whether nothing is to be waited for at destinations; a run that has waited too long fails here."""
        if not self.run.wait_for_destinations:
            return True
        awaited = self.locked.read_awaited()
        if all(one.has_landed for one in awaited):
            self.locked.note_landed(awaited)
            return True
        since, limit = self.run.landing_since, self.settings.destination_wait_seconds
        if since is None:
            self.locked.begin_landing()
        elif limit and (self.clock.now() - since).total_seconds() >= limit:
            message = describe_delay(awaited, limit_seconds=limit)
            self.fail(draft_error("destinations_behind", message, at=self.clock.now()))
        return False

    def _hold_increments(self, progress: Progress) -> None:
        """Make the next run request again what this one has not read."""
        counted = [resource.counters for resource in progress.resources]
        is_resumed = self.run.completed_at is not None
        if is_resumed or any(counters.standing_errors or counters.skipped for counters in counted):
            parents = {resource.name: resource.parent_name for resource in progress.resources}
            self.locked.hold_increments(increments.find_held(parents, self.locked.find_unread_resources()))

    def _mark_rate_limited(self, parked: ResourceState | None) -> None:
        """Move the run to rate limited; the move itself queues its webhook's event, once."""
        wakes_at = parked.wakes_at if parked else None
        if not self.locked.move(RunStatus.RATE_LIMITED, retry_after=wakes_at):
            return
        logger.info("a run waits for its upstream's limit", extra={"run_id": self.run.id, "until": wakes_at})
        if parked is None or wakes_at is None or not events.is_sent(self.run, events.RATE_LIMITED):
            return
        seconds = max(0, math.ceil((wakes_at - self.clock.now()).total_seconds()))
        payload = events.build_rate_limited_payload(
            self.run, resource=parked.resource, method=parked.method, retry_after_seconds=seconds
        )
        envelope = envelope_of(self.run, self.clock)
        self._queue(events.draft_event(envelope, id=new_id(), event=events.RATE_LIMITED, payload=payload))

    def move(self, status: RunStatus) -> bool:
        """Move the run to a status that is not final, and queue its webhook's event; return whether it moved."""
        has_moved = self.locked.move(status)
        if has_moved:
            self._queue_lifecycle(events.UPDATED)
        return has_moved

    def fail(self, error: ErrorDraft) -> None:
        """End the run as failed, unless it has ended."""
        self._end(RunStatus.FAILED, error=view_error(error))

    def _end(self, status: RunStatus, *, error: JsonObject | None = None) -> None:
        self.frees_mutex = True
        if not self.locked.move(status, error=error):
            return
        log_end(self.run, status, error)
        kind = events.COMPLETED if status is RunStatus.COMPLETED else events.FAILED
        if watchers := self.locked.watchers:
            shown, now = self.locked.read_run(), self.clock.now()
            self.locked.announce(events.draft_run_event(shown, kind, to=watchers, at=now))
        self._queue_lifecycle(kind)

    def _queue_lifecycle(self, kind: str) -> None:
        """Queue an event of the run as it is now, if its webhook gets such events."""
        if events.is_sent(self.run, kind):
            self._queue(events.draft_lifecycle(self.locked.read_run(), kind, envelope_of(self.run, self.clock)))

    def _queue(self, event: EventDraft) -> None:
        if unit_id := self.locked.queue_events([event]):
            self._wake(unit_id)

    def _wake(self, unit_id: str) -> None:
        queue = name_queue(self.run.daemon_group_key)
        self.wake_ups.append(WakeUp(run_id=self.run.id, unit_id=unit_id, queue=queue))


def log_end(run: SyncJobRun, status: RunStatus, error: Mapping[str, Any] | None = None) -> None:
    """Log the end of a run."""
    code = {"code": error["code"]} if error else {}
    facts = {"run_id": run.id, "account_id": run.integrated_account_id, "status": status.value, **code}
    logger.info("a run has ended", extra=facts)
    _record_span(run, status, facts.get("code"))
    meters.RUNS_ENDED.labels(status.value, facts.get("code", "")).inc()


def _record_span(run: SyncJobRun, status: RunStatus, code: str | None) -> None:
    facts = {
        "ferryman.run.id": run.id,
        "ferryman.run.status": status.value,
        "ferryman.job.id": run.sync_job_id,
        "ferryman.account.id": run.integrated_account_id,
        "ferryman.environment.id": run.environment_id,
    }
    is_resumed = run.resumes > 0
    started_at = (run.started_at if is_resumed else None) or run.created_at
    tracing.record_run(run.id, facts, started_at=started_at, error=code, resumes=run.resumes)


def view_error(error: ErrorDraft) -> JsonObject:
    """Return an error as a run shows the one that ended it."""
    return {"code": error.code, "message": error.message, "resource": error.resource, "at": format_utc(error.at)}
