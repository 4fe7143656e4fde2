"""Datastores, and the destinations that write into them."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Literal

from app.engine.json_types import JsonObject
from app.engine.objects.environments import EnvironmentId
from app.engine.status import CursorStatus


class DatastoreType(StrEnum):
    """What a datastore is."""

    POSTGRES = "postgres"
    S3 = "s3"
    GOOGLE_CLOUD_STORAGE = "google_cloud_storage"
    AZURE_BLOB = "azure_blob"
    FILESYSTEM = "filesystem"
    DUCKDB = "duckdb"


class WriteMode(StrEnum):
    """What of a record a destination holds."""

    MERGE = "merge"
    """Its latest state, one row for each key."""
    APPEND = "append"
    """Every state that the reader saw, one row for each key and sequence."""


class Deletes(StrEnum):
    """What becomes of a record that was deleted, in the mode ``merge``."""

    SOFT = "soft"
    """It stays with the time in ``deleted_at``."""
    HARD = "hard"
    """It is removed."""


class Layout(StrEnum):
    """How tables are divided."""

    SHARED = "shared"
    """One table for each resource, with the records of all accounts."""
    TENANT = "tenant"
    """The tables of each tenant apart: in a schema, a folder or a file of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Datastore:
    """Where destinations write: a database, a bucket, a folder."""

    id: str
    environment_id: EnvironmentId
    type: DatastoreType
    label: str | None = None
    config: JsonObject = field(default_factory=dict, repr=False)
    """With its secrets, for who connects; ``show_config`` leaves them out."""
    unreadable: str | None = None
    """Why its config does not decrypt, which is empty then."""
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """Which records are written into a datastore, and how."""

    id: str
    environment_id: EnvironmentId
    datastore_id: str
    label: str | None = None
    integrated_account_id: str | None = None
    """The only account that it reads; None: all of its environment, or of its job."""
    sync_job_id: str | None = None
    """It reads the accounts, and the resources, that runs of this job have brought."""
    resources: list[str] | Literal["*"] = "*"
    mode: WriteMode = WriteMode.MERGE
    deletes: Deletes = Deletes.SOFT
    layout: Layout = Layout.SHARED
    options: JsonObject = field(default_factory=dict)
    """What only a type of datastore knows, such as the format of files."""
    daemon_group_key: str | None = None
    """The only daemons that write there; needed where a file has one writer."""
    epoch: int = 0
    """How often it was filled anew."""
    paused_at: datetime | None = None
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class DestinationCursor:
    """How far one account's log is written at a destination, and what became of its entries."""

    destination_id: str
    integrated_account_id: str
    status: CursorStatus
    cursor: int
    last_sequence: int
    """Of the account's log."""
    lag_seconds: float
    """For how long the oldest entry that is not written has waited; 0: there is none."""
    epoch: int
    attempts: int
    failing_since: datetime | None
    last_error: str | None
    error_code: str | None
    due_at: datetime
    written_at: datetime | None
    read: int
    written: int
    unchanged: int
    quarantined: int
    filtered: int

    @property
    def lag_records(self) -> int:
        """How many numbers of the log are not written; some may be of events, or of changes that others followed."""
        return max(0, self.last_sequence - self.cursor)


@dataclass(frozen=True, slots=True, kw_only=True)
class QuarantinedRecord:
    """A record that a destination has left out, as it does not fit its frozen schema."""

    integrated_account_id: str
    resource: str
    remote_id: str
    sequence: int
    """Of the change that did not fit."""
    reason: str
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class DestinationProgress:
    """A destination as a whole: its accounts' cursors together."""

    accounts: int
    failing: int
    rebuilding: int
    """Accounts of which what is surplus was not looked for yet."""
    lag_records: int
    lag_seconds: float
    last_error: str | None
    """The newest one that still holds."""
    read: int
    written: int
    unchanged: int
    quarantined: int
    filtered: int
