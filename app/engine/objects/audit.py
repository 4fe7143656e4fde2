"""Entries of the audit log."""

from dataclasses import dataclass
from datetime import datetime

from app.engine.json_types import JSON, JsonObject
from app.engine.objects.environments import EnvironmentId


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """A change: who made it, of what, and what it has changed. Secrets are masked."""

    id: str
    environment_id: EnvironmentId
    action: str
    """The type of the object and what happened to it, such as ``webhook.updated``."""
    object_type: str
    object_id: str
    integrated_account_id: str | None
    actor_kind: str
    actor_id: str | None
    """Of the API token or of the account; None: an operator, or Ferryman."""
    actor_name: str | None
    operation: str | None
    """The route that was called."""
    request_id: str | None
    remote_address: str | None
    before: JsonObject | None
    """What was there of what has changed; None when it was created."""
    after: JsonObject | None
    """What is there instead; None when it was deleted."""
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldChange:
    """One value that an entry has changed; None: it was not there, or is no more."""

    path: str
    before: JSON
    after: JSON


def list_field_changes(entry: AuditEntry) -> list[FieldChange]:
    """List what an entry has changed, value by value."""
    before, after = dict(_flatten(entry.before or {})), dict(_flatten(entry.after or {}))
    return [
        FieldChange(path=".".join(path), before=before.get(path), after=after.get(path))
        for path in dict.fromkeys([*before, *after])
    ]


def _flatten(value: JsonObject, at: tuple[str, ...] = ()) -> list[tuple[tuple[str, ...], JSON]]:
    found: list[tuple[tuple[str, ...], JSON]] = []
    for key, one in value.items():
        found += _flatten(one, (*at, key)) if isinstance(one, dict) and one else [((*at, key), one)]
    return found
