"""Installed integrations: what an environment lays over an integration's config."""

from collections.abc import Sequence
from typing import Protocol

from app.engine.accounts import secret_origins
from app.engine.config.secrets import find_revelations, find_unreadable, redact_config
from app.engine.errors import Failure, InvalidInputError, NotFoundError
from app.engine.integrations import config
from app.engine.json_types import JsonObject
from app.engine.json_values import merge
from app.engine.objects.environments import EnvironmentId
from app.engine.objects.integrations import EnvironmentIntegration, Integration
from app.engine.objects.lists import ListFilters, Page, RowVersion
from app.engine.redaction import restore_masked


class InstalledStore(Protocol):
    """Keeps installed integrations, at most one of each integration."""

    def install(self, environment_id: EnvironmentId, values: JsonObject) -> tuple[EnvironmentIntegration, bool]:
        """Write one, or change the one of its integration; tell whether it is new."""

    def get(self, environment_id: EnvironmentId, id: str) -> EnvironmentIntegration | None:
        """Read one."""

    def of(self, environment_id: EnvironmentId, integration_id: str) -> EnvironmentIntegration | None:
        """Read the one of an integration."""

    def list(self, environment_id: EnvironmentId, filters: ListFilters) -> Page[EnvironmentIntegration]:
        """Read a page of them."""

    def update(
        self, environment_id: EnvironmentId, id: str, values: JsonObject, *, seen: RowVersion | None = None
    ) -> EnvironmentIntegration | None:
        """Change one."""

    def delete(self, environment_id: EnvironmentId, id: str, *, seen: RowVersion | None = None) -> bool:
        """Remove one; tell whether it was there."""


class Integrations(Protocol):
    """Reads integrations."""

    def inspect(self, environment_id: EnvironmentId, integration_id: str) -> Integration | None:
        """Read one integration for its owner, whether or not its secrets decrypt."""


class EnvironmentIntegrationService:
    """Installed integrations of an environment; overrides hold their secrets in plain."""

    def __init__(self, installed: InstalledStore, integrations: Integrations) -> None:
        self._installed = installed
        self._integrations = integrations

    def install(
        self, environment_id: EnvironmentId, fields: JsonObject, faults: Sequence[Failure] = ()
    ) -> tuple[EnvironmentIntegration, bool]:
        """Install an integration, and tell whether it was not before; what is sent replaces what it had.

        Raises InvalidInputError with ``faults``, which the caller found, and every other one.
        """
        integration_id = fields.get("integration_id")
        integration = self._integrations.inspect(environment_id, integration_id) if integration_id else None
        failures = list(faults)
        if integration_id and integration is None:
            message = f"integration '{integration_id}' does not exist"
            failures.append(Failure("integration_id", message, missing_reference=True))
        current = self._installed.of(environment_id, integration.id) if integration else None
        return self._installed.install(environment_id, _checked(fields, integration, current, failures))

    def get(self, environment_id: EnvironmentId, id: str) -> EnvironmentIntegration:
        """Read one; raise NotFoundError."""
        return _found(self._installed.get(environment_id, id), id)

    def list(self, environment_id: EnvironmentId, filters: ListFilters) -> Page[EnvironmentIntegration]:
        """Read a page of them."""
        return self._installed.list(environment_id, filters)

    def update(
        self,
        environment_id: EnvironmentId,
        id: str,
        changes: JsonObject,
        faults: Sequence[Failure] = (),
        *,
        seen: RowVersion | None = None,
    ) -> EnvironmentIntegration:
        """Change one; ``override`` is replaced whole. Raises as ``install`` and ``get`` do."""
        current = self.get(environment_id, id)
        failures = list(faults)
        if changes.get("integration_id", current.integration_id) != current.integration_id:
            failures.append(Failure("integration_id", "can not be changed: install the other integration"))
        integration = self._integrations.inspect(environment_id, current.integration_id)
        values = _checked(changes, integration, current, failures)
        return _found(self._installed.update(environment_id, id, values, seen=seen), id)

    def uninstall(self, environment_id: EnvironmentId, id: str, *, seen: RowVersion | None = None) -> str:
        """Remove one: its integration's config is used as it is. Raises NotFoundError."""
        if not self._installed.delete(environment_id, id, seen=seen):
            raise NotFoundError("environment integration", id)
        return id


def _checked(
    fields: JsonObject,
    integration: Integration | None,
    current: EnvironmentIntegration | None,
    failures: Sequence[Failure],
) -> JsonObject:
    """Return the fields with the secrets whose masks came back; raise InvalidInputError with every fault."""
    values, found = dict(fields), list(failures)
    if "override" in fields:
        if current is not None:
            values["override"] = restore_masked(fields["override"], current.override)
            found += find_revelations(current.override, values["override"], fields["override"], "override")
            found += find_unreadable(current.unreadable, current.override, values["override"], "override")
        if integration is not None:
            found += config.check_new_config(merge(integration.config, values["override"]), "override")
    if found:
        raise InvalidInputError(found)
    if "override" in fields and integration is not None:
        values["origins"] = _origins(integration, current, values["override"], fields["override"])
    return values


def _origins(
    integration: Integration, current: EnvironmentIntegration | None, override: JsonObject, sent: JsonObject
) -> Sequence[str] | None:
    """Return the hosts that an override's own secrets are for: as before, unless all of them are entered again."""
    if current is not None and secret_origins.keeps_secrets(override, redact_config(override), sent):
        if current.origins is not None:
            return current.origins
        override = current.override
    return secret_origins.list_given_hosts(merge(integration.config, override), override)


def _found(installed: EnvironmentIntegration | None, id: str) -> EnvironmentIntegration:
    if installed is None:
        raise NotFoundError("environment integration", id)
    return installed
