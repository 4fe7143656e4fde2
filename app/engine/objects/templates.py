"""Templates of sync jobs (docs/wire.md A6)."""

from dataclasses import dataclass
from datetime import datetime

from app.engine.json_types import JsonObject
from app.engine.objects.objects import EnvironmentId


@dataclass(frozen=True, slots=True, kw_only=True)
class JobTemplate:
    """What sync jobs of many integrations or customers begin with."""

    id: str
    environment_id: EnvironmentId
    label: str
    integration_name: str | None = None
    """None: each job made of it names its own."""
    description: str | None = None
    sharing: str = "deny"
    args_schema: JsonObject
    args_validation: str | None = None
    resources: list[JsonObject]
    default_runtime_version: int = 3
    created_at: datetime
    updated_at: datetime
