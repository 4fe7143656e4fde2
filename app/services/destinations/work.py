"""The work of destinations as values: a claim on one account's cursor, what is read there, what became of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from app.engine.objects.destinations import Datastore, Destination
from app.engine.objects.environments import EnvironmentId
from app.services.destinations.ports import LoggedRecord, Quarantined


@dataclass(frozen=True, slots=True, kw_only=True)
class DueCursor:
    """One account's log that is due at a destination."""

    destination_id: str
    account_id: str
    queue: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CursorClaim:
    """The lease on one account's cursor."""

    destination_id: str
    account_id: str
    fence: int
    cursor: int
    range_through: int | None
    """The end of a range whose write was begun before."""
    listed_through: int
    epoch: int
    attempts: int
    """Those that have failed since the last success."""
    is_rebuilding: bool = False
    """Rows are made as they are in Postgres, and what is surplus is deleted at the end of the log."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    """A claim, with what is written where."""

    claim: CursorClaim
    destination: Destination
    datastore: Datastore = field(repr=False)
    environment_id: EnvironmentId
    environment_name: str
    tenant_id: str
    integration_name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LogPart:
    """What stands in a part of an account's log."""

    through: int
    """Everything up to here was read."""
    is_last: bool
    """Whether the log went no further."""
    gap_until: int
    """Retention has removed entries up to this number; 0: none."""
    read: int
    filtered: int
    """Those of resources that the destination does not want."""
    records: Mapping[str, Sequence[LoggedRecord]]
    """By resource, in the order of their sequences."""
    runs: Mapping[int, str] = field(default_factory=dict)
    """By their numbers, the entries that one of the runs asked for has changed last."""
    unreadable: Sequence[Quarantined] = ()
    """Records whose JSON is nested deeper, or has longer numbers, than can be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunBooks:
    """What became of one run's entries in a range; the run waits for its destinations."""

    run_id: str
    through: int
    """The last of these entries: none up to it is counted again."""
    written: int
    unchanged: int
    quarantined: int
    filtered: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """What became of a range: its entries were written, unchanged, quarantined or filtered."""

    through: int
    read: int
    written: int
    unchanged: int
    filtered: int
    quarantined: tuple[Quarantined, ...] = ()
    runs: Sequence[RunBooks] = ()
    landed: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """The keys, by resource, that were written or unchanged: what was quarantined of them before is no more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ErasedPlace:
    """A destination that holds something of an account which is erased."""

    destination: Destination
    datastore: Datastore = field(repr=False)
    tenant_id: str
    """Empty where nothing knows it any more: then it may be any."""
