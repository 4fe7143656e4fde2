"""What the leader and daemons need of the store in the background, each as a role; with the values that it returns."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, TypeVar

from app.engine.json_types import JsonObject
from app.engine.objects.accounts import Erasure
from app.engine.objects.daemons import Daemon
from app.engine.objects.environments import EnvironmentId
from app.engine.objects.lists import ListFilters, Page
from app.engine.runs.work import PendingEvent
from app.engine.status import DeliveryStatus

T_co = TypeVar("T_co", covariant=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class LostBefore:
    """Which messages of a queue are lost."""

    at: datetime
    """Those from before that which no daemon has handled."""
    is_empty: bool
    """Whether nothing of it waits, so that nothing needs to be spared."""


class DueRows(Protocol[T_co]):
    """Finds units, or runs, that wait in vain."""

    def find_due_queues(self, *, ring_after_seconds: float) -> Sequence[str]:
        """List the queues of those that were dispatched, and that no daemon has taken although one could."""

    def dispatch_due(self, lost: Mapping[str, LostBefore], *, ring_after_seconds: float, limit: int) -> Sequence[T_co]:
        """Mark and list those to dispatch: whose timer is due, and whose message is lost.

        A message is repeated after twice the time of the one before, up to ten minutes; at once where a queue is empty.
        """

    def redispatch(self, ids: Sequence[str], /) -> None:
        """Mark some as not dispatched: the broker did not take the message."""


class Announcements(Protocol):
    """The events of no run that wait."""

    def take_due(
        self, *, limit: int, most_of_webhook: int, lease_seconds: float
    ) -> Sequence[tuple[EnvironmentId | None, PendingEvent]]:
        """Lease some due events for so long, in turn over their webhooks; return each with its environment.

        The environment is None where the webhook was deleted.
        """

    def settle(self, event_id: str, end: DeliveryStatus, *, status_code: int | None, error: str | None) -> None:
        """Write the final status of an event."""

    def record_failed_attempt(self, event_id: str, *, status_code: int | None, error: str, wake_seconds: float) -> None:
        """Record why an attempt failed; the event is due again later."""

    def release(self, event_id: str, *, wake_seconds: float) -> None:
        """Release an event that was not sent; it is due again later."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Heartbeat:
    """A daemon's report that it lives."""

    daemon_id: str
    silent_seconds: float | None
    """How long before the report it took its last message; None when it has not taken one yet."""


class DaemonStore(Protocol):
    """Reads the registry of daemons."""

    def get(self, daemon_id: str) -> Daemon | None:
        """Find one daemon."""

    def list(self, filters: ListFilters) -> Page[Daemon]:
        """Read a page of daemons."""

    def count_live_by_group(self, *, within_seconds: float) -> dict[str, int]:
        """Count the daemons of each group that reported, and took a message, not longer ago than this."""

    def read_failing_duties(self, *, within_seconds: float) -> JsonObject:
        """Read which duties fail, and by what, of the daemons that reported not longer ago than this."""


class Erasures(Protocol):
    """Finds what is to be erased, and erases it."""

    def find_due(self, *, skipped: Sequence[str], limit: int) -> Sequence[Erasure]:
        """List the erasures that are due, but for those to be skipped."""

    def find_live_runs(self, account_id: str, *, limit: int) -> Sequence[str]:
        """List runs of an account that have not ended."""

    def begin(self, id: str) -> None:
        """Record that an erasure has begun: destinations read nothing of the account any more."""

    def erase_some(self, erasure: Erasure, *, limit: int, may_finish: bool = True) -> bool:
        """Erase so many rows, and record the end once none is left; return whether there may be more."""

    def record_error(self, id: str, error: str) -> None:
        """Record why an erasure does not continue."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpiredRun:
    """A run that ended long ago."""

    id: str
    place: tuple[object, str]
    """Where it stands among all ended runs."""
    may_go: bool
    """False while its events are not delivered, a state names it, or the next increment begins where it began."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PrunedRuns:
    """What became of runs that were to be pruned."""

    rows: int
    is_done: bool
    """Whether nothing is left of them."""


