"""What the services that read records and logs need from outside."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from app.engine.objects.environments import EnvironmentId
from app.engine.schemas.columns import ColumnType
from app.formats.layout import Row


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordFilters:
    """Which records of an account to list."""

    integrated_account_id: str
    resource: str | None = None
    id: str | None = None
    """The upstream's."""
    sync_job_run_id: str | None = None
    times: Mapping[tuple[str, str], object] = field(default_factory=dict)
    with_deleted: bool = False
    limit: int = 100
    cursor: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LogFilters:
    """Where to continue to read an account's log."""

    integrated_account_id: str
    after: int
    resource: str | None = None
    limit: int = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportFilters:
    """Which records of an environment to export."""

    resource: str
    integration_name: str | None = None
    integrated_account_id: str | None = None
    """None: all accounts."""
    id: str | None = None
    """The upstream's."""
    sync_job_run_id: str | None = None
    times: Mapping[tuple[str, str], object] = field(default_factory=dict)
    with_deleted: bool = False
    after: int | None = None
    """Of one account, only what its log has after this number, in its order and tombstones included."""


class ExportedAccount(NamedTuple):
    """An account that has records of a resource."""

    id: str
    tenant_id: str
    integration_name: str


class LogSpan(NamedTuple):
    """Where an account's log begins and ends."""

    trimmed_through: int
    """Retention may have removed entries up to here."""
    last_sequence: int


class ExportStore(Protocol):
    """Reads the records of many accounts in bounded memory."""

    def list_accounts(self, environment_id: EnvironmentId, filters: ExportFilters) -> Sequence[ExportedAccount]:
        """Return the accounts that have records of the resource, tombstones included."""

    def list_resources(self, environment_id: EnvironmentId, filters: ExportFilters) -> Sequence[str]:
        """List the resources that integrations, jobs or records have, of one integration or of all; sorted."""

    def read_span(self, account_id: str) -> LogSpan:
        """Return how far an account's log reaches."""

    def read_types(self, account_ids: Sequence[str], resource: str) -> Mapping[str, set[ColumnType]]:
        """Return which types the values of each key have, in the records that no schema was learned from yet."""

    def read_pages(
        self, account: ExportedAccount, filters: ExportFilters, through: int | None
    ) -> Iterator[Sequence[Row]]:
        """Yield an account's records page by page; those after ``filters.after`` up to the number ``through``."""
