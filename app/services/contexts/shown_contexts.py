"""What of accounts' contexts may be seen: what their integrations declare to be no secret."""

from app.engine.config import non_secrets
from app.engine.errors import UnreadableSecretError
from app.engine.json_types import JsonObject
from app.engine.json_values import apply_override
from app.engine.objects.accounts import IntegratedAccount
from app.engine.objects.integrations import Integration
from app.engine.paths import Path
from app.engine.redaction import choose_shown_paths, redact
from app.services.contexts.context import IntegrationReader


class ShownContexts:
    """Masks contexts by the configs that their accounts use now."""

    def __init__(self, integrations: IntegrationReader) -> None:
        """``integrations`` are those as their environment uses them."""
        self._integrations = integrations

    def plain_paths(self, account: IntegratedAccount) -> frozenset[Path]:
        """Return the paths of an account's context that are shown."""
        if account.plain_paths == frozenset():
            return frozenset()
        return choose_shown_paths(self._declared(account), account.plain_paths)

    def of(self, account: IntegratedAccount) -> JsonObject:
        """Return an account's context with everything masked that may hold a secret."""
        return redact(account.context, self.plain_paths(account))

    def _declared(self, account: IntegratedAccount) -> frozenset[Path]:
        try:
            integration = self._integrations.get(account.environment_id, account.integration_id)
        except UnreadableSecretError:
            # What it declares is not known: nothing is shown.
            return frozenset()
        return declared_paths(integration, account.integration_override)


def declared_paths(integration: Integration | None, override: JsonObject) -> frozenset[Path]:
    """Return what an integration declares of the contexts of accounts that override its config."""
    return non_secrets.read_plain_paths(apply_override(integration.config, override)) if integration else frozenset()
