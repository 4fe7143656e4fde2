"""Make the runs of cron triggers whose time has come, each due time once, whenever the leader dies.

A due time is put off before its run is checked, by a minute, so that no trigger can hold up the others however its
leader ends; at a second try to its next time. It is taken away in the transaction that writes the run. Times that were
missed while nobody led make one run.
"""

import logging
import threading
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final, Protocol

from app.engine import announcements, cron
from app.engine.errors import InvalidInputError, StoreUnavailableError
from app.engine.triggers import DueTrigger
from app.engine.work import EventDraft
from app.services.ports import Bell
from app.services.run_drafts import RunDraft
from app.services.triggers import Drafts, request_of

logger = logging.getLogger(__name__)

BATCH: Final = 50


Announcement = Callable[[Sequence[str]], Sequence[EventDraft]]
"""Makes the events that tell the webhooks of these ids."""


class DueTriggers(Protocol):
    """Knows which triggers are due."""

    def due(self, *, limit: int) -> Sequence[DueTrigger]:
        """List triggers whose time has come, the longest due first."""

    def begin(self, due: DueTrigger, *, until: datetime | None) -> DueTrigger | None:
        """Put a due time off until then, or for a minute; None when it was not due any more."""

    def fire(self, due: DueTrigger, draft: RunDraft, *, next_run_at: datetime) -> int | None:
        """Write the run and the next due time at once; give the outbox message's id, None when it was not due any more.

        Of any number of callers for one due time, one writes its run.
        """

    def fail(self, due: DueTrigger, error: str, *, next_run_at: datetime | None, announce: Announcement) -> None:
        """Write that a due time made no run, the next one, and the events of ``announce``.

        Does nothing when it was not due any more.
        """


class Outbox(Protocol):
    """Keeps promised messages."""

    def remove_soon(self, message_id: int) -> None:
        """Forget a message that was published; it need not be at once."""


class Firing:
    """Fires triggers."""

    def __init__(self, *, triggers: DueTriggers, drafts: Drafts, outbox: Outbox, bell: Bell) -> None:
        self._triggers = triggers
        self._drafts = drafts
        self._outbox = outbox
        self._bell = bell

    def fire_due(self) -> None:
        """Fire a batch of what is due."""
        for due in self._triggers.due(limit=BATCH):
            self._fire(due)

    def _fire(self, found: DueTrigger) -> None:
        trigger = found.trigger
        try:
            # The clocks of two machines may differ: never the same due time again.
            next_run_at = cron.next_after(trigger.cron_expression, trigger.timezone, max(found.now, found.due_at))
        except InvalidInputError as error:
            self._fail(found, error.message, None)
            return
        due = self._triggers.begin(found, until=next_run_at if found.is_second_try else None)
        if due is not None:
            self._make_run(due, next_run_at)

    def _make_run(self, due: DueTrigger, next_run_at: datetime) -> None:
        trigger = due.trigger
        try:
            request = request_of(trigger)
            draft = self._drafts.draft(trigger.environment_id, request, idempotency=None, faults=())
        except InvalidInputError as error:
            logger.warning("a trigger made no run", extra={"trigger_id": trigger.id})
            self._fail(due, error.message, next_run_at)
            return
        except StoreUnavailableError:
            raise
        except Exception as error:  # Whatever is wrong with one trigger, the others have their turn.
            logger.exception("a trigger could not be checked", extra={"trigger_id": trigger.id})
            self._fail(due, f"could not be checked ({type(error).__name__})", next_run_at)
            return
        message_id = self._triggers.fire(due, draft, next_run_at=next_run_at)
        # The run is safe: publishing now only saves the sweeper's second.
        if message_id is not None and self._bell.ring_run(draft.id, queue=draft.queue):
            self._outbox.remove_soon(message_id)

    def _fail(self, due: DueTrigger, error: str, next_run_at: datetime | None) -> None:
        self._triggers.fail(
            due,
            error,
            next_run_at=next_run_at,
            announce=lambda to: announcements.trigger_failed(due, error, next_run_at=next_run_at, to=to),
        )


class FiringThread:
    """Fires triggers beside the sweep that asks for it, which has more to do than to check what tenants wrote."""

    def __init__(self, fire_due: Callable[[], None]) -> None:
        self._fire_due = fire_due
        self._thread: threading.Thread | None = None

    def fire_due(self) -> None:
        """Begin to fire a batch of what is due, unless one is under way."""
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=self._fire, name="ferryman-triggers", daemon=True)
            self._thread.start()

    def join(self) -> None:
        """Wait until what is under way has ended."""
        if self._thread is not None:
            self._thread.join()

    def _fire(self) -> None:
        try:
            self._fire_due()
        except Exception:  # Postgres is away: the next sweep asks again.
            logger.warning("triggers could not be fired", exc_info=True)
