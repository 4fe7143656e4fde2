"""What the leader and daemons need of the store in the background, each as a role; with the values that it returns."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, TypeVar

from app.engine.objects.accounts import Erasure
from app.engine.objects.environments import EnvironmentId
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
    """Holds what is over."""

    def prune(self, kind: str, *, limit: int, skip: int = 0, seconds: float = 0.0) -> int:
        """Remove some rows of a kind that are over, or that old, behind the ``skip`` oldest; return how many."""

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
    """Stores the wrapped keys."""

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
