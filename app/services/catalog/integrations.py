"""Integrations: how third-party APIs are called; configs hold their secrets in plain here."""

from collections.abc import Callable, Sequence

from app.engine.accounts import secret_origins
from app.engine.config.secrets import find_revelations, find_unreadable, redact_config
from app.engine.errors import Failure
from app.engine.ids import new_id
from app.engine.integrations import config as integration_config
from app.engine.json_types import JSON, JsonObject
from app.engine.json_values import merge
from app.engine.objects.environments import EnvironmentId
from app.engine.objects.integrations import Integration
from app.engine.redaction import restore_masked
from app.services.crud import FindIntegration, VersionedService, VersionedStore, raise_for_failures


class IntegrationService(VersionedService[Integration]):
    """The integrations of environments."""

    KIND = "integration"

    def __init__(
        self,
        integrations: VersionedStore[Integration],
        inspect: Callable[[EnvironmentId, str], Integration | None],
        find_by_name: FindIntegration,
    ) -> None:
        """``inspect`` reads one whose secrets need not decrypt: those that do not are left out, and named."""
        super().__init__(integrations)
        self._inspect = inspect
        self._find_by_name = find_by_name

    def create(self, environment_id: EnvironmentId, fields: JsonObject, faults: Sequence[Failure] = ()) -> Integration:
        """Create an integration; raise InvalidInputError with ``faults``, which the caller found, and every other."""
        failures = [*faults, *_config_failures(fields)]
        name = fields.get("name")
        if name and self._find_by_name(environment_id, name):
            failures.append(Failure("name", f"an integration named '{name}' exists already"))
        raise_for_failures(failures)
        config = fields["config"]
        values = {**fields, "origins": secret_origins.list_given_hosts(config, config)}
        return self._store.create(environment_id, new_id(), values)

    def _check_changes(
        self, environment_id: EnvironmentId, current: Integration, changes: JsonObject, faults: Sequence[Failure]
    ) -> JsonObject:
        """Merge ``config`` into the present one, where a null takes a key away."""
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
        raise_for_failures(failures)
        if "config" in fields:
            fields["origins"] = _origins(current, fields["config"], changes["config"])
        return fields

    def _read(self, environment_id: EnvironmentId, id: str) -> Integration | None:
        return self._inspect(environment_id, id)


def _origins(current: Integration, config: JsonObject, sent: JSON) -> Sequence[str] | None:
    """Return the hosts that a changed config's own secrets are for: as before, unless all of them are entered again."""
    if secret_origins.keeps_secrets(config, redact_config(config), sent):
        known = current.origins
        return secret_origins.list_given_hosts(current.config, current.config) if known is None else known
    return secret_origins.list_given_hosts(config, config)


def _config_failures(fields: JsonObject) -> list[Failure]:
    return integration_config.check_new_config(fields["config"]) if "config" in fields else []
