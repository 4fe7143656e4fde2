"""The accounts of direct calls: read, limited, and with the config of their API."""

from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from typing import Final, TypeVar

from app.engine.errors import Failure, InvalidInputError, TooManyRequestsError
from app.engine.ids import parse_id
from app.engine.integrations.config import IntegrationConfig
from app.engine.objects.accounts import IntegratedAccount
from app.engine.objects.environments import EnvironmentId
from app.engine.objects.integrations import Integration
from app.engine.record_errors import SourceError
from app.engine.status import AccountStatus
from app.services.calls.request_limits import RequestLimits
from app.services.contexts.account_configs import read_account_config
from app.services.contexts.account_origins import NoteOrigins, with_origins
from app.services.crud import Reader, require

T = TypeVar("T")

_ACCOUNT: Final = "integrated_account_id"
INACTIVE: Final = 'is inactive: nothing is asked of its API until PATCH /integrated-account/{id} {"status": "active"}'
"""The fault of an inactive account."""


class CalledAccounts:
    """Reads accounts and limits the calls of each, over all callers."""

    def __init__(
        self,
        *,
        accounts: Reader[IntegratedAccount],
        note_origins: NoteOrigins,
        integrations: Reader[Integration],
        limits: RequestLimits,
    ) -> None:
        self._accounts = accounts
        self._note_origins = note_origins
        self._integrations = integrations
        self._limits = limits

    def get(self, environment_id: EnvironmentId, account_id: str) -> IntegratedAccount:
        """Return an account; raise InvalidInputError for what is no id, NotFoundError."""
        if not account_id:
            raise InvalidInputError([Failure(_ACCOUNT, "is required: the account whose API is called")])
        id = parse_id(account_id)
        if id is None:
            raise InvalidInputError([Failure(_ACCOUNT, "expected a UUID")])
        return require(self._accounts.get(environment_id, id), "integrated account", id)

    def admit(self, environment_id: EnvironmentId, account_id: str) -> IntegratedAccount:
        """Return an account that is about to be called; raise as ``get`` does, and TooManyRequestsError."""
        account = self.get(environment_id, account_id)
        refuse_inactive(account, _ACCOUNT)
        allowance = self._limits.ask(account.id)
        if allowance is not None and not allowance.is_admitted:
            raise TooManyRequestsError(
                whose="this integrated account",
                limit=allowance.limit,
                window_seconds=allowance.window_seconds,
                retry_after_seconds=allowance.reset_seconds,
            )
        return (
            account if account.origins is not None else with_origins(account, self.config(account), self._note_origins)
        )

    def config(self, account: IntegratedAccount) -> IntegrationConfig:
        """Return the config of an account's API; raise NotFoundError, or InvalidInputError for a broken config."""
        return read_account_config(account, self._integrations)


def refuse_inactive(account: IntegratedAccount, path: str) -> None:
    """Raise InvalidInputError for an inactive account."""
    if account.status == AccountStatus.INACTIVE:
        raise InvalidInputError([Failure(path, INACTIVE)])


def await_answer(future: "Future[T]", *, timeout_seconds: float) -> T:
    """Return the answer to a direct call; raise SourceError ``timeout`` when it takes too long."""
    try:
        return future.result(timeout=timeout_seconds)
    except FutureTimeoutError as error:
        future.cancel()
        message = f"the API gave no answer within the {timeout_seconds:g} s that a direct call may take"
        raise SourceError("timeout", message) from error
