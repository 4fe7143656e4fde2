"""What was persisted, page by page."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from app.engine.errors import Failure, InvalidInputError
from app.engine.objects.accounts import Erasure, IntegratedAccount
from app.engine.objects.environments import EnvironmentId
from app.engine.objects.lists import ListFilters, Page
from app.engine.objects.records import LogPage, StoredRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordFilters:
    """Which records are meant."""

    integrated_account_id: str
    resource: str | None = None
    id: str | None = None
    """The one that the upstream calls so."""
    sync_job_run_id: str | None = None
    times: Mapping[tuple[str, str], object] = field(default_factory=dict)
    with_deleted: bool = False
    limit: int = 100
    cursor: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LogFilters:
    """Where to read an account's log on."""

    integrated_account_id: str
    after: int
    resource: str | None = None
    limit: int = 100


class RecordStore(Protocol):
    """Reads records."""

    def list(self, filters: RecordFilters) -> Page[StoredRecord]:
        """Read a page of an account's records, by resource and id."""


class Log(Protocol):
    """Reads the logs of accounts."""

    def read(self, filters: LogFilters) -> LogPage:
        """Read on after a number."""


class Tombstones(Protocol):
    """Brings deleted records back."""

    def restore(self, account_id: str, run_id: str, resource: str | None) -> int:
        """Bring back what a run has deleted; count it."""


class Erasures(Protocol):
    """Takes down what is to be erased."""

    def create_of_resource(self, environment_id: EnvironmentId, account_id: str, resource: str) -> Erasure:
        """Ask for the records of an account's resource to be erased at once."""


class ErasureReader(Protocol):
    """Shows what is to be erased, and what was."""

    def get(self, environment_id: EnvironmentId, id: str) -> Erasure | None:
        """Read one erasure."""

    def list(self, environment_id: EnvironmentId, filters: ListFilters) -> Page[Erasure]:
        """Read a page of erasures."""


class AccountReader(Protocol):
    """Reads integrated accounts."""

    def get(self, environment_id: EnvironmentId, account_id: str) -> IntegratedAccount | None:
        """Read one account."""


class RecordService:
    """Records as the API's callers see them."""

    def __init__(
        self,
        *,
        records: RecordStore,
        log: Log,
        tombstones: Tombstones,
        accounts: AccountReader,
        erasures: Erasures,
    ) -> None:
        self._erasures = erasures
        self._records = records
        self._log = log
        self._tombstones = tombstones
        self._accounts = accounts

    def list(self, environment_id: EnvironmentId, filters: RecordFilters) -> Page[StoredRecord]:
        """Read a page of an account's records; raise InvalidInputError for an account of nobody here."""
        self._check_account(environment_id, filters.integrated_account_id)
        return self._records.list(filters)

    def changes(self, environment_id: EnvironmentId, filters: LogFilters) -> LogPage:
        """Read an account's log on after a number; raises as ``list`` does."""
        self._check_account(environment_id, filters.integrated_account_id)
        return self._log.read(filters)

    def restore(self, environment_id: EnvironmentId, account_id: str, *, run_id: str, resource: str | None) -> int:
        """Bring back the records that a run has deleted and count them; raises as ``list`` does."""
        self._check_account(environment_id, account_id)
        return self._tombstones.restore(account_id, run_id, resource)

    def erase(self, environment_id: EnvironmentId, account_id: str, resource: str) -> Erasure:
        """Have all that is held of an account's resource erased in the background; raises as ``list`` does."""
        self._check_account(environment_id, account_id)
        return self._erasures.create_of_resource(environment_id, account_id, resource)

    def _check_account(self, environment_id: EnvironmentId, account_id: str) -> None:
        if self._accounts.get(environment_id, account_id) is None:
            message = f"integrated account '{account_id}' does not exist"
            raise InvalidInputError([Failure("integrated_account_id", message, missing_reference=True)])
