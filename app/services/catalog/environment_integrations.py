"""Installed integrations: what an environment lays over an integration's config."""

from collections.abc import Callable, Sequence

from app.engine.accounts import secret_origins
from app.engine.config.secrets import find_revelations, find_unreadable, redact_config
from app.engine.errors import Failure
from app.engine.integrations import config
from app.engine.json_types import JsonObject
from app.engine.json_values import merge
from app.engine.objects.environments import EnvironmentId
from app.engine.objects.integrations import EnvironmentIntegration, Integration
from app.engine.redaction import restore_masked
from app.services.crud import CrudService, Store, missing_reference, raise_for_failures


class EnvironmentIntegrationService(CrudService[EnvironmentIntegration]):
    """The installed integrations of environments; overrides hold their secrets in plain here.

    Without its installation, an integration's config is used as it is.
    """

    KIND = "environment integration"

    def __init__(
        self,
        installations: Store[EnvironmentIntegration],
        inspect_integration: Callable[[EnvironmentId, str], Integration | None],
        *,
        find: Callable[[EnvironmentId, str], EnvironmentIntegration | None],
        install: Callable[[EnvironmentId, JsonObject], tuple[EnvironmentIntegration, bool]],
    ) -> None:
        """``find`` returns the installation of an integration; ``install`` writes it, and returns whether it is new."""
        super().__init__(installations)
        self._inspect_integration = inspect_integration
        self._find = find
        self._install = install

    def install(
        self, environment_id: EnvironmentId, fields: JsonObject, faults: Sequence[Failure] = ()
    ) -> tuple[EnvironmentIntegration, bool]:
        """Install an integration, or replace fields of its installation; return whether that is new.

        Raises InvalidInputError with ``faults``, which the caller found, and every other one.
        """
        integration_id = fields.get("integration_id")
        integration = self._inspect_integration(environment_id, integration_id) if integration_id else None
        failures = list(faults)
        if integration_id and integration is None:
            failures.append(missing_reference("integration_id", "integration", integration_id))
        current = self._find(environment_id, integration.id) if integration else None
        return self._install(environment_id, _check(fields, integration, current, failures))

    def _check_changes(
        self,
        environment_id: EnvironmentId,
        current: EnvironmentIntegration,
        changes: JsonObject,
        faults: Sequence[Failure],
    ) -> JsonObject:
        """Replace ``override`` whole."""
        failures = list(faults)
        if changes.get("integration_id", current.integration_id) != current.integration_id:
            failures.append(Failure("integration_id", "can not be changed: install the other integration"))
        integration = self._inspect_integration(environment_id, current.integration_id)
        return _check(changes, integration, current, failures)


def _check(
    fields: JsonObject,
    integration: Integration | None,
    current: EnvironmentIntegration | None,
    failures: Sequence[Failure],
) -> JsonObject:
    """Return the fields, their masks replaced by the secrets; raise InvalidInputError with every fault."""
    values, found = dict(fields), list(failures)
    if "override" in fields:
        if current is not None:
            values["override"] = restore_masked(fields["override"], current.override)
            found += find_revelations(current.override, values["override"], fields["override"], "override")
            found += find_unreadable(current.unreadable, current.override, values["override"], "override")
        if integration is not None:
            found += config.check_new_config(merge(integration.config, values["override"]), "override")
    raise_for_failures(found)
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
