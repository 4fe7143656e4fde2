"""Integrations, and what an environment changes about one (wire.md A9)."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from app.engine.json_types import JsonObject
from app.engine.objects.environments import EnvironmentId
from app.engine.paths import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Integration:
    """How one third-party API is spoken to (wire.md A9); ``config`` is the raw, validated JSON."""

    id: str
    environment_id: EnvironmentId
    name: str
    category: str | None = None
    is_beta: bool = False
    sharing: str = "deny"
    config: JsonObject
    origins: Sequence[str] | None = None
    """The hosts that the config's own secrets were entered for; None where it holds none, or that was not noted."""
    override_origins: Sequence[str] | None = None
    """The same of what its environment lays over it."""
    unreadable: frozenset[Path] = frozenset()
    """Where the config holds what does not decrypt, as it is shown to its owner."""
    version: int = 1
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvironmentIntegration:
    """What an environment changes about an integration."""

    id: str
    environment_id: EnvironmentId
    integration_id: str
    override: JsonObject = field(repr=False)
    """Laid over the integration's config, deeply; a null takes a key away. May hold secrets."""
    origins: Sequence[str] | None = None
    """The hosts that the override's own secrets were entered for."""
    unreadable: frozenset[Path] = frozenset()
    """Where the override holds what does not decrypt."""
    show_in_catalog: bool = True
    created_at: datetime
    updated_at: datetime
