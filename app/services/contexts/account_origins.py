"""The origins that accounts' secrets were given for: recorded with them, and compared with their configs."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final, TypeAlias

from app.engine.accounts import secret_origins
from app.engine.config.secrets import redact_config
from app.engine.errors import UnreadableSecretError
from app.engine.integrations import config as integration_config
from app.engine.integrations.config import IntegrationConfig
from app.engine.json_types import JsonObject
from app.engine.json_values import apply_override
from app.engine.objects.accounts import IntegratedAccount
from app.engine.objects.environments import EnvironmentId
from app.engine.objects.integrations import Integration
from app.engine.paths import Path
from app.engine.redaction import redact
from app.engine.status import AccountStatus
from app.services.crud import Reader

NoteOrigins: TypeAlias = Callable[[str, frozenset[str]], None]
"""Records what an account's secrets were given for, unless that is known already."""

_NEEDY: Final = "needs_reauth"


def with_origins(account: IntegratedAccount, config: IntegrationConfig, note_origins: NoteOrigins) -> IntegratedAccount:
    """Return an account that knows what its secrets were given for: those of before that was kept, by their first use.

    What is not known while the config leads nowhere stays so, and so does that of an account without secrets.
    """
    plain = config.plain_paths & (account.plain_paths or frozenset())
    if account.origins is not None or not _holds_secrets(account.context, plain):
        return account
    found = secret_origins.list_origins(config, account.context)
    if not found:
        return account
    note_origins(account.id, found)
    return replace(account, origins=found)


class AccountOrigins:
    """Judges accounts by the configs that they use now."""

    def __init__(self, integrations: Reader[Integration]) -> None:
        self._integrations = integrations

    def choose_for_new(
        self, environment_id: EnvironmentId, integration_id: str, override: JsonObject, context: JsonObject
    ) -> JsonObject:
        """Return the columns with what a new account's secrets are given for."""
        raw = self._read_raw(environment_id, integration_id, override)
        config = None if raw is None else integration_config.parse_config(raw)[0]
        if raw is None or config is None:
            return {}
        origins = secret_origins.list_origins(config, context) if _holds_secrets(context, config.plain_paths) else None
        return {"origins": origins, "override_origins": secret_origins.list_given_hosts(raw, override)}

    def choose_for_override(
        self, before: IntegratedAccount, override: JsonObject, sent: JsonObject
    ) -> Sequence[str] | None:
        """Return the hosts that a changed override's secrets are for: as before, unless all are entered again."""
        if secret_origins.keeps_secrets(override, redact_config(override), sent):
            if before.override_origins is not None:
                return before.override_origins
            override = before.integration_override
        raw = self._read_raw(before.environment_id, before.integration_id, override)
        return None if raw is None else secret_origins.list_given_hosts(raw, override)

    def changed(
        self, before: IntegratedAccount, override: JsonObject, context: JsonObject, sent: JsonObject
    ) -> frozenset[str] | None:
        """Return what an account's secrets are given for once ``sent`` is merged into its context.

        It stays as long as one of them stays that was not entered again.
        """
        config = self._read_config(before.environment_id, before.integration_id, override)
        # What is declared by this change itself is no less a secret for it.
        plain = frozenset() if config is None else config.plain_paths & (before.plain_paths or frozenset())
        if not _holds_secrets(context, plain):
            return None
        if secret_origins.keeps_secrets(context, redact(context, plain), sent):
            if before.origins is not None:
                return before.origins
            config = self._read_config(before.environment_id, before.integration_id, before.integration_override)
            context = before.context
        return before.origins if config is None else secret_origins.list_origins(config, context)

    def mark_withheld(
        self, account: IntegratedAccount, known: dict[str, IntegrationConfig | None]
    ) -> IntegratedAccount:
        """Return an account as it is shown: while its secrets are withheld, it needs attention.

        ``known`` keeps the configs of accounts that override nothing.
        """
        if account.origins is None:
            return account
        key = account.id if account.integration_override else account.integration_id
        if key not in known:
            known[key] = self._read_readable_config(account)
        config = known[key]
        found = () if config is None else secret_origins.list_address_origins(config.addresses, account.context)
        if account.origins.issuperset(found):
            return account
        if account.status == AccountStatus.INACTIVE:
            return account
        return replace(account, status=_NEEDY, last_error=f"{secret_origins.CODE}: {secret_origins.CHANGED}")

    def _read_readable_config(self, account: IntegratedAccount) -> IntegrationConfig | None:
        """Return the config that an account uses; None where it can not be read, and nothing is sent anyway."""
        try:
            return self._read_config(account.environment_id, account.integration_id, account.integration_override)
        except UnreadableSecretError:
            return None

    def _read_config(
        self, environment_id: EnvironmentId, integration_id: str, override: JsonObject
    ) -> IntegrationConfig | None:
        raw = self._read_raw(environment_id, integration_id, override)
        return None if raw is None else integration_config.parse_config(raw)[0]

    def _read_raw(self, environment_id: EnvironmentId, integration_id: str, override: JsonObject) -> JsonObject | None:
        integration = self._integrations.get(environment_id, integration_id)
        return None if integration is None else apply_override(integration.config, override)


def _holds_secrets(context: JsonObject, plain: frozenset[Path]) -> bool:
    return redact(context, plain) != context
