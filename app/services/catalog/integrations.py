"""Integrations: how third-party APIs are spoken to."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from app.engine.accounts import secret_origins
from app.engine.config.secrets import find_revelations, find_unreadable, redact_config
from app.engine.errors import Failure, InvalidInputError, NotFoundError
from app.engine.ids import new_id
from app.engine.integrations import config as integration_config
from app.engine.json_types import JSON, JsonObject
from app.engine.json_values import merge
from app.engine.objects.environments import EnvironmentId
from app.engine.objects.integrations import Integration
from app.engine.objects.lists import ListFilters, Page, RowVersion
from app.engine.redaction import restore_masked


class IntegrationStore(Protocol):
    """Keeps integrations."""

    def create(self, environment_id: EnvironmentId, id: str, values: Mapping[str, JSON]) -> Integration:
        """Write a new integration; raise InvalidInputError when its name is taken."""

    def inspect(self, environment_id: EnvironmentId, integration_id: str) -> Integration | None:
        """Read one integration for its owner, whether or not its secrets decrypt."""

    def by_name(self, environment_id: EnvironmentId, name: str) -> Integration | None:
        """Read one integration by its name."""

    def list(self, environment_id: EnvironmentId, filters: ListFilters) -> Page[Integration]:
        """Read a page of integrations."""

    def update(
        self,
        environment_id: EnvironmentId,
        integration_id: str,
        values: Mapping[str, JSON],
        *,
        version: int,
        seen: RowVersion | None = None,
    ) -> Integration | None:
        """Change an integration that is still at ``version`` and count that up; None when it is not, or not there."""

    def delete(self, environment_id: EnvironmentId, integration_id: str, *, seen: RowVersion | None = None) -> bool:
        """Remove an integration; raise InvalidInputError that names some of its accounts while it has any."""


class IntegrationService:
    """Integrations as the API's callers see them; configs hold their secrets in plain."""

    def __init__(self, integrations: IntegrationStore) -> None:
        self._integrations = integrations

    def create(self, environment_id: EnvironmentId, fields: JsonObject, faults: Sequence[Failure] = ()) -> Integration:
        """Make an integration; raise InvalidInputError with ``faults``, which the caller found, and every other one."""
        failures = [*faults, *_config_failures(fields)]
        name = fields.get("name")
        if name and self._integrations.by_name(environment_id, name):
            failures.append(Failure("name", f"an integration named '{name}' exists already"))
        if failures:
            raise InvalidInputError(failures)
        values = (
            {**fields, "origins": secret_origins.list_given_hosts(fields["config"], fields["config"])}
            if "config" in fields
            else fields
        )
        return self._integrations.create(environment_id, new_id(), values)

    def get(self, environment_id: EnvironmentId, integration_id: str) -> Integration:
        """Read one integration; raise NotFoundError."""
        return _found(self._integrations.inspect(environment_id, integration_id), integration_id)

    def list(self, environment_id: EnvironmentId, filters: ListFilters) -> Page[Integration]:
        """Read a page of integrations."""
        return self._integrations.list(environment_id, filters)

    def update(
        self,
        environment_id: EnvironmentId,
        integration_id: str,
        changes: JsonObject,
        faults: Sequence[Failure] = (),
        *,
        version: int | None = None,
        seen: RowVersion | None = None,
    ) -> Integration:
        """Change some fields; ``config`` is merged into the present one, where a null takes a key away.

        ``version``, when it is given, must be the present one. Raises as ``create`` and ``get`` do.
        """
        current = self.get(environment_id, integration_id)
        outdated = [_outdated(current.version)] if version not in (None, current.version) else []
        values = _checked_changes(current, changes, [*faults, *outdated])
        updated = self._integrations.update(environment_id, integration_id, values, version=current.version, seen=seen)
        if updated is None:
            raise InvalidInputError([_outdated(self.get(environment_id, integration_id).version)])
        return updated

    def delete(self, environment_id: EnvironmentId, integration_id: str, *, seen: RowVersion | None = None) -> str:
        """Remove an integration that has no accounts; raise NotFoundError, or InvalidInputError that names them."""
        if not self._integrations.delete(environment_id, integration_id, seen=seen):
            raise NotFoundError("integration", integration_id)
        return integration_id


def _checked_changes(current: Integration, changes: JsonObject, faults: Sequence[Failure]) -> JsonObject:
    """Return the new values of the fields that change; raise InvalidInputError with every fault."""
    fields = dict(changes)
    if "config" in fields:
        fields["config"] = merge(current.config, restore_masked(fields["config"], current.config))
    failures = [*faults, *_config_failures(fields)]
    if "config" in fields and not failures:
        failures += find_revelations(current.config, fields["config"], changes["config"], "config")
        failures += find_unreadable(current.unreadable, current.config, fields["config"], "config")
    if changes.get("name", current.name) != current.name:
        message = f"can not be changed: sync jobs refer to this integration as '{current.name}'"
        failures.append(Failure("name", message))
    if failures:
        raise InvalidInputError(failures)
    if "config" in fields:
        fields["origins"] = _origins(current, fields["config"], changes["config"])
    return fields


def _origins(current: Integration, config: JsonObject, sent: JSON) -> Sequence[str] | None:
    """Return the hosts that a changed config's own secrets are for: as before, unless all of them are entered again."""
    if secret_origins.keeps_secrets(config, redact_config(config), sent):
        known = current.origins
        return secret_origins.list_given_hosts(current.config, current.config) if known is None else known
    return secret_origins.list_given_hosts(config, config)


def _outdated(version: int) -> Failure:
    return Failure("version", f"is {version} by now: read the integration again before changing it")


def _config_failures(fields: JsonObject) -> list[Failure]:
    return integration_config.check_new_config(fields["config"]) if "config" in fields else []


def _found(integration: Integration | None, integration_id: str) -> Integration:
    if integration is None:
        raise NotFoundError("integration", integration_id)
    return integration
