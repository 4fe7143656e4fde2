"""What destinations need from outside: a writer of each type of datastore, and of the store."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import NamedTuple, Protocol, TypeAlias

from app.engine.json_types import JSON, JsonObject
from app.engine.objects.destinations import DatastoreType, Deletes, Layout, WriteMode
from app.engine.schemas.columns import ResourceSchema


class LoggedRecord(NamedTuple):
    """One record as it stands in its account's log: a change, or a tombstone. A tuple, since there are many."""

    remote_id: str
    sequence: int
    """Of its last change: whoever holds a higher one for the key leaves this one out."""
    synced_at: datetime
    deleted_at: datetime | None = None
    data: JSON = None
    """As it was synced; what a column shows of it is ``values.fit``."""
    is_absent: bool = False
    """It vanished while nobody read: ``data`` is null, and only its key and ``deleted_at`` are known.

    Where the target holds it, it is marked or removed as deleted, and its columns stay.
    """


class HeldKey(NamedTuple):
    """What a target holds of one record. A tuple, since there are many."""

    key: str
    sequence: int
    is_deleted: bool
    """It is marked as deleted there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quarantined:
    """A record that is left out: it can not be read, does not fit its frozen schema, or the target refuses it."""

    resource: str
    remote_id: str
    sequence: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """The records of one resource in a range of the log: one for each key, in the order of their sequences."""

    resource: str
    schema: ResourceSchema
    """Learned from these records too; ``list_shown`` are the columns to write."""
    records: Sequence[LoggedRecord]


@dataclass(frozen=True, slots=True, kw_only=True)
class LogRange:
    """What a destination writes at once: of one account, everything from a sequence to another that it wants.

    The bounds are recorded in Postgres before ``write`` is called, so that a repeat after a crash has the same ones. A
    repeat may hold fewer records: those that have changed since stand at higher sequences, in a later range.
    """

    environment_id: str
    environment_name: str
    account_id: str
    tenant_id: str
    integration_name: str
    epoch: int
    """Rises with each backfill: a cursor at the target of another epoch counts no more."""
    first_sequence: int
    last_sequence: int
    batches: Sequence[Batch] = ()
    """One for each resource; none where the range holds nothing that the destination wants."""
    listing: str = ""
    """Of records that a full listing found absent: what distinguishes such ranges, which all end at one sequence.

    ``last_sequence`` is that of the listing then, ``first_sequence`` one more, and no cursor moves.
    """
    is_rebuild: bool = False
    """Rows are made as they are here, whatever sequence the target has for them."""
    is_itemized: bool = False
    """A run waits for some of the records: which of them were written is asked for, not how many alone."""

    def without(self, left_out: Collection[Quarantined]) -> "LogRange":
        """Return the same range without some records; a resource of which none is left has no batch."""
        if not left_out:
            return self
        numbers = {one.sequence for one in left_out}
        kept = [
            replace(batch, records=[record for record in batch.records if record.sequence not in numbers])
            for batch in self.batches
        ]
        return replace(self, batches=[batch for batch in kept if batch.records])


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What came of a range."""

    written: int
    """Rows that are new or changed at the target."""
    unchanged: int = 0
    """Records that the target held already, at the same sequence or a higher one."""
    bytes: int = 0
    sequences: frozenset[int] | None = None
    """Of the records that were written, where the range is itemized; None: they are all."""
    refused: Sequence[Quarantined] = ()
    """Records that the target can not hold. Where there are some, nothing of the range counts as written.

    The range is to be written again without them; there may be more of them.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A destination and its datastore, as a writer needs them."""

    destination_id: str
    environment_id: str
    environment_name: str
    type: DatastoreType
    config: JsonObject = field(repr=False)
    """The datastore's, valid, with its secrets."""
    options: JsonObject = field(default_factory=dict)
    mode: WriteMode = WriteMode.MERGE
    deletes: Deletes = Deletes.SOFT
    layout: Layout = Layout.SHARED


class DestinationWriter(Protocol):
    """Writes to one destination; used by one thread at a time.

    Every method raises DestinationError, whose ``is_final`` says whether another attempt would fail too, and whose
    message holds no secret.
    """

    def test(self) -> JsonObject:
        """Connect, write something and remove it; return facts, such as a server's version."""

    def write(self, log_range: LogRange, *, fence: int) -> Written:
        """Write a range, durably once it returns; the same range again changes nothing.

        A record that by itself can not be written is returned as refused: only what the target says of this record
        counts, never that the target is away, full or closed to the writer.
        Raise LeaseLostError where the target knows of a higher fence for the account.
        """

    def read_cursor(self, account_id: str, epoch: int) -> int | None:
        """Return how far the account is written, where the target itself keeps that; None: Ferryman's cursor counts.

        The lower of the two counts: a target that was restored from a backup is filled again from there. Where it was
        written in an earlier epoch, how far that was may be returned, as it holds all of it.
        """

    def read_held(self, account_id: str, tenant_id: str, resource: str) -> Iterator[HeldKey]:
        """Yield what the target holds of a resource, the latest of each key; what is marked as deleted is among it."""

    def erase(self, account_id: str, tenant_id: str, resource: str | None) -> int:
        """Remove everything of an account, or of one of its resources, for good; return how many rows or files."""

    def close(self) -> None:
        """Let go of connections and files."""


OpenWriter: TypeAlias = Callable[[Target], DestinationWriter]
"""Makes a writer, which connects at its first use; one for each type of datastore."""
Writers: TypeAlias = Mapping[DatastoreType, OpenWriter]
"""Types that are not in it need an extra that is not installed."""
