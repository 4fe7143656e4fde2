"""Integrated accounts: customers' accounts at third parties, with their credentials."""

from collections.abc import Sequence
from dataclasses import replace
from typing import NoReturn

from app.engine.accounts import validation
from app.engine.config.secrets import find_revelations
from app.engine.errors import Failure, InvalidInputError
from app.engine.ids import new_id
from app.engine.integrations import config as integration_config
from app.engine.integrations import credentials
from app.engine.integrations.config import IntegrationConfig
from app.engine.json_types import JsonObject
from app.engine.json_values import apply_override, merge
from app.engine.objects.accounts import IntegratedAccount
from app.engine.objects.environments import EnvironmentId
from app.engine.objects.integrations import EnvironmentIntegration, Integration
from app.engine.objects.lists import ListFilters, Page, RowVersion
from app.engine.paths import Path
from app.engine.redaction import choose_entered_paths, holds_mask, restore_masked
from app.engine.status import AccountStatus
from app.engine.unified import mapping
from app.services.accounts import shown_statuses
from app.services.accounts.ports import KIND, AccountStore
from app.services.contexts.account_configs import find_declared_paths
from app.services.contexts.account_origins import AccountOrigins
from app.services.crud import FindIntegration, Reader, missing_reference, raise_for_failures, require

_DEFAULT_METHOD = "api_key"


