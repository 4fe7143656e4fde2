"""What integrations offer, read for one of them, or for an account with its own overrides."""

from collections.abc import Sequence
from typing import Protocol

from app.engine.config.secrets import redact_config
from app.engine.errors import NotFoundError
from app.engine.ids import parse_id
from app.engine.integrations.offers import MappedModel, Offering
from app.engine.json_values import apply_override
from app.engine.objects.accounts import IntegratedAccount
from app.engine.objects.environments import EnvironmentId
from app.services.accounts.accounts import IntegrationNames
from app.services.contexts.account_configs import parse_kept_config
from app.services.ports import AccountReader, IntegrationReader


class MappedModels(Protocol):
    """Reads unified models with what of them is mapped."""

    def mapped(self, environment_id: EnvironmentId, integration_name: str) -> Sequence[MappedModel]:
        """Read all models of an environment, with their methods that are mapped to an integration."""


class Offers:
    """What can be called."""

    def __init__(
        self,
        *,
        accounts: AccountReader,
        integrations: IntegrationReader,
        names: IntegrationNames,
        models: MappedModels,
    ) -> None:
        """``integrations`` are those as their environment uses them."""
        self._accounts = accounts
        self._names = names
        self._integrations = integrations
        self._models = models

    def of_integration(self, environment_id: EnvironmentId, id_or_name: str) -> Offering:
        """Read what an integration offers, found by its id or its name; raise NotFoundError."""
        integration_id = parse_id(id_or_name) or ""
        if not integration_id or self._integrations.get(environment_id, integration_id) is None:
            named = self._names.by_name(environment_id, id_or_name)
            if named is None:
                raise NotFoundError("integration", id_or_name[:100])
            integration_id = named.id
        return self._offering(environment_id, integration_id, None)

    def of_account(self, environment_id: EnvironmentId, account_id: str) -> Offering:
        """Read what an account's API offers; raise NotFoundError."""
        account = self._accounts.get(environment_id, account_id)
        if account is None:
            raise NotFoundError("integrated account", account_id)
        return self._offering(environment_id, account.integration_id, account)

    def _offering(
        self, environment_id: EnvironmentId, integration_id: str, account: IntegratedAccount | None
    ) -> Offering:
        integration = self._integrations.get(environment_id, integration_id)
        if integration is None:
            raise NotFoundError("integration", integration_id)
        raw = apply_override(integration.config, account.integration_override) if account else integration.config
        return Offering(
            integration_id=integration.id,
            name=integration.name,
            category=integration.category,
            shown_config=redact_config(raw),
            config=parse_kept_config(raw),
            models=self._models.mapped(environment_id, integration.name),
            unified_model_override=account.unified_model_override if account else {},
            account=account,
        )
