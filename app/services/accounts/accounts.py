"""Integrated accounts: one customer's account at a third party, credentials within."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import NoReturn, Protocol

from app.engine.accounts import validation
from app.engine.config.secrets import find_revelations
from app.engine.errors import Failure, InvalidInputError, NotFoundError
from app.engine.ids import new_id
from app.engine.integrations import config as integration_config
from app.engine.integrations.config import IntegrationConfig
from app.engine.json_types import JSON, JsonObject
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
from app.services.contexts.account_configs import find_declared_paths
from app.services.contexts.account_origins import AccountOrigins

_DEFAULT_METHOD = "api_key"


class AccountStore(Protocol):
    """Keeps integrated accounts."""

    def create(
        self,
        environment_id: EnvironmentId,
        id: str,
        values: Mapping[str, JSON],
        *,
        context: JsonObject,
        plain_paths: frozenset[Path],
    ) -> IntegratedAccount:
        """Write a new account of the integration ``integration_id``."""

    def get(self, environment_id: EnvironmentId, account_id: str) -> IntegratedAccount | None:
        """Read one account."""

    def inspect(self, environment_id: EnvironmentId, account_id: str) -> IntegratedAccount | None:
        """Read one account for its owner: secrets that do not decrypt are left out, and told of; so do those below."""

    def list(self, environment_id: EnvironmentId, filters: ListFilters) -> Page[IntegratedAccount]:
        """Read a page of accounts."""

    def update(
        self,
        environment_id: EnvironmentId,
        account_id: str,
        values: Mapping[str, JSON],
        *,
        change_context: Callable[[JsonObject], JsonObject],
        change_origins: Callable[[IntegratedAccount], Collection[str] | None],
        change_plain: Callable[[frozenset[Path] | None], frozenset[Path]],
        seen: RowVersion | None = None,
    ) -> IntegratedAccount | None:
        """Change some fields, and the context, its origins and its plain paths from what they are, in one step."""


class IntegrationNames(Protocol):
    """Finds integrations by name."""

    def by_name(self, environment_id: EnvironmentId, name: str) -> Integration | None:
        """Read one integration."""


class Integrations(Protocol):
    """Reads integrations as their environment uses them."""

    def get(self, environment_id: EnvironmentId, integration_id: str) -> Integration | None:
        """Read one integration."""


class Installed(Protocol):
    """Reads which integrations an environment has installed."""

    def get(self, environment_id: EnvironmentId, id: str) -> EnvironmentIntegration | None:
        """Read one installation."""


class AccountService:
    """Integrated accounts as the API's callers see them; contexts hold their secrets in plain."""

    def __init__(
        self, accounts: AccountStore, integrations: IntegrationNames, effective: Integrations, installed: Installed
    ) -> None:
        """``effective`` gives integrations as their environment uses them."""
        self._installed = installed
        self._accounts = accounts
        self._integrations = integrations
        self._effective = effective
        self._origins = AccountOrigins(effective)

    def create(
        self, environment_id: EnvironmentId, fields: JsonObject, faults: Sequence[Failure] = ()
    ) -> IntegratedAccount:
        """Make an account; raise InvalidInputError with ``faults``, which the caller found, and every other one."""
        integration, missing = self._chosen(environment_id, fields, faults)
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
        declared = self._declared(environment_id, integration.id, values["integration_override"])
        entered = choose_entered_paths(declared, frozenset(), context)
        return self._accounts.create(environment_id, new_id(), values, context=context, plain_paths=entered)

    def _chosen(
        self, environment_id: EnvironmentId, fields: JsonObject, faults: Sequence[Failure]
    ) -> tuple[Integration | None, Sequence[Failure]]:
        """Find the integration of a new account; where it is told twice, both have to mean the same one."""
        name, installed_id = fields.get("integration_name"), fields.get("environment_integration_id")
        failures: list[Failure] = []
        named = self._integrations.by_name(environment_id, name) if name else None
        if name and named is None:
            message = f"integration '{name}' does not exist"
            failures.append(Failure("integration_name", message, missing_reference=True))
        installed = self._installed.get(environment_id, installed_id) if installed_id else None
        if installed_id and installed is None:
            message = f"environment integration '{installed_id}' does not exist"
            failures.append(Failure("environment_integration_id", message, missing_reference=True))
        if named and installed and named.id != installed.integration_id:
            failures.append(Failure("environment_integration_id", f"is not an installation of '{name}'"))
        told = {fault.path for fault in faults}
        if not (name or installed_id or told & {"integration_name", "environment_integration_id"}):
            failures.append(Failure("integration_name", "expected this or environment_integration_id"))
        if installed and not named:
            named = self._effective.get(environment_id, installed.integration_id)
        return named, failures

    def get(self, environment_id: EnvironmentId, account_id: str) -> IntegratedAccount:
        """Read one account; raise NotFoundError."""
        return self._origins.mark_withheld(self._stored(environment_id, account_id), {})

    def _stored(self, environment_id: EnvironmentId, account_id: str) -> IntegratedAccount:
        return _found(self._accounts.inspect(environment_id, account_id), account_id)

    def list(self, environment_id: EnvironmentId, filters: ListFilters) -> Page[IntegratedAccount]:
        """Read a page of accounts, which may be narrowed by the status that they are shown with."""
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
        current = self._stored(environment_id, account_id)
        values = {name: value for name, value in changes.items() if name != "context"}
        if "integration_override" in values:
            values["integration_override"] = restore_masked(
                values["integration_override"], current.integration_override
            )
        failures = [*faults, *_override_failures(values), *_revealed(current, changes, values)]
        failures += _unreadable_failures(current, changes)
        shown = self._origins.mark_withheld(current, {}).status
        values, status_failures = validation.resolve_status(
            values, current, shown, has_context=bool(changes.get("context"))
        )
        failures += status_failures
        failures += self._integration_failures(environment_id, current.integration_id, values)
        if failures:
            raise InvalidInputError(failures)
        if "integration_override" in values:
            values["override_origins"] = self._origins.choose_for_override(
                current, values["integration_override"], changes["integration_override"]
            )
        sent: JsonObject = changes.get("context", {})
        override = values.get("integration_override", current.integration_override)
        declared = self._declared(environment_id, current.integration_id, override)

        def origins(before: IntegratedAccount) -> Collection[str] | None:
            used = values.get("integration_override", before.integration_override)
            return self._origins.changed(before, used, _merged_context(before.context, sent), sent)

        updated = self._accounts.update(
            environment_id,
            account_id,
            values,
            change_context=lambda context: (
                validation.check_context_size(_merged_context(context, sent)) if sent else context
            ),
            change_origins=origins,
            change_plain=lambda entered: choose_entered_paths(declared, entered, sent),
            seen=seen,
        )
        return self._origins.mark_withheld(_found(updated, account_id), {})

    def refuse_post_install(self, environment_id: EnvironmentId, account_id: str) -> NoReturn:
        """Raise InvalidInputError that tells why an account's post-install actions are not run."""
        account = self._accounts.get(environment_id, account_id)
        if account is None:
            message = f"integrated account '{account_id}' does not exist"
            raise InvalidInputError([Failure("id", message, missing_reference=True)])
        integration = self._effective.get(environment_id, account.integration_id)
        config = apply_override(integration.config, account.integration_override) if integration else {}
        actions = config.get("actions")
        has_any = isinstance(actions, dict) and bool(actions.get("post_install"))
        reason = (
            "are not supported yet: carry them out yourself" if has_any else "are not in its config: there are none"
        )
        raise InvalidInputError([Failure("id", f"actions.post_install of '{account.integration_name}' {reason}")])

    def _declared(self, environment_id: EnvironmentId, integration_id: str, override: JsonObject) -> frozenset[Path]:
        return find_declared_paths(self._effective.get(environment_id, integration_id), override)

    def _integration_failures(
        self, environment_id: EnvironmentId, integration_id: str, fields: JsonObject
    ) -> Sequence[Failure]:
        """Return what is wrong with the config that an account would use."""
        integration = self._effective.get(environment_id, integration_id)
        if "integration_override" not in fields or integration is None:
            return []
        used = merge(integration.config, fields["integration_override"])
        return integration_config.check_new_config(used, "integration_override")


