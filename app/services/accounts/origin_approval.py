"""What only an operator may: let secrets go to other hosts than they were given for, and find configs without hosts."""

from collections.abc import Collection, Iterator, Sequence
from typing import Protocol

from app.engine.accounts import secret_origins
from app.engine.errors import Failure, InvalidInputError, NotFoundError
from app.engine.integrations import config as integration_config
from app.engine.json_values import apply_override
from app.engine.objects.accounts import IntegratedAccount
from app.engine.objects.integrations import Integration
from app.services.contexts.account_configs import read_account_config
from app.services.ports import IntegrationReader


class Accounts(Protocol):
    """Keeps the accounts of all environments."""

    def anywhere(self, account_id: str) -> IntegratedAccount | None:
        """Read one account of any environment."""

    def approve_origins(self, account_id: str, origins: Collection[str], hosts: Sequence[str] | None) -> None:
        """Replace what an account's secrets are given for, and those of its override."""


class Integrations(Protocol):
    """Keeps the integrations of all environments, each as its environment uses it."""

    def anywhere(self, integration_id: str) -> Integration | None:
        """Read one integration of any environment."""

    def everywhere(self) -> Iterator[Integration]:
        """Read all of them."""

    def note_origins(self, integration_id: str, hosts: Sequence[str]) -> None:
        """Note what an integration's own secrets, and its override's, are given for; where that is kept already."""


class OriginApproval:
    """The word of an operator about where secrets go."""

    def __init__(self, accounts: Accounts, integrations: Integrations, effective: IntegrationReader) -> None:
        self._accounts = accounts
        self._integrations = integrations
        self._effective = effective

    def approve_account(self, account_id: str) -> Sequence[str]:
        """Let an account's secrets go where its config leads now; return these origins. Raises NotFoundError."""
        account = self._accounts.anywhere(account_id)
        if account is None:
            raise NotFoundError("integrated account", account_id)
        origins = sorted(secret_origins.list_origins(read_account_config(account, self._effective), account.context))
        if not origins:
            raise InvalidInputError([Failure("id", "its config leads nowhere: a part of its base_url has no value")])
        self._accounts.approve_origins(account_id, origins, self._hosts(account))
        return origins

    def _hosts(self, account: IntegratedAccount) -> Sequence[str] | None:
        """Return the hosts that the secrets of an account's override are given for now."""
        integration = self._effective.get(account.environment_id, account.integration_id)
        config = apply_override(integration.config, account.integration_override) if integration else {}
        return secret_origins.list_given_hosts(config, account.integration_override)

    def approve_integration(self, integration_id: str) -> Sequence[str]:
        """Let an integration's own secrets go to the hosts that its config names now; return these."""
        integration = self._integrations.anywhere(integration_id)
        if integration is None:
            raise NotFoundError("integration", integration_id)
        hosts = secret_origins.list_given_hosts(integration.config, integration.config) or []
        if hosts:
            self._integrations.note_origins(integration_id, hosts)
        return hosts

    def without_hosts(self) -> Iterator[Integration]:
        """Yield the integrations whose secrets go nowhere until their ``allowed_hosts`` are listed."""
        for integration in self._integrations.everywhere():
            config, _ = integration_config.parse_config(integration.config)
            if config is not None and config.hosts.lacks_patterns:
                yield integration
