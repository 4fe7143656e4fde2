"""Make the runs of cron triggers whose time has come, each due time once, whenever the leader dies.

A due time is put off before its run is checked, by a minute, so that no trigger can hold up the others however its
leader ends. It is taken away in the transaction that writes the run. Most are written many at once; what does not fit
in, and what a leader has begun and not ended, is looked at alone.

Each due time makes a run, however many there are. Those that were missed for longer than ``LATEST_SECONDS``, since
nobody led or nobody kept up, make one run together.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Final, Protocol

from app.engine.errors import Failure, InvalidInputError, StoreUnavailableError
from app.engine.jobs import cron
from app.engine.objects.environments import EnvironmentId
from app.engine.objects.triggers import DueTrigger
from app.engine.runs.work import EventDraft
from app.engine.webhooks import events
from app.services.maintenance.duty_rows import DutyRows
from app.services.ports import Dispatcher
from app.services.runs.drafts import RunDraft
from app.services.runs.requests import IdempotencyKey, RunRequest
from app.services.schedules.triggers import request_of

logger = logging.getLogger(__name__)

BATCH: Final = 200
LATEST_SECONDS: Final = 300.0
_TURN_SECONDS: Final = 20.0

Announcement = Callable[[Sequence[str]], Sequence[EventDraft]]
"""Makes the events that tell the webhooks of these ids."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadyOccurrence:
    """A due time whose run can be written."""

    due: DueTrigger
    draft: RunDraft
    next_run_at: datetime


class DueTriggers(Protocol):
    """Knows which triggers are due."""

    def due(self, *, limit: int, skipped: Sequence[str]) -> Sequence[DueTrigger]:
        """List triggers whose time has come but for those to be skipped, the longest due first."""

    def begin(self, due: DueTrigger, *, until: datetime | None) -> DueTrigger | None:
        """Put a due time off until then, or for a minute; None when it was not due any more."""

    def begin_all(self, found: Sequence[DueTrigger]) -> Sequence[DueTrigger]:
        """Put due times off for a minute; list those that were still due."""

    def fire(self, due: DueTrigger, draft: RunDraft, *, next_run_at: datetime) -> int | None:
        """Write the run and the next due time at once; give the outbox message's id, None when it was not due any more.

        Of any number of callers for one due time, one writes its run.
        """

    def run_due(self, ready: Sequence[ReadyOccurrence]) -> Mapping[str, int] | None:
        """Write the runs of which all is as their drafts suppose, in one transaction; give their messages by trigger.

        None, and nothing is written, when one of them was not due any more.
        """

    def fail(self, due: DueTrigger, error: str, *, next_run_at: datetime | None, announce: Announcement) -> None:
        """Write that a due time made no run, the next one, and the events of ``announce``.

        Does nothing when it was not due any more.
        """


class Drafts(Protocol):
    """Makes drafts of runs."""

    def draft(
        self,
        environment_id: EnvironmentId,
        request: RunRequest,
        *,
        idempotency: IdempotencyKey | None,
        faults: Sequence[Failure],
    ) -> RunDraft:
        """Make a draft; raise InvalidInputError with ``faults`` and every other one."""

    def draft_unread(self, environment_id: EnvironmentId, request: RunRequest) -> RunDraft | None:
        """Make a draft that supposes what is known of its job; None where something has to be read or refused first."""


class Outbox(Protocol):
    """Keeps promised messages."""

    def remove_soon(self, message_id: int) -> None:
        """Forget a message that was published; it need not be at once."""


