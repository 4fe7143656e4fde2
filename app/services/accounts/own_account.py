"""What somebody who connected an account may see and change of it, without any right in its environment."""

from collections.abc import Sequence
from typing import Protocol

from app.engine.errors import Failure, InvalidInputError, NotFoundError
from app.engine.integrations import credentials
from app.engine.json_types import JsonObject
from app.engine.json_values import apply_override
from app.engine.objects.accounts import IntegratedAccount
from app.engine.objects.environments import EnvironmentId
from app.services.ports import IntegrationReader


class Accounts(Protocol):
    """Reads accounts, and changes them as their environment may."""

    def get(self, environment_id: EnvironmentId, account_id: str) -> IntegratedAccount:
        """Read one account; raise NotFoundError."""

    def update(
        self, environment_id: EnvironmentId, account_id: str, changes: JsonObject, faults: Sequence[Failure] = ()
    ) -> IntegratedAccount:
        """Change some fields; raise InvalidInputError with ``faults`` and every other one, NotFoundError."""


class OwnAccount:
    """An account in the hands of its own holder."""

    def __init__(self, accounts: Accounts, integrations: IntegrationReader) -> None:
        self._accounts = accounts
        self._integrations = integrations

    def get(self, environment_id: EnvironmentId, account_id: str) -> IntegratedAccount:
        """Read it; raise NotFoundError."""
        return self._accounts.get(environment_id, account_id)

    def update(
        self, environment_id: EnvironmentId, account_id: str, changes: JsonObject, faults: Sequence[Failure] = ()
    ) -> IntegratedAccount:
        """Change values that its integration's credentials ask for, and nothing else; raise InvalidInputError."""
        account = self._accounts.get(environment_id, account_id)
        context: JsonObject = changes.get("context", {})
        names = self._asked_for(account)
        failures = [*faults, *_failures(context, names)]
        if failures:
            raise InvalidInputError(failures)
        return self._accounts.update(environment_id, account_id, {"context": context})

    def _asked_for(self, account: IntegratedAccount) -> frozenset[str]:
        integration = self._integrations.get(account.environment_id, account.integration_id)
        if integration is None:
            raise NotFoundError("integration", account.integration_name)
        config = apply_override(integration.config, account.integration_override)
        return credentials.list_field_names(config.get("credentials"), account.authentication_method)


def _failures(context: JsonObject, names: frozenset[str]) -> list[Failure]:
    asked = ", ".join(sorted(names)) or "nothing"
    failures = []
    for name, value in context.items():
        if name not in names:
            message = f"can not be set by the account's own token: its integration's credentials ask for {asked}"
            failures.append(Failure(f"context.{name}", message))
        elif not isinstance(value, str | int | float):
            failures.append(Failure(f"context.{name}", "expected a text, a number or a boolean"))
    return failures
