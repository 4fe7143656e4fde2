"""What the services of accounts need from outside, beside the stores that ``app.services.crud`` describes."""

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

from app.engine.json_types import JSON, JsonObject
from app.engine.objects.accounts import IntegratedAccount
from app.engine.objects.environments import EnvironmentId
from app.engine.objects.lists import ListFilters, Page, RowVersion
from app.engine.paths import Path
from app.engine.runs.work import EventDraft
from app.services.crud import Reader
from app.services.ports import Swapped

KIND: Final = "integrated account"
"""What messages call an account."""


class AccountStore(Reader[IntegratedAccount], Protocol):
    """Stores integrated accounts."""

    def inspect(self, environment_id: EnvironmentId, id: str, /) -> IntegratedAccount | None:
        """Return an account whether or not its secrets decrypt: those that do not are left out, and named."""

    def create(
        self,
        environment_id: EnvironmentId,
        id: str,
        values: Mapping[str, JSON],
        *,
        context: JsonObject,
        plain_paths: frozenset[Path],
    ) -> IntegratedAccount:
        """Write a new account of the integration ``integration_id``."""

    def list(self, environment_id: EnvironmentId, filters: ListFilters) -> Page[IntegratedAccount]:
        """Return a page of accounts, each as ``inspect`` does."""

    def update(
        self,
        environment_id: EnvironmentId,
        account_id: str,
        values: Mapping[str, JSON],
        *,
        change_context: Callable[[JsonObject], JsonObject],
        change_origins: Callable[[IntegratedAccount], Collection[str] | None],
        change_plain: Callable[[frozenset[Path] | None], frozenset[Path]],
        seen: RowVersion | None = None,
    ) -> IntegratedAccount | None:
        """Change fields, and context, origins and plain paths from their present values, in one transaction."""

    def delete(
        self,
        environment_id: EnvironmentId,
        account_id: str,
        *,
        erase_after_seconds: float,
        seen: RowVersion | None = None,
    ) -> bool:
        """Remove an account, to be erased after a time; return whether it was there."""

    def delete_all(
        self, environment_id: EnvironmentId, account_ids: Sequence[str], *, erase_after_seconds: float
    ) -> Sequence[str]:
        """Remove all accounts, or none; return the ids of those that do not exist."""

    def find_anywhere(self, account_id: str) -> IntegratedAccount | None:
        """Return an account of any environment, for an operator."""

    def approve_origins(self, account_id: str, origins: Collection[str], hosts: Sequence[str] | None) -> None:
        """Replace the origins that an account's secrets are sent to, and the hosts of its override's."""


class BudgetDesk(Protocol):
    """Reads and changes the shared budgets for processes that do not spend them."""

    def read(self, account_id: str) -> Swapped:
        """Return the present text and time; raise BrokerUnavailableError."""

    def swap(self, account_id: str, *, expected: str, text: str) -> Swapped:
        """Replace the text if it is the expected one; raise BrokerUnavailableError."""

    def forget(self, account_id: str) -> None:
        """Remove the budget; raise BrokerUnavailableError."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ParkedRun:
    """A run with units that sleep until their account takes requests again."""

    run_id: str
    units: int
    wakes_at: datetime


Announcement = Callable[[IntegratedAccount, Sequence[str]], Sequence[EventDraft]]
"""Returns the events about an account for the webhooks with these ids."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LockedCredentials:
    """An account's context while its row is locked."""

    context: JsonObject
    origins: frozenset[str] | None
    """Where its secrets are sent."""
    write: Callable[[JsonObject, frozenset[str] | None], None]
    """Replaces the context, and the origins unless they are None; commits, which unlocks the row."""


class CredentialStore(Protocol):
    """Stores the credentials of all accounts."""

    def lock(self, account_id: str) -> AbstractContextManager[LockedCredentials]:
        """Lock an account for a ``with`` block; raise SourceError when it is gone."""

    def read_context(self, account_id: str) -> JsonObject:
        """Return an account's context; raise SourceError when it is gone."""

    def read_current(self, account_id: str) -> tuple[JsonObject, frozenset[str] | None]:
        """Return an account's context, and where its secrets are sent; raise SourceError when it is gone."""

    def refuse(self, account_id: str, *, token: str | None, reason: str, call: str, announce: Announcement) -> bool:
        """Record that an account must be connected anew, if ``token`` is still its own; return whether that is new.

        The same transaction queues the events of ``announce``, as events of no run.
        """

    def accept(self, account_id: str, *, token: str | None, call: str, quiet_seconds: float) -> bool:
        """Record that a call with ``token`` succeeded; return whether the account is no longer refused.

        It stays refused while another call than this one was refused within ``quiet_seconds``, and, where no token
        could be had, until one is renewed.
        """

    def record_forbidden(self, account_id: str, error: JsonObject) -> None:
        """Record the last call that was answered 403."""
