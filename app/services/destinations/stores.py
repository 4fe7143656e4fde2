"""What destinations need of the store, each as a role."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from app.engine.objects.accounts import Erasure
from app.engine.objects.destinations import (
    Destination,
    DestinationCursor,
    DestinationProgress,
    QuarantinedRecord,
)
from app.engine.objects.environments import EnvironmentId
from app.engine.objects.lists import Page
from app.services.crud import Store
from app.services.destinations.work import Claimed, CursorClaim, DueCursor, ErasedPlace, LogPart, Moved


class DestinationStore(Store[Destination], Protocol):
    """Stores destinations, with their cursors."""

    def pause(self, environment_id: EnvironmentId, destination_id: str, *, is_paused: bool) -> Destination | None:
        """Have nothing more written, or go on, at once."""

    def begin_anew(
        self, environment_id: EnvironmentId, destination_id: str, *, cursor: int, is_rebuild: bool = False
    ) -> Destination | None:
        """Have everything behind a number written again, of all accounts; a rebuild also removes what is surplus."""

    def wake_datastore(self, datastore_id: str) -> None:
        """Try at once what has failed in a datastore."""

    def list_cursors(self, destination_id: str, *, cursor: str | None, limit: int) -> Page[DestinationCursor]:
        """Read a page of a destination's cursors."""

    def list_quarantined(self, destination_id: str, *, cursor: str | None, limit: int) -> Page[QuarantinedRecord]:
        """Read a page of the records that a destination has left out."""

    def read_progress(self, destination_ids: Sequence[str]) -> Mapping[str, DestinationProgress]:
        """Return each destination as a whole."""


class Cursors(Protocol):
    """The cursors as those who write work on them; every change names the fence of its claim."""

    def claim(
        self, destination_id: str, account_id: str, *, owner: str, lease_seconds: float, most_of_destination: int
    ) -> CursorClaim | None:
        """Take the lease of a cursor that is due and free, unless so many of its destination are being written."""

    def load(self, claim: CursorClaim) -> Claimed | None:
        """Read what is written where; None: it is gone. Raises UnreadableSecretError."""

    def fix_range(self, claim: CursorClaim, through: int) -> bool:
        """Record up to where the next write goes; False: the lease is lost, or the destination was paused."""

    def may_write(self, claim: CursorClaim) -> bool:
        """Whether the lease is held and the destination not paused: what ``fix_range`` asks, where no range is."""

    def move(self, claim: CursorClaim, moved: Moved) -> None:
        """Move the cursor to the end of a range that is written; raise LeaseLostError."""

    def note_listed(self, claim: CursorClaim, through: int) -> None:
        """Record that what vanished in a gap was found by a listing; raise LeaseLostError."""

    def note_rebuilt(self, claim: CursorClaim) -> None:
        """Record that the target holds nothing surplus any more; raise LeaseLostError."""

    def keep(self, claim: CursorClaim, *, lease_seconds: float) -> bool:
        """Prolong the lease; False when it is gone."""

    def hand_back(self, claim: CursorClaim) -> None:
        """Give the lease up, if it is still held."""

    def fail(self, claim: CursorClaim, *, error: str, code: str, wake_seconds: float) -> None:
        """Give the lease up with what went wrong; it is due again later."""

    def list_erased(self, erasure: Erasure, *, limit: int) -> Sequence[ErasedPlace]:
        """List destinations that have read the account and are not done; raise UnreadableSecretError."""

    def take_erased(self, place: ErasedPlace, erasure: Erasure, *, lease_seconds: float) -> int | None:
        """Take the lease of the account's cursor; None: somebody writes."""

    def note_erased(self, place: ErasedPlace, erasure: Erasure, *, fence: int, count: int) -> None:
        """Record that a destination holds nothing of it any more: its cursor is gone, or begins anew."""


class DueCursors(Protocol):
    """Finds the cursors that lag."""

    def has_any(self) -> bool:
        """Whether there is a destination that writes."""

    def add_new(self, *, limit: int) -> int:
        """Give cursors to accounts whose logs a destination is to read and does not yet; return how many."""

    def dispatch_due(self, *, most_of_destination: int, ring_after_seconds: float, limit: int) -> Sequence[DueCursor]:
        """Mark and list the cursors that lag, in turn over their destinations."""

    def next_of(self, destination_id: str, *, ring_after_seconds: float) -> DueCursor | None:
        """Mark and return the cursor of a destination that has waited longest."""

    def redispatch(self, cursors: Sequence[DueCursor]) -> None:
        """Mark cursors as not dispatched: the broker did not take the message."""

    def put_back(self, destination_id: str, account_id: str, *, seconds: float) -> None:
        """Record that a daemon had no room for a cursor: the leader waits so long, a slice that ends does not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenAccount:
    """An account with how far it is written at a destination."""

    destination_id: str
    account_id: str
    tenant_id: str
    cursor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """A record as it stands in Postgres, beside a destination's cursor."""

    sequence: int
    is_deleted: bool
    is_behind: bool
    """It has changed since: its number is beyond the cursor."""
    is_quarantined: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectedRecords:
    """How many records a target should hold."""

    records: int
    quarantined: int
    """Those that are left out of them, as they do not fit."""


class LoggedRecords(Protocol):
    """The records of accounts, and their logs, as destinations read and compare them."""

    def read(
        self,
        account_id: str,
        *,
        after: int,
        limit: int,
        through: int | None = None,
        resources: Collection[str] | None = None,
    ) -> LogPart:
        """Read on after a number, ``limit`` entries at most, or all up to ``through``; None of resources is all."""

    def find_absent(self, account_id: str, resource: str, ids: Sequence[str]) -> set[str]:
        """Return those of some ids of which there is no record, not even a tombstone."""

    def last_sequence(self, account_id: str) -> int:
        """Return the last number of an account's log."""

    def list_accounts(self, destination_id: str) -> Sequence[WrittenAccount]:
        """List the accounts that have a cursor, and are not deleted."""

    def read_again(self, account: WrittenAccount) -> WrittenAccount:
        """Return an account with its cursor as it is now."""

    def list_resources(self, account: WrittenAccount) -> Sequence[str]:
        """List the resources of which there are records."""

    def count(self, account: WrittenAccount, resource: str, *, with_deleted: bool) -> ExpectedRecords:
        """Count the records up to the cursor."""

    def look_up(self, account: WrittenAccount, resource: str, ids: Sequence[str]) -> Mapping[str, Settled]:
        """Return those of some records that there are."""
