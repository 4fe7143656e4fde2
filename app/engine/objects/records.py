"""Persisted records, and the log that numbers their changes, as they are shown."""

from dataclasses import dataclass
from datetime import datetime

from app.engine.json_types import JSON


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredRecord:
    """One persisted record, as ``GET /record`` lists it."""

    integrated_account_id: str
    resource: str
    id: str
    data: JSON
    sync_job_run_id: str
    created_at: datetime
    updated_at: datetime
    synced_at: datetime
    sequence: int = 0
    """Its last change's number in the account's log."""
    deleted_at: datetime | None = None
    """Set on a tombstone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogPage:
    """One page of an account's log, in its order."""

    result: list[StoredRecord]
    next_sequence: int | None
    """The number to read on after; None at the end."""
    limit: int
    gap_until: int | None
    """Retention may have removed entries up to this number which the reader has not seen; None without such a gap."""