class AccountService:
    """Integrated accounts as the API's callers see them; contexts hold their secrets in plain here."""

    def __init__(
        self,
        accounts: AccountStore,
        find_integration: FindIntegration,
        effective: Reader[Integration],
        installed: Reader[EnvironmentIntegration],
    ) -> None:
        """``effective`` reads integrations as their environment uses them."""
        self._installed = installed
        self._accounts = accounts
        self._find_by_name = find_integration
        self._effective = effective
        self._origins = AccountOrigins(effective)

    def create(
        self, environment_id: EnvironmentId, fields: JsonObject, faults: Sequence[Failure] = ()
    ) -> IntegratedAccount:
        """Create an account; raise InvalidInputError with ``faults``, which the caller found, and every other one."""
        integration, missing = self._find_integration(environment_id, fields, faults)
        failures = [*faults, *_override_failures(fields), *missing, *validation.check_new_status(fields)]
        if integration is not None:
            failures += self._integration_failures(environment_id, integration.id, fields)
        if failures or integration is None:
            raise InvalidInputError(failures)
        values: JsonObject = {
            "integration_id": integration.id,
            "tenant_id": fields["tenant_id"],
            "status": fields.get("status", AccountStatus.ACTIVE),
            "authentication_method": fields.get("authentication_method") or _credentials_format(integration.config),
            "unified_model_override": fields.get("unified_model_override", {}),
            "integration_override": fields.get("integration_override", {}),
        }
        context = validation.check_context_size(fields.get("context", {}))
        values |= self._origins.choose_for_new(environment_id, integration.id, values["integration_override"], context)
        declared = self._declared_paths(environment_id, integration.id, values["integration_override"])
        entered = choose_entered_paths(declared, frozenset(), context)
        return self._accounts.create(environment_id, new_id(), values, context=context, plain_paths=entered)

    def _find_integration(
        self, environment_id: EnvironmentId, fields: JsonObject, faults: Sequence[Failure]
    ) -> tuple[Integration | None, Sequence[Failure]]:
        """Return the integration of a new account; a name and an installation have to mean the same one."""
        name, installed_id = fields.get("integration_name"), fields.get("environment_integration_id")
        failures: list[Failure] = []
        named = self._find_by_name(environment_id, name) if name else None
        if name and named is None:
            failures.append(missing_reference("integration_name", "integration", name))
        installed = self._installed.get(environment_id, installed_id) if installed_id else None
        if installed_id and installed is None:
            failures.append(missing_reference("environment_integration_id", "environment integration", installed_id))
        if named and installed and named.id != installed.integration_id:
            failures.append(Failure("environment_integration_id", f"is not an installation of '{name}'"))
        faulty = {fault.path for fault in faults}
        if not (name or installed_id or faulty & {"integration_name", "environment_integration_id"}):
            failures.append(Failure("integration_name", "expected this or environment_integration_id"))
        if installed and not named:
            named = self._effective.get(environment_id, installed.integration_id)
        return named, failures

    def get(self, environment_id: EnvironmentId, account_id: str) -> IntegratedAccount:
        """Return an account; raise NotFoundError."""
        return self._origins.mark_withheld(self._inspect(environment_id, account_id), {})

    def _inspect(self, environment_id: EnvironmentId, account_id: str) -> IntegratedAccount:
        return require(self._accounts.inspect(environment_id, account_id), KIND, account_id)

    def list(self, environment_id: EnvironmentId, filters: ListFilters) -> Page[IntegratedAccount]:
        """Return a page of accounts; they are filtered by the status that they are shown with."""
        known = dict[str, IntegrationConfig | None]()

        def page_of(asked: ListFilters) -> Page[IntegratedAccount]:
            page = self._accounts.list(environment_id, asked)
            return replace(page, result=[self._origins.mark_withheld(account, known) for account in page.result])

        return shown_statuses.read(page_of, filters)

    def update(
        self,
        environment_id: EnvironmentId,
        account_id: str,
        changes: JsonObject,
        faults: Sequence[Failure] = (),
        *,
        seen: RowVersion | None = None,
    ) -> IntegratedAccount:
        """Change some fields; ``context`` is merged, key by key, into the present one. Raises as ``get`` does."""
        current = self._inspect(environment_id, account_id)
        values = self._check_changes(environment_id, current, changes, faults)
        sent: JsonObject = changes.get("context", {})
        override = values.get("integration_override", current.integration_override)
        declared = self._declared_paths(environment_id, current.integration_id, override)

        updated = self._accounts.update(
            environment_id,
            account_id,
            values,
            change_context=lambda context: (
                validation.check_context_size(_merge_context(context, sent)) if sent else context
            ),
            change_origins=lambda before: self._origins.changed(
                before,
                values.get("integration_override", before.integration_override),
                _merge_context(before.context, sent),
                sent,
            ),
            change_plain=lambda entered: choose_entered_paths(declared, entered, sent),
            seen=seen,
        )
        return self._origins.mark_withheld(require(updated, KIND, account_id), {})

    def _check_changes(
        self, environment_id: EnvironmentId, current: IntegratedAccount, changes: JsonObject, faults: Sequence[Failure]
    ) -> JsonObject:
        """Return the values to write, without the context; raise InvalidInputError with every fault."""
        values = {name: value for name, value in changes.items() if name != "context"}
        if "integration_override" in values:
            values["integration_override"] = restore_masked(
                values["integration_override"], current.integration_override
            )
        failures = [*faults, *_override_failures(values), *_revelation_failures(current, changes, values)]
        failures += _unreadable_failures(current, changes)
        shown = self._origins.mark_withheld(current, {}).status
        values, status_failures = validation.resolve_status(
            values, current, shown, has_context=bool(changes.get("context"))
        )
        failures += status_failures
        failures += self._integration_failures(environment_id, current.integration_id, values)
        raise_for_failures(failures)
        if "integration_override" in values:
            values["override_origins"] = self._origins.choose_for_override(
                current, values["integration_override"], changes["integration_override"]
            )
        return values

    def update_own(
        self, environment_id: EnvironmentId, account_id: str, changes: JsonObject, faults: Sequence[Failure] = ()
    ) -> IntegratedAccount:
        """Change fields that the integration's credentials ask for, on behalf of the account's own holder.

        Raises InvalidInputError for any other field, and as ``get`` does.
        """
        account = self._inspect(environment_id, account_id)
        context: JsonObject = changes.get("context", {})
        raise_for_failures([*faults, *_own_failures(context, self._field_names(account))])
        return self.update(environment_id, account_id, {"context": context})

    def _field_names(self, account: IntegratedAccount) -> frozenset[str]:
        found = self._effective.get(account.environment_id, account.integration_id)
        integration = require(found, "integration", account.integration_name)
        config = apply_override(integration.config, account.integration_override)
        return credentials.list_field_names(config.get("credentials"), account.authentication_method)

    def refuse_post_install(self, environment_id: EnvironmentId, account_id: str) -> NoReturn:
        """Raise InvalidInputError with the reason why an account's post-install actions are not run."""
        account = self._accounts.get(environment_id, account_id)
        if account is None:
            raise InvalidInputError([missing_reference("id", KIND, account_id)])
        integration = self._effective.get(environment_id, account.integration_id)
        config = apply_override(integration.config, account.integration_override) if integration else {}
        actions = config.get("actions")
        has_any = isinstance(actions, dict) and bool(actions.get("post_install"))
        reason = "are not supported yet: run them yourself" if has_any else "are not in its config: there are none"
        raise InvalidInputError([Failure("id", f"actions.post_install of '{account.integration_name}' {reason}")])

    def _declared_paths(
        self, environment_id: EnvironmentId, integration_id: str, override: JsonObject
    ) -> frozenset[Path]:
        return find_declared_paths(self._effective.get(environment_id, integration_id), override)

    def _integration_failures(
        self, environment_id: EnvironmentId, integration_id: str, fields: JsonObject
    ) -> Sequence[Failure]:
        """Return the faults of the config that an account would use."""
        integration = self._effective.get(environment_id, integration_id)
        if "integration_override" not in fields or integration is None:
            return []
        used = merge(integration.config, fields["integration_override"])
        return integration_config.check_new_config(used, "integration_override")


