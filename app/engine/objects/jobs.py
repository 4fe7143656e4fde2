"""Sync jobs (docs/wire.md A1), and their templates (docs/wire.md A6)."""

from dataclasses import dataclass
from datetime import datetime

from app.engine.json_types import JsonObject
from app.engine.objects.environments import EnvironmentId


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncJob:
    """What to pull, described once (docs/wire.md A1); ``resources`` is the raw, validated list."""

    id: str
    environment_id: EnvironmentId
    integration_name: str
    label: str = "Untitled"
    args_schema: JsonObject
    args_validation: str | None = None
    resources: list[JsonObject]
    default_runtime_version: int = 3
    mutex_key: str | None = None
    state_key: str | None = None
    overlap_seconds: int | None = None
    """How far increments reach back before the last one's upper bound; None is the setting."""
    wait_for_destinations: bool = False
    """Its runs complete once their records are at every destination that reads them."""
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class JobTemplate:
    """A template of sync jobs, for many integrations or customers."""

    id: str
    environment_id: EnvironmentId
    label: str
    integration_name: str | None = None
    """None: each job names its own."""
    description: str | None = None
    sharing: str = "deny"
    args_schema: JsonObject
    args_validation: str | None = None
    resources: list[JsonObject]
    default_runtime_version: int = 3
    created_at: datetime
    updated_at: datetime