def _revealed(current: IntegratedAccount, changes: JsonObject, values: JsonObject) -> Sequence[Failure]:
    """Return which secrets of its override a change would show."""
    name = "integration_override"
    if name not in values:
        return []
    return find_revelations(current.integration_override, values[name], changes[name], name)


def _unreadable_failures(current: IntegratedAccount, changes: JsonObject) -> Sequence[Failure]:
    """Return where a mask stands for what does not decrypt any more: it would be kept as the secret itself."""
    message = "what is stored does not decrypt: send it whole, without masks"
    return [Failure(name, message) for name in sorted(current.unreadable) if holds_mask(changes.get(name))]


def _override_failures(fields: JsonObject) -> Sequence[Failure]:
    if "unified_model_override" not in fields:
        return []
    return mapping.check_overrides(fields["unified_model_override"], "unified_model_override")


def _credentials_format(config: JsonObject) -> str:
    """Return how accounts of an integration sign in, when its config says so for one way only."""
    credentials = config.get("credentials")
    declared = credentials.get("format") if isinstance(credentials, dict) else None
    return declared if isinstance(declared, str) and declared else _DEFAULT_METHOD


def _merged_context(current: JsonObject, changes: JsonObject) -> JsonObject:
    """Merge shallowly; ``oauth``, whose tokens change one at a time, one level deeper."""
    sent = restore_masked(changes, current)
    kept_oauth, sent_oauth = current.get("oauth"), sent.get("oauth")
    if isinstance(kept_oauth, dict) and isinstance(sent_oauth, dict):
        sent = {**sent, "oauth": {**kept_oauth, **sent_oauth}}
    return {**current, **sent}


def _found(account: IntegratedAccount | None, account_id: str) -> IntegratedAccount:
    if account is None:
        raise NotFoundError("integrated account", account_id)
    return account
