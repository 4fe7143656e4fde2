"""What integrations offer, read for one of them, or for an account with its own overrides."""

from collections.abc import Callable, Sequence

from app.engine.config.secrets import redact_config
from app.engine.ids import parse_id
from app.engine.integrations.offers import MappedModel, Offering
from app.engine.json_values import apply_override
from app.engine.objects.accounts import IntegratedAccount
from app.engine.objects.environments import EnvironmentId
from app.engine.objects.integrations import Integration
from app.services.contexts.account_configs import parse_kept_config
from app.services.crud import FindIntegration, Reader, require

MappedModelReader = Callable[[EnvironmentId, str], Sequence[MappedModel]]
"""Returns all models of an environment, with their methods that are mapped to an integration, by its name."""


class Offers:
    """What can be called."""

    def __init__(
        self,
        *,
        accounts: Reader[IntegratedAccount],
        integrations: Reader[Integration],
        find_integration: FindIntegration,
        models: MappedModelReader,
    ) -> None:
        """``integrations`` reads them as their environment uses them."""
        self._accounts = accounts
        self._find_integration = find_integration
        self._integrations = integrations
        self._models = models

    def describe_integration(self, environment_id: EnvironmentId, id_or_name: str) -> Offering:
        """Return what an integration offers, found by its id or its name; raise NotFoundError."""
        integration_id = parse_id(id_or_name) or ""
        if not integration_id or self._integrations.get(environment_id, integration_id) is None:
            named = self._find_integration(environment_id, id_or_name)
            integration_id = require(named, "integration", id_or_name[:100]).id
        return self._describe(environment_id, integration_id, None)

    def describe_account(self, environment_id: EnvironmentId, account_id: str) -> Offering:
        """Return what an account's API offers; raise NotFoundError."""
        account = require(self._accounts.get(environment_id, account_id), "integrated account", account_id)
        return self._describe(environment_id, account.integration_id, account)

    def _describe(
        self, environment_id: EnvironmentId, integration_id: str, account: IntegratedAccount | None
    ) -> Offering:
        integration = require(self._integrations.get(environment_id, integration_id), "integration", integration_id)
        raw = apply_override(integration.config, account.integration_override) if account else integration.config
        return Offering(
            integration_id=integration.id,
            name=integration.name,
            category=integration.category,
            shown_config=redact_config(raw),
            config=parse_kept_config(raw),
            models=self._models(environment_id, integration.name),
            unified_model_override=account.unified_model_override if account else {},
            account=account,
        )
