"""The audit log as its readers see it."""

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from app.engine.config.secrets import redact_config
from app.engine.json_types import JSON, JsonObject
from app.engine.objects.audit import AuditEntry
from app.engine.objects.environments import EnvironmentId
from app.engine.objects.lists import ListFilters, Page
from app.services.crud import Reader, require

_CONFIGS: Final = frozenset({"config", "override", "integration_override"})
_OF_CONFIGS: Final = frozenset({"integration", "environment_integration", "integrated_account"})


class AuditService:
    """Entries of all environments; a secret shows in none, also where it was written before it was known as one."""

    def __init__(
        self,
        *,
        entries: Reader[AuditEntry],
        list_entries: Callable[[EnvironmentId, ListFilters], Page[AuditEntry]],
    ) -> None:
        self._entries = entries
        self._list = list_entries

    def get(self, environment_id: EnvironmentId, id: str) -> AuditEntry:
        """Return an entry; raise NotFoundError."""
        return _redact(require(self._entries.get(environment_id, id), "audit entry", id))

    def list(self, environment_id: EnvironmentId, filters: ListFilters) -> Page[AuditEntry]:
        """Return a page of entries."""
        page = self._list(environment_id, filters)
        return replace(page, result=[_redact(entry) for entry in page.result])


def _redact(entry: AuditEntry) -> AuditEntry:
    if entry.object_type not in _OF_CONFIGS:
        return entry
    return replace(entry, before=_redact_values(entry.before), after=_redact_values(entry.after))


def _redact_values(values: JsonObject | None) -> JsonObject | None:
    return None if values is None else {name: _redact_value(name, value) for name, value in values.items()}


def _redact_value(name: str, value: JSON) -> JSON:
    return redact_config(value) if name in _CONFIGS and isinstance(value, dict) else value
