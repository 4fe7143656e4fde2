"""What the services that read records and logs need from outside."""

from collections.abc import Mapping
from dataclasses import dataclass, field


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