class PrunableRows(Protocol):
    """Holds what is over; each method removes at most ``limit`` rows in one transaction and returns how many.

    They begin after the ``skip`` oldest, which can not be removed.
    """

    def prune_bodies(self, *, seconds: float, limit: int, skip: int) -> int:
        """Empty the bodies of events that were delivered so long ago."""

    def prune_tombstones(self, *, seconds: float, limit: int, skip: int) -> int:
        """Remove records that were marked as deleted so long ago."""

    def prune_keys(self, *, limit: int, skip: int) -> int:
        """Remove idempotency keys that have expired."""

    def prune_messages(self, *, limit: int, skip: int) -> int:
        """Remove promised messages about runs that no longer wait for one."""

    def prune_daemons(self, *, seconds: float, limit: int, skip: int) -> int:
        """Remove daemons that stopped so long ago."""

    def prune_occurrences(self, *, seconds: float, limit: int, skip: int) -> int:
        """Remove the outcomes of triggers' due times of so long ago."""

    def prune_calls(self, *, seconds: float, limit: int, skip: int) -> int:
        """Remove direct calls that were made so long ago."""

    def prune_audit_entries(self, *, seconds: float, limit: int, skip: int) -> int:
        """Remove entries of the audit log of so long ago."""

    def prune_announcements(self, *, seconds: float, limit: int, skip: int) -> int:
        """Remove events of no run that ended so long ago."""

    def prune_notifications(self, *, seconds: float, limit: int, skip: int) -> int:
        """Remove notifications that were written so long ago, and sent or given up."""

    def prune_incidents(self, *, seconds: float, limit: int, skip: int) -> int:
        """Remove incidents that were over so long ago."""

    def prune_vanished(self, *, seconds: float, limit: int, skip: int) -> int:
        """Remove what was sent to webhooks as vanished so long ago."""

    def prune_told_to_nobody(self, *, limit: int, skip: int) -> int:
        """Remove what webhooks were told that were deleted since."""

    def find_expired_runs(
        self, *, seconds: float, after: tuple[object, str] | None, limit: int
    ) -> Sequence[ExpiredRun]:
        """List runs that ended so long ago, oldest first, on from a place."""

    def prune_runs(self, run_ids: Sequence[str], *, seconds: float, limit: int) -> PrunedRuns:
        """Remove so many rows of runs, and last the runs themselves; one that lives again is left as it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberingPlace:
    """How far the numbering is."""

    account_id: str | None
    """The account that it has come to; None at the beginning."""


class Numbers(Protocol):
    """Numbers the records that have no number."""

    def place(self) -> NumberingPlace | None:
        """Return how far it is; None when all records have numbers."""

    def find_next_account(self, after: str | None) -> str | None:
        """Find the next account that has records."""

    def number_some(self, account_id: str, *, limit: int) -> int:
        """Number so many records of an account, and record that it has come to it; return how many."""

    def begin_anew(self) -> None:
        """Begin again with the first account."""

    def finish(self) -> None:
        """Record that all records have numbers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DataKey:
    """A data key as operators see it."""

    id: str
    created_at: datetime
    retired_at: datetime | None


class Keys(Protocol):
    """Keeps the wrapped keys."""

    def read_current(self) -> tuple[str, bytes] | None:
        """Return the key that seals."""

    def list(self) -> Sequence[DataKey]:
        """List the keys, the newest first."""

    def list_wrapped(self) -> Mapping[str, bytes]:
        """Return all keys' wrapped forms."""

    def rewrap(self, key_id: str, wrapped: bytes) -> None:
        """Replace a key's wrapped form."""

    def refuse_unbound(self) -> None:
        """Make all processes refuse what is bound to no place."""

    def remove(self, key_id: str, *, retired_for_seconds: float) -> bool:
        """Remove a key that was retired so long ago."""


class EncryptedRows(Protocol):
    """The rows in which something is sealed."""

    def reseal_some(self, key_id: str, *, limit: int, unreadable: set[str]) -> int:
        """Seal some rows anew that another key has sealed, or none for its place; return how many were found.

        One that does not open is named in ``unreadable`` and left as it is; those in it are passed over.
        """

    def count_by_key(self) -> Mapping[str, int]:
        """Count the rows by the key that sealed them; without a data key the id is empty."""
