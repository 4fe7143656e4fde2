"""What the holder of an account may read and change of it without a role in its environment."""

from collections.abc import Sequence

from app.engine.errors import Failure
from app.engine.integrations import credentials
from app.engine.json_types import JsonObject
from app.engine.merging import overridden
from app.engine.objects.objects import EnvironmentId, IntegratedAccount, Integration
from app.services.accounts.accounts import AccountService
from app.services.crud import Reader, raise_for_failures, require


class OwnAccount:
    """An account as its holder uses it."""

    def __init__(self, accounts: AccountService, integrations: Reader[Integration]) -> None:
        self._accounts = accounts
        self._integrations = integrations

    def get(self, environment_id: EnvironmentId, account_id: str) -> IntegratedAccount:
        """Return the account; raise NotFoundError."""
        return self._accounts.get(environment_id, account_id)

    def update(
        self, environment_id: EnvironmentId, account_id: str, changes: JsonObject, faults: Sequence[Failure] = ()
    ) -> IntegratedAccount:
        """Change fields that its integration's credentials ask for; raise InvalidInputError for any other field."""
        account = self._accounts.get(environment_id, account_id)
        context: JsonObject = changes.get("context", {})
        raise_for_failures([*faults, *_failures(context, self._field_names(account))])
        return self._accounts.update(environment_id, account_id, {"context": context})

    def _field_names(self, account: IntegratedAccount) -> frozenset[str]:
        found = self._integrations.get(account.environment_id, account.integration_id)
        integration = require(found, "integration", account.integration_name)
        config = overridden(integration.config, account.integration_override)
        return credentials.field_names(config.get("credentials"), account.authentication_method)


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