def _revelation_failures(current: IntegratedAccount, changes: JsonObject, values: JsonObject) -> Sequence[Failure]:
    """Return the faults of a change that would show secrets of the override."""
    name = "integration_override"
    if name not in values:
        return []
    return find_revelations(current.integration_override, values[name], changes[name], name)


def _unreadable_failures(current: IntegratedAccount, changes: JsonObject) -> Sequence[Failure]:
    """Return the faults of masks that stand for what no longer decrypts: they would be stored as the secret."""
    message = "what is stored does not decrypt: send it whole, without masks"
    return [Failure(name, message) for name in sorted(current.unreadable) if holds_mask(changes.get(name))]


def _override_failures(fields: JsonObject) -> Sequence[Failure]:
    if "unified_model_override" not in fields:
        return []
    return mapping.check_overrides(fields["unified_model_override"], "unified_model_override")


def _credentials_format(config: JsonObject) -> str:
    """Return the format of an integration's credentials, where its config declares a single one."""
    credentials = config.get("credentials")
    declared = credentials.get("format") if isinstance(credentials, dict) else None
    return declared if isinstance(declared, str) and declared else _DEFAULT_METHOD


def _merge_context(current: JsonObject, changes: JsonObject) -> JsonObject:
    """Merge shallowly, and ``oauth`` one level deeper, since its tokens change one at a time."""
    sent = restore_masked(changes, current)
    kept_oauth, sent_oauth = current.get("oauth"), sent.get("oauth")
    if isinstance(kept_oauth, dict) and isinstance(sent_oauth, dict):
        sent = {**sent, "oauth": {**kept_oauth, **sent_oauth}}
    return {**current, **sent}


def _own_failures(context: JsonObject, names: frozenset[str]) -> list[Failure]:
    asked = ", ".join(sorted(names)) or "nothing"
    failures = []
    for name, value in context.items():
        if name not in names:
            message = f"can not be set by the account's own token: its integration's credentials ask for {asked}"
            failures.append(Failure(f"context.{name}", message))
        elif not isinstance(value, str | int | float):
            failures.append(Failure(f"context.{name}", "expected a text, a number or a boolean"))
    return failures
