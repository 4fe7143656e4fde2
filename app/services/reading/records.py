"""Persisted records and the log of their changes, page by page."""

from collections.abc import Callable

from app.engine.errors import InvalidInputError
from app.engine.objects.accounts import Erasure, IntegratedAccount
from app.engine.objects.environments import EnvironmentId
from app.engine.objects.lists import Page
from app.engine.objects.records import LogPage, StoredRecord
from app.services.crud import Reader, missing_reference
from app.services.reading.ports import LogFilters, RecordFilters


class RecordService:
    """Records as the API's callers see them; every method raises InvalidInputError for an unknown account."""

    def __init__(
        self,
        *,
        list_records: Callable[[RecordFilters], Page[StoredRecord]],
        read_log: Callable[[LogFilters], LogPage],
        restore_records: Callable[[str, str, str | None], int],
        accounts: Reader[IntegratedAccount],
        erase: Callable[[EnvironmentId, str, str], Erasure],
    ) -> None:
        """``restore_records`` restores what a run has deleted of an account's resource, or of all, and counts it."""
        self._list_records = list_records
        self._read_entries = read_log
        self._restore_records = restore_records
        self._accounts = accounts
        self._erase = erase

    def list(self, environment_id: EnvironmentId, filters: RecordFilters) -> Page[StoredRecord]:
        """Return a page of an account's records."""
        self._check_account(environment_id, filters.integrated_account_id)
        return self._list_records(filters)

    def read_log(self, environment_id: EnvironmentId, filters: LogFilters) -> LogPage:
        """Return the entries of an account's log after a number."""
        self._check_account(environment_id, filters.integrated_account_id)
        return self._read_entries(filters)

    def restore(self, environment_id: EnvironmentId, account_id: str, *, run_id: str, resource: str | None) -> int:
        """Restore the records that a run has deleted; return how many they are."""
        self._check_account(environment_id, account_id)
        return self._restore_records(account_id, run_id, resource)

    def erase(self, environment_id: EnvironmentId, account_id: str, resource: str) -> Erasure:
        """Have all that is held of an account's resource erased in the background."""
        self._check_account(environment_id, account_id)
        return self._erase(environment_id, account_id, resource)

    def _check_account(self, environment_id: EnvironmentId, account_id: str) -> None:
        if self._accounts.get(environment_id, account_id) is None:
            raise InvalidInputError([missing_reference("integrated_account_id", "integrated account", account_id)])
