"""Make the runs of cron triggers whose time has come, each due time once, whenever the leader dies.

A due time is postponed before its run is checked, by a minute, so that no trigger can hold up the others however its
leader ends. It is removed in the transaction that writes the run. Most are written many at once; what does not fit in,
and what a leader has begun and not ended, is handled alone.

Each due time makes a run, however many there are. Those that were missed for longer than ``LATEST_SECONDS``, without a
leader or with one that is too slow, make one run together.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from app.engine.errors import InvalidInputError, StoreUnavailableError
from app.engine.jobs import cron
from app.engine.objects.triggers import DueTrigger
from app.engine.webhooks import events
from app.services.maintenance.duty_rows import DutyRows
from app.services.ports import Dispatcher
from app.services.runs.drafts import RunDrafts
from app.services.runs.requests import RunDraft
from app.services.schedules.ports import DueTriggers, ReadyOccurrence
from app.services.schedules.triggers import request_of

logger = logging.getLogger(__name__)

BATCH: Final = 200
LATEST_SECONDS: Final = 300.0
_TURN_SECONDS: Final = 20.0


class CronScheduler:
    """Makes the runs of triggers that are due."""

    def __init__(
        self,
        *,
        triggers: DueTriggers,
        drafts: RunDrafts,
        remove_message: Callable[[int], object],
        dispatcher: Dispatcher,
        monotonic: Callable[[], float],
    ) -> None:
        self._triggers = triggers
        self._drafts = drafts
        self._remove_message = remove_message
        self._dispatcher = dispatcher
        self._monotonic = monotonic
        self._rows = DutyRows("triggers", monotonic=monotonic)

    def run_due_now(self) -> bool:
        """Make the runs that are due, for some seconds; return whether there may be more."""
        until = self._monotonic() + _TURN_SECONDS
        while found := self._triggers.find_due(limit=BATCH, skipped=self._rows.list_skipped()):
            self._run_together([due for due in found if not due.is_second_try])
            for due in found:
                if due.is_second_try:
                    self._run_alone(due)
            if self._monotonic() >= until:
                return True
        return False

    def _run_together(self, found: Sequence[DueTrigger]) -> None:
        """Make the runs of due times in one transaction, and one by one where that can not be done."""
        if not found:
            return
        begun = self._triggers.begin_all(found)
        ready = [fire for due in begun if (fire := self._prepare(due)) is not None]
        written = self._write_together(ready)
        for fire in ready:
            if fire.due.trigger.id in written:
                self._dispatch(fire.draft, written[fire.due.trigger.id])
        for due in begun:
            if due.trigger.id not in written:
                self._handle(due, partial(self._make_run, due))

    def _prepare(self, due: DueTrigger) -> ReadyOccurrence | None:
        """Draft the run of a due time; None where an error is to be written at its trigger."""
        try:
            unread = self._drafts.draft_unread(due.trigger.environment_id, request_of(due.trigger))
            return ReadyOccurrence(due=due, draft=unread or self._draft(due), next_run_at=_find_next_time(due))
        except StoreUnavailableError:
            raise
        except Exception:  # Whatever it is, it is found again, and written, when the trigger is looked at alone.
            return None

    def _write_together(self, ready: Sequence[ReadyOccurrence]) -> Mapping[str, int]:
        try:
            return (self._triggers.run_due(ready) if ready else None) or {}
        except StoreUnavailableError:
            raise
        except Exception:  # One of them breaks the statement; it is found, and written, when each is handled alone.
            logger.warning("runs of triggers could not be written together", exc_info=True)
            return {}

    def _run_alone(self, found: DueTrigger) -> None:
        """Make the run of a due time that another leader has begun before, whom it may have ended."""
        due = self._rows.handle(found.attempt_key, partial(self._begin_again, found))
        if due is not None:
            self._handle(due, partial(self._make_run, due))

    def _begin_again(self, found: DueTrigger) -> DueTrigger | None:
        """Postpone a due time to its trigger's next one, or by a minute where there is none."""
        try:
            until = _find_next_time(found, latest_seconds=0.0)
        except InvalidInputError:
            until = None
        return self._triggers.begin(found, until=until)

    def _handle(self, due: DueTrigger, act: Callable[[], None]) -> None:
        """Do something about a due time; what it breaks by is written at its trigger."""
        self._rows.handle(due.attempt_key, act, report=lambda why: self._fail(due, why, _find_next_time(due)))

    def _make_run(self, due: DueTrigger) -> None:
        next_run_at = None
        try:
            next_run_at = _find_next_time(due)
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
            self._remove_message(message_id)

    def _fail(self, due: DueTrigger, error: str, next_run_at: datetime | None) -> None:
        self._triggers.fail(
            due,
            error,
            next_run_at=next_run_at,
            announce=lambda to: events.draft_trigger_failed(due, error, next_run_at=next_run_at, to=to),
        )


def _find_next_time(due: DueTrigger, *, latest_seconds: float = LATEST_SECONDS) -> datetime:
    """Find the due time after one; raise InvalidInputError when there can be none."""
    is_late = due.now - due.due_at > timedelta(seconds=latest_seconds)
    # The clocks of two machines may differ: never the same due time again.
    after = max(due.now, due.due_at) if is_late else due.due_at
    return cron.find_next_due(due.trigger.cron_expression, due.trigger.timezone, after)
