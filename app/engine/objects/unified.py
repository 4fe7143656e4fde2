"""Unified models, and how integrations map their methods (wire.md A10)."""

from dataclasses import dataclass
from datetime import datetime

from app.engine.json_types import JsonObject
from app.engine.objects.environments import EnvironmentId


@dataclass(frozen=True, slots=True, kw_only=True)
class UnifiedModel:
    """Resources that mean the same at every integration (wire.md A10)."""

    id: str
    environment_id: EnvironmentId
    name: str
    category: str | None = None
    description: str | None = None
    sharing: str = "deny"
    resources: JsonObject
    version: int = 1
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvironmentUnifiedModel:
    """What an environment changes about a unified model."""

    id: str
    environment_id: EnvironmentId
    unified_model_id: str
    override: JsonObject
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class UnifiedModelMethod:
    """How an integration implements one method of a unified model: the base, or an environment's layer over it."""

    id: str
    environment_id: EnvironmentId
    unified_model_id: str
    resource_name: str
    integration_name: str
    method_name: str
    config: JsonObject
    environment_unified_model_id: str | None = None
    """Set on an environment's layer."""
    version: int = 1
    created_at: datetime
    updated_at: datetime
