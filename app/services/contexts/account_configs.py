"""How the APIs of accounts are spoken to: their integrations' configs under what each account overrides."""

from app.engine.errors import InvalidInputError, NotFoundError
from app.engine.integrations import config as integration_config
from app.engine.integrations.config import IntegrationConfig
from app.engine.json_types import JsonObject
from app.engine.json_values import apply_override
from app.engine.objects.accounts import IntegratedAccount
from app.services.contexts.context import IntegrationReader


def config_of(account: IntegratedAccount, integrations: IntegrationReader) -> IntegrationConfig:
    """Read how an account's API is spoken to; raise NotFoundError, and as ``kept_config`` does."""
    integration = integrations.get(account.environment_id, account.integration_id)
    if integration is None:
        raise NotFoundError("integration", account.integration_name)
    config = kept_config(apply_override(integration.config, account.integration_override))
    return config.restrict_to(integration.origins, integration.override_origins, account.override_origins)


def kept_config(raw: JsonObject) -> IntegrationConfig:
    """Read a config that was accepted once; raise InvalidInputError, naming the integration, where it no longer is."""
    config, faults = integration_config.parse_config(raw, "integration.config")
    if config is None:
        raise InvalidInputError(faults)
    return config
