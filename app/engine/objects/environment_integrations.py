"""An integration as one environment uses it (docs/wire.md A9)."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from app.engine.json_types import JsonObject
from app.engine.objects.objects import EnvironmentId
from app.engine.paths import Path


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