class CronScheduler:
    """Fires triggers."""

    def __init__(
        self,
        *,
        triggers: DueTriggers,
        drafts: Drafts,
        outbox: Outbox,
        dispatcher: Dispatcher,
        monotonic: Callable[[], float],
    ) -> None:
        self._triggers = triggers
        self._drafts = drafts
        self._outbox = outbox
        self._dispatcher = dispatcher
        self._monotonic = monotonic
        self._rows = DutyRows("triggers", monotonic=monotonic)

    def run_due_now(self) -> bool:
        """Fire what is due, for some seconds; return whether there may be more."""
        until = self._monotonic() + _TURN_SECONDS
        while found := self._triggers.due(limit=BATCH, skipped=self._rows.skipped()):
            self._fire_together([due for due in found if not due.is_second_try])
            for due in found:
                if due.is_second_try:
                    self._fire_alone(due)
            if self._monotonic() >= until:
                return True
        return False

    def _fire_together(self, found: Sequence[DueTrigger]) -> None:
        """Fire due times in one transaction, and one by one those of which that can not be done."""
        if not found:
            return
        begun = self._triggers.begin_all(found)
        ready = [fire for due in begun if (fire := self._ready(due)) is not None]
        fired = self._fired_at_once(ready)
        for fire in ready:
            if fire.due.trigger.id in fired:
                self._dispatch(fire.draft, fired[fire.due.trigger.id])
        for due in begun:
            if due.trigger.id not in fired:
                self._handle(due, partial(self._make_run, due))

    def _ready(self, due: DueTrigger) -> ReadyOccurrence | None:
        """Make a due time ready; None where something is to be told of it."""
        try:
            unread = self._drafts.draft_unread(due.trigger.environment_id, request_of(due.trigger))
            return ReadyOccurrence(due=due, draft=unread or self._draft(due), next_run_at=_next_time(due))
        except StoreUnavailableError:
            raise
        except Exception:  # Whatever it is, it is found again, and told, when the trigger is looked at alone.
            return None

    def _fired_at_once(self, ready: Sequence[ReadyOccurrence]) -> Mapping[str, int]:
        try:
            return (self._triggers.run_due(ready) if ready else None) or {}
        except StoreUnavailableError:
            raise
        except Exception:  # One of them breaks the statement; it is found, and told, when each is written alone.
            logger.warning("triggers could not be fired together", exc_info=True)
            return {}

    def _fire_alone(self, found: DueTrigger) -> None:
        """Fire a due time that somebody has begun before, whom it may have ended."""
        due = self._rows.handle(found.trigger.id, partial(self._begin_again, found))
        if due is not None:
            self._handle(due, partial(self._make_run, due))

    def _begin_again(self, found: DueTrigger) -> DueTrigger | None:
        """Put a due time off to its trigger's next one, or for a minute where there is none."""
        try:
            until = _next_time(found, latest_seconds=0.0)
        except InvalidInputError:
            until = None
        return self._triggers.begin(found, until=until)

    def _handle(self, due: DueTrigger, act: Callable[[], None]) -> None:
        """Do something about a due time; that it broke is written at its trigger."""
        self._rows.handle(due.trigger.id, act, tell=lambda why: self._fail(due, why, _next_time(due)))

    def _make_run(self, due: DueTrigger) -> None:
        next_run_at = None
        try:
            next_run_at = _next_time(due)
            draft = self._draft(due)
        except InvalidInputError as error:
            logger.warning("a trigger made no run", extra={"trigger_id": due.trigger.id})
            self._fail(due, error.message, next_run_at)
            return
        message_id = self._triggers.fire(due, draft, next_run_at=next_run_at)
        if message_id is not None:
            self._dispatch(draft, message_id)

    def _draft(self, due: DueTrigger) -> RunDraft:
        return self._drafts.draft(due.trigger.environment_id, request_of(due.trigger), idempotency=None, faults=())

    def _dispatch(self, draft: RunDraft, message_id: int) -> None:
        """Publish, now that the run is safe, which only saves the sweeper's second."""
        if self._dispatcher.dispatch_run(draft.id, queue=draft.queue):
            self._outbox.remove_soon(message_id)

    def _fail(self, due: DueTrigger, error: str, next_run_at: datetime | None) -> None:
        self._triggers.fail(
            due,
            error,
            next_run_at=next_run_at,
            announce=lambda to: events.draft_trigger_failed(due, error, next_run_at=next_run_at, to=to),
        )


def _next_time(due: DueTrigger, *, latest_seconds: float = LATEST_SECONDS) -> datetime:
    """Find the due time after one; raise InvalidInputError when there can be none."""
    is_late = due.now - due.due_at > timedelta(seconds=latest_seconds)
    # The clocks of two machines may differ: never the same due time again.
    after = max(due.now, due.due_at) if is_late else due.due_at
    return cron.find_next_due(due.trigger.cron_expression, due.trigger.timezone, after)
