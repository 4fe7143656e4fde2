"""What was persisted, page by page."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from app.engine.errors import Failure, InvalidInputError
from app.engine.objects import EnvironmentId, IntegratedAccount, Page, StoredRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordFilters:
    """Which records are meant."""

    integrated_account_id: str
    resource: str | None = None
    sync_job_run_id: str | None = None
    times: Mapping[tuple[str, str], object] = field(default_factory=dict)
    limit: int = 100
    cursor: str | None = None


class RecordStore(Protocol):
    """Reads records."""

    def list(self, filters: RecordFilters) -> Page[StoredRecord]:
        """Read a page of an account's records, by resource and id."""


class AccountReader(Protocol):
    """Reads integrated accounts."""

    def get(self, environment_id: EnvironmentId, account_id: str) -> IntegratedAccount | None:
        """Read one account."""


class RecordService:
    """Records as the API's callers see them."""

    def __init__(self, records: RecordStore, accounts: AccountReader) -> None:
        self._records = records
        self._accounts = accounts

    def list(self, environment_id: EnvironmentId, filters: RecordFilters) -> Page[StoredRecord]:
        """Read a page of an account's records; raise InvalidInputError for an account of nobody here."""
        account_id = filters.integrated_account_id
        if self._accounts.get(environment_id, account_id) is None:
            message = f"integrated account '{account_id}' does not exist"
            raise InvalidInputError([Failure("integrated_account_id", message, missing_reference=True)])
        return self._records.list(filters)
