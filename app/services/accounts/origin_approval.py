"""What only operators may do: approve other hosts for secrets, and find configs that list no hosts."""

from collections.abc import Callable, Iterator, Sequence

from app.engine.accounts import secret_origins
from app.engine.errors import Failure, InvalidInputError
from app.engine.integrations import config as integration_config
from app.engine.json_values import apply_override
from app.engine.objects.accounts import IntegratedAccount
from app.engine.objects.integrations import Integration
from app.services.accounts.ports import KIND, AccountStore
from app.services.contexts.account_configs import read_account_config
from app.services.crud import Reader, require


class OriginApproval:
    """An operator's approval of the hosts that secrets are sent to."""

    def __init__(
        self,
        accounts: AccountStore,
        integrations: Reader[Integration],
        *,
        find_integration: Callable[[str], Integration | None],
        list_integrations: Callable[[], Iterator[Integration]],
        record_origins: Callable[[str, Sequence[str]], object],
    ) -> None:
        """``record_origins`` replaces the hosts of an integration's own secrets, and of its override's."""
        self._accounts = accounts
        self._integrations = integrations
        self._find_integration = find_integration
        self._list_integrations = list_integrations
        self._record_origins = record_origins

    def approve_account(self, account_id: str) -> Sequence[str]:
        """Approve the origins that an account's config names now; return them. Raises NotFoundError."""
        account = require(self._accounts.find_anywhere(account_id), KIND, account_id)
        origins = sorted(secret_origins.list_origins(read_account_config(account, self._integrations), account.context))
        if not origins:
            raise InvalidInputError([Failure("id", "its config leads nowhere: a part of its base_url has no value")])
        self._accounts.approve_origins(account_id, origins, self._hosts(account))
        return origins

    def _hosts(self, account: IntegratedAccount) -> Sequence[str] | None:
        """Return the hosts that the secrets of an account's override are sent to."""
        integration = self._integrations.get(account.environment_id, account.integration_id)
        config = apply_override(integration.config, account.integration_override) if integration else {}
        return secret_origins.list_given_hosts(config, account.integration_override)

    def approve_integration(self, integration_id: str) -> Sequence[str]:
        """Approve the hosts that an integration's config names now for its own secrets; return them."""
        integration = require(self._find_integration(integration_id), "integration", integration_id)
        hosts = secret_origins.list_given_hosts(integration.config, integration.config) or []
        if hosts:
            self._record_origins(integration_id, hosts)
        return hosts

    def find_without_hosts(self) -> Iterator[Integration]:
        """Yield the integrations whose secrets are not sent anywhere until their ``allowed_hosts`` are listed."""
        for integration in self._list_integrations():
            config, _ = integration_config.parse_config(integration.config)
            if config is not None and config.hosts.lacks_patterns:
                yield integration
