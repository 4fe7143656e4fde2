"""What the configs of accounts say: how their APIs are called, and what of their contexts may be shown."""

from app.engine.config import non_secrets
from app.engine.errors import InvalidInputError, NotFoundError, UnreadableSecretError
from app.engine.integrations import config as integration_config
from app.engine.integrations.config import IntegrationConfig
from app.engine.json_types import JsonObject
from app.engine.json_values import apply_override
from app.engine.objects.accounts import IntegratedAccount
from app.engine.objects.integrations import Integration
from app.engine.paths import Path
from app.engine.redaction import choose_shown_paths, redact
from app.services.crud import Reader


def read_account_config(account: IntegratedAccount, integrations: Reader[Integration]) -> IntegrationConfig:
    """Read how an account's API is called; raise NotFoundError, and as ``parse_kept_config`` does."""
    integration = integrations.get(account.environment_id, account.integration_id)
    if integration is None:
        raise NotFoundError("integration", account.integration_name)
    config = parse_kept_config(apply_override(integration.config, account.integration_override))
    return config.restrict_to(integration.origins, integration.override_origins, account.override_origins)


def parse_kept_config(raw: JsonObject) -> IntegrationConfig:
    """Read a config that was accepted once; raise InvalidInputError, naming the integration, where it no longer is."""
    config, faults = integration_config.parse_config(raw, "integration.config")
    if config is None:
        raise InvalidInputError(faults)
    return config


class ShownContexts:
    """Masks contexts by the configs that their accounts use now."""

    def __init__(self, integrations: Reader[Integration]) -> None:
        """``integrations`` are those as their environment uses them."""
        self._integrations = integrations

    def find_plain_paths(self, account: IntegratedAccount) -> frozenset[Path]:
        """Return the paths of an account's context that are shown."""
        if account.plain_paths == frozenset():
            return frozenset()
        return choose_shown_paths(self._find_declared(account), account.plain_paths)

    def mask(self, account: IntegratedAccount) -> JsonObject:
        """Return an account's context with everything masked that may hold a secret."""
        return redact(account.context, self.find_plain_paths(account))

    def list_missing(self, account: IntegratedAccount) -> list[str]:
        """List the fields that an account's integration declares, and its context does not have."""
        try:
            integration = self._integrations.get(account.environment_id, account.integration_id)
        except UnreadableSecretError:
            return []
        config = {} if integration is None else apply_override(integration.config, account.integration_override)
        asked = non_secrets.list_form_fields(config.get("credentials"), account.authentication_method)
        return [one["name"] for one in asked if one.get("required") is not False and one["name"] not in account.context]

    def _find_declared(self, account: IntegratedAccount) -> frozenset[Path]:
        try:
            integration = self._integrations.get(account.environment_id, account.integration_id)
        except UnreadableSecretError:
            # What it declares is not known: nothing is shown.
            return frozenset()
        return find_declared_paths(integration, account.integration_override)


def find_declared_paths(integration: Integration | None, override: JsonObject) -> frozenset[Path]:
    """Return what an integration declares of the contexts of accounts that override its config."""
    return non_secrets.read_plain_paths(apply_override(integration.config, override)) if integration else frozenset()
