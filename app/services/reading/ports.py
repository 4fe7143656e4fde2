"""What the services that read records and logs need from outside."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from app.engine.objects.accounts import Erasure
from app.engine.objects.environments import EnvironmentId
from app.engine.objects.lists import ListFilters, Page
from app.services.crud import Reader


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


class ErasureStore(Reader[Erasure], Protocol):
    """Keeps what is to be erased, and what was."""

    def create_of_resource(self, environment_id: EnvironmentId, account_id: str, resource: str) -> Erasure:
        """Write an erasure of the records of an account's resource, which is due at once."""

    def list(self, environment_id: EnvironmentId, filters: ListFilters) -> Page[Erasure]:
        """Return a page of erasures."""
